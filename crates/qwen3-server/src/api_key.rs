//! API keys: how they are written, and who has one.

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq;

/// A key that a client may send.
///
/// Whatever was meant to be one is a key that can be sent, or an error: a server
/// is never open because of an empty variable. Only the hash is kept, so that
/// nothing can show the key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey([u8; 32]);

/// Why something is no key. The key itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// Nothing, or white space.
    #[error("a key is empty; is it of a variable that isn't set?")]
    Empty,
    /// Something that not every client can put into a header.
    #[error(
        "a key has the character U+{:04X}, which clients can't send; use visible ASCII characters",
        u32::from(*.character)
    )]
    Character {
        /// The character.
        character: char,
    },
    /// A file without keys.
    #[error("there is no key in it; write one key a line")]
    NoKeys,
}

impl ApiKey {
    /// The keys of a file: one a line, but for empty lines and those that begin with `#`.
    ///
    /// # Errors
    /// If a line is no key, or there is none.
    pub fn from_lines(text: &str) -> Result<Vec<Self>, ApiKeyError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().map(str::trim);
        let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = keys.map(str::parse).collect::<Result<Vec<Self>, _>>()?;
        if keys.is_empty() { Err(ApiKeyError::NoKeys) } else { Ok(keys) }
    }
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    /// White space at its ends is not part of a key: clients' libraries drop it too.
    fn from_str(text: &str) -> Result<Self, ApiKeyError> {
        let key = text.trim();
        if key.is_empty() {
            return Err(ApiKeyError::Empty);
        }
        let can_be_sent = |c: char| c == ' ' || c.is_ascii_graphic();
        match key.chars().find(|c| !can_be_sent(*c)) {
            Some(character) => Err(ApiKeyError::Character { character }),
            None => Ok(Self(Sha256::digest(key).into())),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

/// Whether the request has one of the keys, or none is wanted. Takes as long for
/// a wrong one as for a right one: hashes of the same length are compared with
/// every key.
pub fn may_pass(headers: &HeaderMap, keys: &[ApiKey]) -> bool {
    if keys.is_empty() {
        return true;
    }
    let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let Some(given) = given.and_then(bearer) else { return false };
    let given: [u8; 32] = Sha256::digest(given).into();
    let equal = keys.iter().map(|key| key.0.ct_eq(&given));
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

    fn passes(header: Option<&str>, keys: &[ApiKey]) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(header::AUTHORIZATION, header.parse().unwrap());
        }
        may_pass(&headers, keys)
    }

    #[test]
    fn any_of_the_keys_opens_and_nothing_else() {
        let keys: [ApiKey; 2] = ["first", " \tsecond\n"].map(|key| key.parse().unwrap());
        for right in ["Bearer first", "bearer  second ", "BEARER second"] {
            assert!(passes(Some(right), &keys), "{right}");
        }
        for wrong in ["first", "Bearer", "Bearer ", "Bearer firs", "Bearer first2", "Basic first"] {
            assert!(!passes(Some(wrong), &keys), "{wrong}");
        }
        assert!(!passes(None, &keys));
        assert!(passes(None, &[]));
    }

    #[test]
    fn what_is_no_key_is_an_error_and_not_an_open_door() {
        for empty in ["", " ", "\t\r\n", "\u{a0}"] {
            assert_eq!(empty.parse::<ApiKey>(), Err(ApiKeyError::Empty), "{empty:?}");
        }
        for (key, character) in
            [("a\tb", '\t'), ("a\rb", '\r'), ("\0a", '\0'), ("\u{feff}a", '\u{feff}'), ("ä", 'ä')]
        {
            let refused = key.parse::<ApiKey>();
            assert_eq!(refused, Err(ApiKeyError::Character { character }), "{key:?}");
        }
    }

    #[test]
    fn a_file_has_a_key_a_line() {
        let keys = |text: &str| ApiKey::from_lines(text);
        let two: Result<Vec<ApiKey>, _> =
            Ok(["one", "2, b"].map(|key| key.parse().unwrap()).to_vec());
        assert_eq!(keys("\u{feff}# of the team\r\none\r\n\r\n  2, b \r\n"), two);
        assert_eq!(keys("one\n2, b"), two);
        for none in ["", "\n\n", "\u{feff}", " \n# only this\n"] {
            assert_eq!(keys(none), Err(ApiKeyError::NoKeys), "{none:?}");
        }
        assert_eq!(keys("one\na\0b"), Err(ApiKeyError::Character { character: '\0' }));
    }

    #[test]
    fn a_key_is_not_shown() {
        let key: ApiKey = "secret".parse().unwrap();
        let settings = crate::Settings { api_keys: vec![key], ..crate::Settings::default() };
        let shown = format!("{settings:?}");
        assert!(shown.contains("api_keys: [ApiKey(..)]") && !shown.contains("secret"), "{shown}");
    }
}
