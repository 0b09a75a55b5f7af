//! Which web pages may send requests.

use crate::punycode;
use axum::http::{HeaderName, HeaderValue, Method};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// Headers of answers that web pages may read.
const SHOWN_HEADERS: [&str; 10] = [
    "x-request-id",
    "x-compute-type",
    "x-compute-time",
    "x-compute-characters",
    "x-compute-tokens",
    "x-total-time",
    "x-tokenization-time",
    "x-queue-time",
    "x-inference-time",
    "x-truncated-inputs",
];
/// Schemes of programs that show web pages of their own; those of browsers'
/// extensions end in `-extension`.
const APP_SCHEMES: [&str; 6] =
    ["app", "capacitor", "ionic", "tauri", "vscode-file", "vscode-webview"];

/// Where a web page is from, such as `https://a.example`, exactly as browsers
/// write it, or `*` for every page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// Why something is no origin. What browsers never send would never match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Browsers write it in another way.
    #[error("browsers don't send `{origin}`; write `{right}`")]
    Spelling {
        /// As it was given.
        origin: String,
        /// As browsers send it.
        right: String,
    },
    /// No page is from there.
    #[error(
        "`{origin}` is not the origin of a web page; write scheme, host and port of each page, such as `https://a.example` or `http://localhost:5173`"
    )]
    NoPage {
        /// As it was given.
        origin: String,
    },
    /// Every page, and certain ones.
    #[error("`*` allows every origin; leave it out, or the others")]
    AnyBesideOthers,
}

impl Origin {
    /// Whether it stands for every page.
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }

    /// Refuses a list in which `*` hides the others.
    ///
    /// # Errors
    /// If it does.
    pub fn check(list: &[Self]) -> Result<(), OriginError> {
        match list.len() > 1 && list.iter().any(Self::is_any) {
            true => Err(OriginError::AnyBesideOthers),
            false => Ok(()),
        }
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let given = text.trim();
        let origin = || given.to_owned();
        let right = if given == "*" { Some(origin()) } else { as_browsers_send(given) };
        let right = right.ok_or_else(|| OriginError::NoPage { origin: origin() })?;
        if right != given {
            return Err(OriginError::Spelling { origin: origin(), right });
        }
        let value = HeaderValue::from_str(&right);
        value.map(Self).map_err(|_| OriginError::NoPage { origin: origin() })
    }
}

/// The origin of a page with this address.
fn as_browsers_send(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let usual_port = match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        app if APP_SCHEMES.contains(&app) || app.ends_with("-extension") => None,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let (_, authority) = authority.rsplit_once('@').unwrap_or(("", authority));
    // The last colon of an address of IPv6 is inside of brackets.
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse::<u16>().ok()?)),
        _ => (authority, None),
    };
    let port = port.filter(|_| port != usual_port).map(|port| format!(":{port}"));
    Some(format!("{scheme}://{}{}", host(name)?, port.unwrap_or_default()))
}

/// A name or address of a host.
fn host(name: &str) -> Option<String> {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Some(format!("[{}]", address.parse::<Ipv6Addr>().ok()?));
    }
    let is_plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let label = |label: &str| match !label.is_empty() && label.chars().all(is_plain) {
        true => punycode::to_ascii(&label.to_lowercase()),
        false => None,
    };
    let labels = name.split('.').map(label).collect::<Option<Vec<String>>>()?;
    let (host, last) = (labels.join("."), labels.last()?);
    // What ends in a number is an address of IPv4, or nothing.
    match last.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Some(host.parse::<Ipv4Addr>().ok()?.to_string()),
        false => Some(host),
    }
}

/// Pages of these origins may send requests, with keys; without any, all pages.
pub fn cors(origins: &[Origin]) -> CorsLayer {
    let origins = match origins {
        [] => AllowOrigin::any(),
        [one] if one.is_any() => AllowOrigin::any(),
        list => {
            let named = list.iter().filter(|origin| !origin.is_any());
            AllowOrigin::list(named.map(|origin| origin.0.clone()))
        }
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        // Clients' libraries add headers of their own, and more with each release.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(SHOWN_HEADERS.map(HeaderName::from_static))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_as_browsers_send_them() {
        for right in [
            "*",
            "https://a.example",
            "http://localhost:5173",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
            "https://xn--bcher-kva.example",
            "app://obsidian.md",
            "chrome-extension://cjpalhdlnbpafiamejdnhcphjbkeiagm",
        ] {
            let origin = right.parse::<Origin>();
            assert_eq!(origin, Ok(Origin(right.parse().unwrap())));
            assert_eq!(format!(" {right}\n").parse(), origin);
        }
    }

    #[test]
    fn another_spelling_is_answered_with_the_right_one() {
        for (given, right) in [
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("https://a.example/", "https://a.example"),
            ("https://a.example/app?x=1#y", "https://a.example"),
            ("HTTPS://A.Example", "https://a.example"),
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:080", "http://a.example"),
            ("http://me:secret@a.example:8080", "http://a.example:8080"),
            ("http://[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
            ("https://ПРИМЕР.example:8443", "https://xn--e1afmkfd.example:8443"),
            ("app://obsidian.md/", "app://obsidian.md"),
        ] {
            let (origin, right) = (given.to_owned(), right.to_owned());
            assert_eq!(given.parse::<Origin>(), Err(OriginError::Spelling { origin, right }));
        }
    }

    #[test]
    fn what_no_page_is_from_is_refused() {
        for given in [
            "",
            "null",
            "a.example",
            "localhost:5173",
            "//a.example",
            "https:a.example",
            "https://",
            "https://:8080",
            "https://a..example",
            "https://a.example.",
            "http://127.1",
            "http://[::1",
            "http://::1:3000",
            "https://a.exa\tmple",
            "https://a.example\u{1}",
            "https://a b.example",
            "https://a.example https://b.example",
            "https://*.example",
            "http://a.example:99999",
            "http://a.example:port",
            "file:///home/me/page.html",
            "ftp://a.example",
            "wss://a.example",
            "htps://a.example",
        ] {
            let origin = given.to_owned();
            assert_eq!(given.parse::<Origin>(), Err(OriginError::NoPage { origin }), "{given:?}");
        }
    }

    #[test]
    fn any_stands_alone() {
        let list = |origins: &[&str]| -> Vec<Origin> {
            origins.iter().map(|origin| origin.parse().unwrap()).collect()
        };
        for fine in [&[][..], &["*"], &["https://a.example", "https://b.example"]] {
            assert_eq!(Origin::check(&list(fine)), Ok(()));
        }
        for both in [&["*", "https://a.example"][..], &["https://a.example", "*"]] {
            assert_eq!(Origin::check(&list(both)), Err(OriginError::AnyBesideOthers));
        }
    }
}
