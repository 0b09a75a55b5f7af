//! Pages for people, and the description for programs. They are in the binary,
//! and ask no other host for anything.

use crate::openapi::document;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use std::sync::LazyLock;

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
    static JSON: LazyLock<String> = LazyLock::new(|| {
        document().to_pretty_json().expect("the document is made of strings and lists")
    });
    ([(header::CONTENT_TYPE, "application/json")], JSON.as_str())
}
