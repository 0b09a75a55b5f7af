//! API keys.

use crate::app::SharedApp;
use crate::dialects::{Dialect, Rejected};
use crate::error::Error;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Lets only requests with a key pass, if the server has keys.
pub async fn with_key<D: Dialect>(
    State(app): State<SharedApp>,
    request: Request,
    next: Next,
) -> Response {
    match is_known(request.headers(), &app.inference.settings.api_keys) {
        true => next.run(request).await,
        false => Rejected::<D>::from(Error::Unauthorized).into_response(),
    }
}

/// Whether the request has one of the keys. Takes as long for a wrong one as
/// for a right one: hashes of the same length are compared with every key.
fn is_known(headers: &HeaderMap, keys: &[String]) -> bool {
    if keys.is_empty() {
        return true;
    }
    let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let Some(given) = given.and_then(bearer) else { return false };
    let given = Sha256::digest(given);
    let equal = keys.iter().map(|key| Sha256::digest(key).ct_eq(&given));
    equal.fold(subtle::Choice::from(0), |any, one| any | one).into()
}

/// What follows `Bearer`, in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: Option<&str>, expected: bool) {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(header::AUTHORIZATION, header.parse().unwrap());
        }
        let keys = ["first".to_owned(), "second".to_owned()];
        assert_eq!(is_known(&headers, &keys), expected, "{header:?}");
    }

    #[test]
    fn any_of_the_keys_opens_and_nothing_else() {
        check(Some("Bearer first"), true);
        check(Some("bearer  second "), true);
        for wrong in ["first", "Bearer", "Bearer ", "Bearer firs", "Bearer first2", "Basic first"] {
            check(Some(wrong), false);
        }
        check(None, false);
        assert!(is_known(&HeaderMap::new(), &[]));
    }
}
