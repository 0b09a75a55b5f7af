//! `/embed`, `/embed_all` and `/similarity`.

use super::{Tei, TeiError};
use crate::app::{App, SharedApp};
use crate::dialects::{
    Answer, Body, DialectError, Fields, FromFields, Inputs, SharedFields, Texts, Truncation, Value,
    answer, dimensions,
};
use crate::error::Error;
use crate::inference::{Call, Cost, InputItem, Results, TokenVectors, VectorOptions};
use axum::extract::State;
use qwen3_engine::Similarity;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// Texts to turn into vectors.
#[derive(Debug, ToSchema)]
pub struct EmbedRequest {
    /// A text, token ids, or a list of them.
    pub inputs: Inputs,
    /// Whether texts that are too long are cut; `null`: as the server is set.
    pub truncate: Option<bool>,
    /// Keep this many of the first dimensions.
    pub dimensions: Option<usize>,
    /// What all dialects take.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for EmbedRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            inputs: Inputs::read(fields.need(&["inputs"])?)?,
            truncate: fields.flag(&["truncate"])?,
            dimensions: dimensions(fields)?,
            shared: SharedFields::from_fields(fields)?,
        })
    }
}

/// Texts whose tokens become vectors.
#[derive(Debug, ToSchema)]
pub struct EmbedAllRequest {
    /// A text, token ids, or a list of them.
    pub inputs: Inputs,
    /// Whether texts that are too long are cut; `null`: as the server is set.
    pub truncate: Option<bool>,
    /// What all dialects take; `normalize` has no effect.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for EmbedAllRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            inputs: Inputs::read(fields.need(&["inputs"])?)?,
            truncate: fields.flag(&["truncate"])?,
            shared: SharedFields::from_fields(fields)?,
        })
    }
}

/// Texts to compare.
#[derive(Debug, ToSchema)]
pub struct SimilarityRequest {
    /// Which.
    pub inputs: SimilarityInputs,
    /// How.
    pub parameters: Option<SimilarityParameters>,
}

/// Which texts are compared.
#[derive(Debug, ToSchema)]
pub struct SimilarityInputs {
    /// This one,
    pub source_sentence: String,
    /// with each of these.
    pub sentences: Vec<String>,
}

/// How texts are compared.
#[derive(Debug, Default, ToSchema)]
pub struct SimilarityParameters {
    /// Whether texts that are too long are cut; `null`: as the server is set.
    pub truncate: Option<bool>,
    /// What all dialects take; `normalize` has no effect.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for SimilarityRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let inputs = fields.need(&["inputs"])?.object()?;
        let sentences = Texts::read_some(inputs.need(&["sentences"])?)?;
        let parameters = |value: Value<'_>| SimilarityParameters::from_fields(&value.object()?);
        Ok(Self {
            inputs: SimilarityInputs {
                source_sentence: inputs.need(&["source_sentence"])?.text()?,
                sentences: sentences.into_list(),
            },
            parameters: fields.find(&["parameters"])?.map(parameters).transpose()?,
        })
    }
}

impl FromFields for SimilarityParameters {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let truncate = fields.flag(&["truncate"])?;
        Ok(Self { truncate, shared: SharedFields::from_fields(fields)? })
    }
}

/// Vectors of texts, always a list of lists.
#[utoipa::path(
    post, path = "/embed", tag = "text-embeddings-inference",
    request_body = EmbedRequest,
    responses(
        (status = 200, description = "A vector per text", body = Vec<Vec<f32>>),
        (status = 400, description = "No text, or no JSON", body = TeiError),
        (status = 422, description = "A field or text is wrong", body = TeiError),
        (status = 424, description = "The device failed, or the model is a reranker", body = TeiError),
        (status = 429, description = "Too much waits; `Retry-After` says for how long", body = TeiError),
    )
)]
pub async fn embed(
    State(app): State<SharedApp>,
    call: Call,
    Body(request, _): Body<Tei, EmbedRequest>,
) -> Answer<Tei> {
    let embedded = vectors(&app, call, request).await?;
    answer(embedded.cost, embedded.results).await
}

/// The vectors that a request asks for.
pub(super) async fn vectors(
    app: &App,
    call: Call,
    request: EmbedRequest,
) -> Result<Results<Vec<f32>>, Error> {
    let EmbedRequest { inputs, truncate, dimensions, shared } = request;
    let options = VectorOptions { dimensions, normalize: shared.normalizes() };
    let texts = shared.texts(app, inputs.into_list(), Truncation::of_flag(truncate))?;
    app.inference.embed(app.embedder()?, call, texts, options).await
}

/// Vectors of the tokens of texts, without padding.
#[utoipa::path(
    post, path = "/embed_all", tag = "text-embeddings-inference",
    request_body = EmbedAllRequest,
    responses(
        (status = 200, description = "A vector per token of each text", body = Vec<Vec<Vec<f32>>>),
        (status = "4XX", description = "As of `/embed`", body = TeiError),
    )
)]
pub async fn embed_all(
    State(app): State<SharedApp>,
    call: Call,
    Body(request, _): Body<Tei, EmbedAllRequest>,
) -> Answer<Tei> {
    let EmbedAllRequest { inputs, truncate, shared } = request;
    let texts = shared.texts(&app, inputs.into_list(), Truncation::of_flag(truncate))?;
    let embedded = app.inference.embed_tokens(app.embedder()?, call, texts).await?;
    let vectors: Vec<_> = embedded.results.into_iter().map(ListOfVectors).collect();
    answer(embedded.cost, vectors).await
}

/// Written from the rows as they are: a copy as lists would be as large again.
struct ListOfVectors(TokenVectors);

impl Serialize for ListOfVectors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.rows.chunks(self.0.width))
    }
}

/// Cosines of a text with others.
#[utoipa::path(
    post, path = "/similarity", tag = "text-embeddings-inference",
    request_body = SimilarityRequest,
    responses(
        (status = 200, description = "A cosine per sentence", body = Vec<f32>),
        (status = "4XX", description = "As of `/embed`", body = TeiError),
    )
)]
pub async fn similarity(
    State(app): State<SharedApp>,
    call: Call,
    Body(request, _): Body<Tei, SimilarityRequest>,
) -> Answer<Tei> {
    let (cost, cosines) = cosines(&app, call, request).await?;
    answer(cost, cosines).await
}

/// The cosines that a request asks for.
pub(super) async fn cosines(
    app: &App,
    call: Call,
    request: SimilarityRequest,
) -> Result<(Cost, Vec<f32>), Error> {
    let SimilarityInputs { source_sentence, sentences } = request.inputs;
    let SimilarityParameters { truncate, shared } = request.parameters.unwrap_or_default();
    let inputs = std::iter::once(source_sentence).chain(sentences).map(InputItem::Text).collect();
    let texts = shared.texts(app, inputs, Truncation::of_flag(truncate))?;
    let options = VectorOptions { dimensions: None, normalize: true };
    let embedded = app.inference.embed(app.embedder()?, call, texts, options).await?;
    let (source, others) = embedded.results.split_first().expect("a vector per text");
    let cosines = others.iter().map(|other| Similarity::Cosine.of(source, other) as f32).collect();
    Ok((embedded.cost, cosines))
}

/// Sparse vectors, which no Qwen3 model has: answered as there for a model
/// without them.
#[utoipa::path(
    post, path = "/embed_sparse", tag = "text-embeddings-inference",
    request_body = EmbedAllRequest,
    responses((status = 424, description = "The model has no sparse vectors", body = TeiError))
)]
pub async fn embed_sparse(Body(_, _): Body<Tei, EmbedAllRequest>) -> DialectError<Tei> {
    let message = "Backend error: Model is not an embedding model with SPLADE pooling";
    Error::WrongModel { message }.into()
}
