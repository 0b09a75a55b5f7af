//! Answers of hubs that mean no good.

use super::*;

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

#[test]
fn a_token_is_for_the_same_scheme_host_and_port() {
    let hub = uri("https://hub.example/prefix");
    for same in ["https://hub.example/x", "https://HUB.example:443/"] {
        assert!(is_same_origin(&uri(same), &hub), "{same}");
    }
    let others = ["http://hub.example/", "https://hub.example:8443/", "https://example/"];
    for other in others.into_iter().chain(["https://hub.example.evil/", "https://x@evil/"]) {
        assert!(!is_same_origin(&uri(other), &hub), "{other}");
    }
}

#[test]
fn locations_are_resolved_or_refused() {
    let from = uri("http://hub:81/a/b?c");
    let to = |location| resolve(&from, location).map(|uri| uri.to_string());
    assert_eq!(to("/x?y").as_deref(), Some("http://hub:81/x?y"));
    assert_eq!(to("//cdn/x").as_deref(), Some("http://cdn/x"));
    assert_eq!(to("https://cdn/x").as_deref(), Some("https://cdn/x"));
    for bad in ["", "x", "file:///etc/passwd", "ftp://a/b", "http://", "http:///x", "http://[::1"] {
        assert_eq!(to(bad), None, "{bad}");
    }
}

#[test]
fn only_the_rest_of_a_file_continues_it() {
    assert_eq!(range_to_the_end(Some("bytes 5-9/10"), 5), Some(10));
    let bad = ["bytes 0-9/10", "bytes 5-8/10", "bytes 5-9/*", "5-9/10", "bytes 9-5/10", ""];
    for range in bad.into_iter().chain(["bytes 5-18446744073709551615/0", "bytes */10"]) {
        assert_eq!(range_to_the_end(Some(range), 5), None, "{range}");
    }
    assert_eq!(range_to_the_end(None, 5), None);
}
