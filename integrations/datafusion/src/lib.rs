//! The functions `embed` and `rerank` for SQL on DataFusion.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use datafusion::prelude::{ParquetReadOptions, SessionContext};
//! use qwen3_engine::{Embedder, Options};
//! use std::sync::Arc;
//!
//! let context = SessionContext::new();
//! let model = Arc::new(Embedder::load("mini", &Options::default())?);
//! context.register_udf(qwen3_datafusion::embed(model));
//! context.register_parquet("articles", "articles/", ParquetReadOptions::default()).await?;
//! context.sql("SELECT id, embed(body, 'document') AS vector FROM articles").await?.show().await?;
//! # Ok(())
//! # }
//! ```

use async_trait::async_trait;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListBuilder, Float32Array, Float32Builder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use qwen3_engine::{Embedder, EncodeOptions, Prompt, RankOptions, Reranker};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Rows that a function is given at one time: enough to sort and pack for the device.
const BATCH_ROWS: usize = 4_096;

/// `embed(text)` and `embed(text, prompt_name)`: the vector of a text, a list of float32 of length
/// 1. The name is that of a prompt of the model, such as `query`. A null text has a null vector.
pub fn embed(model: Arc<Embedder>) -> ScalarUDF {
    function(Embed { model, signature: strings(&[1, 2]) })
}

/// `rerank(query, document)`: how well a document answers a query, from 0 to 1. It is null where
/// one of them is.
pub fn rerank(model: Arc<Reranker>) -> ScalarUDF {
    function(Rerank { model, signature: strings(&[2]) })
}

fn function(function: impl AsyncScalarUDFImpl + 'static) -> ScalarUDF {
    AsyncScalarUDF::new(Arc::new(function)).into_scalar_udf()
}

/// So many arguments, each a text.
fn strings(counts: &[usize]) -> Signature {
    let counts = counts.iter().map(|&count| TypeSignature::String(count)).collect();
    // Else a call with constants would be computed while the query is planned, where nothing may
    // wait.
    Signature::one_of(counts, Volatility::Volatile)
}

struct Embed {
    model: Arc<Embedder>,
    signature: Signature,
}

struct Rerank {
    model: Arc<Reranker>,
    signature: Signature,
}

/// Two functions are the same if their model is. DataFusion asks for it.
macro_rules! told_apart_by_model {
    ($($function:ident),*) => {$(
        impl PartialEq for $function {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.model, &other.model)
            }
        }

        impl Eq for $function {}

        impl Hash for $function {
            fn hash<H: Hasher>(&self, state: &mut H) {
                Arc::as_ptr(&self.model).hash(state);
            }
        }

        impl fmt::Debug for $function {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($function)).field("device", &self.model.device()).finish()
            }
        }
    )*};
}
told_apart_by_model!(Embed, Rerank);

impl ScalarUDFImpl for Embed {
    fn name(&self) -> &str {
        "embed"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        let item = Field::new_list_field(DataType::Float32, true);
        Ok(DataType::FixedSizeList(Arc::new(item), self.model.max_dimensions() as i32))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("`embed` computes asynchronously only")
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Embed {
    fn ideal_batch_size(&self) -> Option<usize> {
        Some(BATCH_ROWS)
    }

    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = texts(&args)?;
        let model = Arc::clone(&self.model);
        computed(move || {
            let column = columns[0].as_string::<i64>();
            let prompts = columns.get(1).map(|names| names.as_string::<i64>());
            let mut vectors: Vec<Option<Vec<f32>>> = vec![None; column.len()];
            for (name, rows) in by_prompt(column.len(), |row| {
                column.is_valid(row).then(|| {
                    prompts.and_then(|names| names.is_valid(row).then(|| names.value(row)))
                })
            }) {
                let prompt = name.map_or(Prompt::Default, |name| Prompt::Name(name.to_owned()));
                let texts = rows.iter().map(|&row| column.value(row));
                let embeddings = model.encode(texts, &EncodeOptions::default().prompt(prompt));
                for (row, embedding) in rows.iter().zip(embeddings.map_err(external)?) {
                    vectors[*row] = Some(embedding.vector);
                }
            }
            Ok(list(vectors, model.max_dimensions()))
        })
        .await
    }
}

impl ScalarUDFImpl for Rerank {
    fn name(&self) -> &str {
        "rerank"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float32)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("`rerank` computes asynchronously only")
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Rerank {
    fn ideal_batch_size(&self) -> Option<usize> {
        Some(BATCH_ROWS)
    }

    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = texts(&args)?;
        let model = Arc::clone(&self.model);
        computed(move || {
            let (queries, documents) =
                (columns[0].as_string::<i64>(), columns[1].as_string::<i64>());
            let pairs: Vec<Option<(&str, &str)>> = queries
                .iter()
                .zip(documents)
                .map(|(query, document)| query.zip(document))
                .collect();
            let scores = model.score(pairs.iter().copied().flatten(), &RankOptions::default());
            let mut scores = scores.map_err(external)?.into_iter();
            let score =
                |pair: &Option<_>| pair.and_then(|_| scores.next()).map(|it| it.score as f32);
            Ok(Arc::new(pairs.iter().map(score).collect::<Float32Array>()) as ArrayRef)
        })
        .await
    }
}

/// The arguments as columns of strings.
fn texts(args: &ScalarFunctionArgs) -> Result<Vec<ArrayRef>> {
    let column = |argument: &ColumnarValue| {
        let column = argument.to_array(args.number_rows)?;
        Ok(cast(&column, &DataType::LargeUtf8)?)
    };
    args.args.iter().map(column).collect()
}

/// Computes on a thread that may wait, so that other queries go on.
async fn computed(
    compute: impl FnOnce() -> Result<ArrayRef> + Send + 'static,
) -> Result<ColumnarValue> {
    let column = tokio::task::spawn_blocking(compute).await.map_err(external)??;
    Ok(ColumnarValue::Array(column))
}

/// Rows by the name of their prompt; those without a text are in none.
fn by_prompt<'a>(
    rows: usize,
    prompt: impl Fn(usize) -> Option<Option<&'a str>>,
) -> Vec<(Option<&'a str>, Vec<usize>)> {
    let mut groups: Vec<(Option<&str>, Vec<usize>)> = vec![];
    for row in 0..rows {
        let Some(name) = prompt(row) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((name, vec![row])),
        }
    }
    groups
}

fn list(vectors: Vec<Option<Vec<f32>>>, dimensions: usize) -> ArrayRef {
    let mut list = FixedSizeListBuilder::new(Float32Builder::new(), dimensions as i32);
    for vector in vectors {
        match &vector {
            Some(vector) => list.values().append_slice(vector),
            None => list.values().append_nulls(dimensions),
        }
        list.append(vector.is_some());
    }
    Arc::new(list.finish())
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
