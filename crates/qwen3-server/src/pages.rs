//! Pages for people, and the description for programs. They are in the binary,
//! and ask no other host for anything.

use crate::openapi::document;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use std::sync::LazyLock;
use utoipa::openapi::Server;

/// What keeps a page from reaching other hosts, whatever is pasted into it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page to try the models on.
pub async fn ui() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("pages/ui.html")))
}

/// The page that lists the routes.
pub async fn docs() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("pages/docs.html")))
}

/// The OpenAPI document.
pub async fn openapi() -> impl IntoResponse {
    static JSON: LazyLock<String> = LazyLock::new(|| described("."));
    ([(header::CONTENT_TYPE, "application/json")], JSON.as_str())
}

/// The same where text-embeddings-inference has it.
pub async fn openapi_of_tei() -> impl IntoResponse {
    static JSON: LazyLock<String> = LazyLock::new(|| described(".."));
    ([(header::CONTENT_TYPE, "application/json")], JSON.as_str())
}

/// The document, with the way from its own address to that of the routes: a proxy may have put
/// something before both.
fn described(root: &str) -> String {
    let mut document = document();
    document.servers = Some(vec![Server::new(root)]);
    document.to_pretty_json().expect("the document is made of strings and lists")
}
