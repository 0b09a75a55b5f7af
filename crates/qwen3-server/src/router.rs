//! Which path leads where, and what every request passes on its way.

use crate::access_log::{modest_id, observe};
use crate::app::SharedApp;
use crate::auth::with_key;
use crate::cors::cors;
use crate::dialects::cohere::Cohere;
use crate::dialects::jina::Jina;
use crate::dialects::llama_cpp::LlamaCpp;
use crate::dialects::ollama::Ollama;
use crate::dialects::openai::OpenAi;
use crate::dialects::tei::Tei;
use crate::dialects::vllm::Vllm;
use crate::dialects::{
    Dialect, DialectError, by_body, cohere, llama_cpp, ollama, openai, tei, vllm,
};
use crate::error::Error;
use crate::{monitoring_routes, pages};
use axum::Router;
use axum::http::header;
use axum::middleware::{from_fn_with_state, map_request, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

/// All routes of a server.
pub fn router(app: SharedApp) -> Router {
    let mut routes = routes(&app)
        .route("/ui", get(pages::ui))
        .route("/docs", get(pages::docs))
        .route("/openapi.json", get(pages::openapi))
        .route("/api-doc/openapi.json", get(pages::openapi_of_tei));
    for (prefix, alone) in app.alone() {
        routes = routes.nest(prefix, self::routes(&SharedApp::new(alone)));
    }
    let routes = routes
        .fallback(async || DialectError::<Tei>::from(Error::NoRoute))
        .method_not_allowed_fallback(async || DialectError::<Tei>::from(Error::NoMethod));
    routes
        // The first is the innermost.
        .layer(CatchPanicLayer::custom(|_| {
            DialectError::<Tei>::from(Error::Internal).into_response()
        }))
        .layer(from_fn_with_state(app.clone(), observe))
        .layer(cors(&app.inference.settings.cors_allow_origins))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(map_request(modest_id))
        .layer(map_response(no_sniffing))
}

/// The routes of every dialect for these models.
fn routes(app: &SharedApp) -> Router {
    let openai = Router::new()
        .route("/v1/embeddings", post(openai::embeddings))
        .route("/embeddings", post(openai::embeddings))
        .route("/v1/models", get(openai::models));
    let cohere = Router::new().route("/v2/rerank", post(cohere::rerank_v2));
    let jina = Router::new()
        .route("/v1/rerank", post(by_body::rerank_v1))
        .route("/v1/reranking", post(by_body::rerank_v1))
        .route("/reranking", post(by_body::rerank_v1));
    let vllm = Router::new()
        .route("/pooling", post(vllm::pooling))
        .route("/score", post(vllm::score))
        .route("/v1/score", post(vllm::score));
    let llama_cpp = Router::new().route("/embedding", post(llama_cpp::embedding));
    let ollama = Router::new()
        .route("/api/embed", post(ollama::embed))
        .route("/api/embeddings", post(ollama::embeddings))
        .route("/api/tags", get(ollama::tags))
        .route("/api/version", get(ollama::version));
    Router::new()
        .merge(guarded::<Tei>(routes_of_tei(), app))
        .merge(guarded::<OpenAi>(openai, app))
        .merge(guarded::<Cohere>(cohere, app))
        .merge(guarded::<Jina>(jina, app))
        .merge(guarded::<Vllm>(vllm, app))
        .merge(guarded::<LlamaCpp>(llama_cpp, app))
        .merge(guarded::<Ollama>(ollama, app))
        .merge(watched(routes_to_watch(), app))
        .with_state(app.clone())
}

fn routes_of_tei() -> Router<SharedApp> {
    Router::new()
        .route("/info", get(tei::info))
        .route("/embed", post(tei::embed))
        .route("/embed_all", post(tei::embed_all))
        .route("/embed_sparse", post(tei::embed_sparse))
        .route("/similarity", post(tei::similarity))
        .route("/predict", post(tei::predict))
        .route("/rerank", post(by_body::rerank))
        .route("/tokenize", post(tei::tokenize))
        .route("/decode", post(tei::decode))
        .route("/vertex", post(tei::vertex))
        .route("/invocations", post(tei::invocations))
        .route("/", post(tei::invocations))
        .route("/stats", get(monitoring_routes::stats))
}

fn routes_to_watch() -> Router<SharedApp> {
    Router::new()
        .route("/", get(monitoring_routes::health))
        .route("/health", get(monitoring_routes::health))
        .route("/ping", get(monitoring_routes::health))
        .route("/metrics", get(monitoring_routes::metrics))
}

/// `/metrics` alone, for a port of its own.
pub fn metrics_router(app: &SharedApp) -> Router {
    let routes = Router::new().route("/metrics", get(monitoring_routes::metrics));
    watched(routes, app).with_state(app.clone())
}

/// Routes for monitoring, which want a key only where the settings say so.
fn watched(routes: Router<SharedApp>, app: &SharedApp) -> Router<SharedApp> {
    match app.inference.settings.protect_monitoring {
        true => guarded::<Tei>(routes, app),
        false => routes,
    }
}

/// Routes that want a key, and say so in their dialect.
fn guarded<D: Dialect>(routes: Router<SharedApp>, app: &SharedApp) -> Router<SharedApp> {
    routes.route_layer(from_fn_with_state(app.clone(), with_key::<D>))
}

async fn no_sniffing(mut response: Response) -> Response {
    let value = axum::http::HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, value);
    response
}
