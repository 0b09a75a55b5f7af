//! The OpenAPI document, made from the types.

use crate::dialects::{cohere, jina, llama_cpp, ollama, openai, tei, vllm};
use crate::monitoring_routes;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi as _};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "qwen3",
        description = "Text embeddings and reranking with Qwen3, in the dialects of other servers. \
                       Every request for inference also takes `instruction`, `prompt_name`, \
                       `truncate_side` and `normalize`. Fields that are unknown or `null` are ignored. \
                       Token ids must be of this model's tokenizer: LangChain's OpenAIEmbeddings sends \
                       others unless told `check_embedding_ctx_length=False`. With `/embedder` or \
                       `/reranker` in front of a path, one of two models answers as if it were alone.",
    ),
    paths(
        tei::embed, tei::embed_all, tei::embed_sparse, tei::similarity, tei::rerank, tei::predict,
        tei::tokenize, tei::decode, tei::info, tei::invocations, tei::vertex,
        openai::embeddings, openai::models,
        cohere::rerank_v2,
        jina::rerank,
        vllm::pooling, vllm::score,
        llama_cpp::embedding,
        ollama::embed, ollama::embeddings, ollama::tags, ollama::version,
        monitoring_routes::health, monitoring_routes::metrics, monitoring_routes::stats,
    ),
    components(schemas(vllm::VllmRerankRequest, vllm::VllmRerankResponse, cohere::CohereRerankResponse)),
    modifiers(&Aliases, &Keys),
)]
struct Document;

/// Paths with the route of another one.
const ALIASES: [(&str, &str); 7] = [
    ("/", "/health"),
    ("/", "/invocations"),
    ("/ping", "/health"),
    ("/embeddings", "/v1/embeddings"),
    ("/reranking", "/v1/rerank"),
    ("/v1/reranking", "/v1/rerank"),
    ("/v1/score", "/score"),
];

/// Describes routes under all of their paths.
struct Aliases;

impl Modify for Aliases {
    fn modify(&self, openapi: &mut OpenApi) {
        let paths = &mut openapi.paths.paths;
        for (alias, path) in ALIASES {
            let mut same = paths.get(path).expect("it is listed above").clone();
            for operation in [&mut same.get, &mut same.post].into_iter().flatten() {
                // It must be unique.
                operation.operation_id = None;
            }
            paths.entry(alias.to_owned()).or_default().merge_operations(same);
        }
    }
}

/// Says that keys are sent as `Authorization: Bearer`.
struct Keys;

impl Modify for Keys {
    fn modify(&self, openapi: &mut OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(bearer));
        let none = utoipa::openapi::SecurityRequirement::default();
        let key = utoipa::openapi::SecurityRequirement::new::<_, [&str; 0], &str>("key", []);
        openapi.security = Some(vec![none, key]);
    }
}

/// The document, OpenAPI 3.1.
pub fn document() -> OpenApi {
    Document::openapi()
}
