//! Paths as routes have them.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Takes the slashes out of a path that say nothing: those that follow another, and one at the
/// end. Base addresses that end in one make `//embed`, and some clients end all paths in one.
pub fn without_extra_slashes(uri: &mut Uri) {
    let path = uri.path();
    if !path.contains("//") && (path == "/" || !path.ends_with('/')) {
        return;
    }
    let mut plain = String::with_capacity(path.len());
    for name in path.split('/').filter(|name| !name.is_empty()) {
        plain.extend(["/", name]);
    }
    if plain.is_empty() {
        plain.push('/');
    }
    if let Some(query) = uri.query() {
        plain.extend(["?", query]);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(plain).ok();
    if let Ok(changed) = Uri::from_parts(parts) {
        *uri = changed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_that_say_nothing_are_taken_out() {
        for (given, expected) in [
            ("/embed", "/embed"),
            ("//embed", "/embed"),
            ("/v1//embeddings///", "/v1/embeddings"),
            ("/rerank/?a=b//c/", "/rerank?a=b//c/"),
            ("/", "/"),
            ("///", "/"),
            ("/%2Fembed", "/%2Fembed"),
            ("http://host:1//embed/", "http://host:1/embed"),
            ("*", "*"),
        ] {
            let mut uri = given.parse().unwrap();
            without_extra_slashes(&mut uri);
            assert_eq!(uri.to_string(), expected, "{given}");
        }
    }
}
