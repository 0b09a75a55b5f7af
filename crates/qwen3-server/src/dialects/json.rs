//! From a body to JSON text: the one way in, for every route.

use super::fields::Fields;
use super::{FromFields, survey};
use crate::app::App;
use crate::error::Error;
use crate::inference::{HeldBytes, Inference};
use axum::body::{Body as HttpBody, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use std::sync::Arc;

/// Bodies beyond are parsed where nobody waits for the thread: it takes longer than a hop.
const LONG_BODY_BYTES: usize = 64 << 10;

/// A body as text, which counts among those that the server holds. Whether it
/// is JSON, its reader finds out.
pub struct JsonText {
    text: Arc<str>,
    held: HeldBytes,
    inference: Inference,
}

impl JsonText {
    /// The body of a request, whatever its `Content-Type` says of it.
    ///
    /// # Errors
    /// If it is compressed, too large, doesn't come, is not UTF-8, or has too many parts.
    pub async fn read(request: Request, app: &App) -> Result<Self, Error> {
        refuse_compressed(request.headers())?;
        let inference = app.inference.clone();
        let settings = inference.settings.clone();
        let received = received(request.into_body(), &inference);
        let received = tokio::time::timeout(settings.body_timeout, received).await;
        let (bytes, held) = received.unwrap_or(Err(Error::SlowBody))?;
        let is_long = bytes.len() > LONG_BODY_BYTES;
        let look = move || {
            let text = decode(bytes)?;
            if is_long {
                survey::check(text.as_bytes(), &settings)?;
            }
            Ok(text.into())
        };
        let text = run(&inference, is_long, look).await?;
        Ok(Self { text, held, inference })
    }

    /// Whether it is an object with a value under one of these names: for routes
    /// that several dialects share.
    pub async fn has_any(&self, names: &'static [&'static str]) -> bool {
        let text = self.text.clone();
        let look = move || {
            let fields = Fields::of_body(&text);
            Ok(fields.is_ok_and(|fields| names.iter().any(|name| fields.has(name))))
        };
        run(&self.inference, self.is_long(), look).await.unwrap_or(false)
    }

    /// What its fields say, and its place among the bodies that the server holds.
    pub async fn parse<T: FromFields + Send + 'static>(self) -> Result<(T, HeldBytes), Error> {
        let is_long = self.is_long();
        let Self { text, held, inference } = self;
        let parse = move || T::from_fields(&Fields::of_body(&text)?);
        Ok((run(&inference, is_long, parse).await?, held))
    }

    fn is_long(&self) -> bool {
        self.text.len() > LONG_BODY_BYTES
    }
}

/// Runs what takes long as texts are tokenized, by so many at a time.
async fn run<T: Send + 'static>(
    inference: &Inference,
    is_long: bool,
    call: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match is_long {
        true => inference.blocking(call).await,
        false => call(),
    }
}

/// The bytes of a body, within the server's limits of size.
async fn received(
    mut body: HttpBody,
    inference: &Inference,
) -> Result<(Vec<u8>, HeldBytes), Error> {
    let settings = &inference.settings;
    let limit = settings.payload_limit;
    // Told at once, to those who ask first with `Expect: 100-continue` without the body.
    if body.size_hint().lower() > limit as u64 {
        return Err(Error::Payload { limit });
    }
    let (mut bytes, mut held) = (vec![], inference.hold());
    while let Some(frame) = body.frame().await {
        // The client broke off: nobody hears this.
        let Ok(data) = frame.map_err(|_| Error::SlowBody)?.into_data() else { continue };
        if data.len() > limit - bytes.len() {
            return Err(Error::Payload { limit });
        }
        let max = settings.max_concurrent_bytes;
        held.add(data.len()).map_err(|()| Error::BusyBytes { max })?;
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, held))
}

/// No limit of a body's size would hold for what comes out of a compressed one.
fn refuse_compressed(headers: &HeaderMap) -> Result<(), Error> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let names = encodings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut names = names.map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase());
    match names.find(|name| !name.is_empty() && name != "identity") {
        Some(encoding) => Err(Error::Compressed { encoding }),
        None => Ok(()),
    }
}

/// The text of a body. A mark of UTF-8 in front is skipped, as RFC 8259 allows.
/// Bytes that are not UTF-8 are never replaced: the vector would be that of another text.
fn decode(mut bytes: Vec<u8>) -> Result<String, Error> {
    if let Some(found) = other_unicode(&bytes) {
        return Err(Error::OtherUnicode { found });
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    mend_surrogates(&mut bytes);
    String::from_utf8(bytes)
        .map_err(|error| Error::NotUtf8 { at: error.utf8_error().valid_up_to() })
}

/// UTF-16 or UTF-32, by its mark or by the zeros around the first character of JSON.
fn other_unicode(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, _, ..] | [_, 0, 0, 0, ..] => {
            Some("UTF-32")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => Some("UTF-16"),
        _ => None,
    }
}

/// Makes U+FFFD of each half of a surrogate pair that stands alone, as Go's JSON
/// does: clients that cut a text between the halves of an emoji write it so, and
/// one such text would have the whole request refused.
fn mend_surrogates(json: &mut [u8]) {
    let mut at = 0;
    while let Some(next) = backslash(json, at) {
        let (unit, following) = (code_unit(json, next), code_unit(json, next + 6));
        at = match (unit, following) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => next + 12,
            (Some(0xd800..=0xdfff), _) => {
                json[next + 2..next + 6].copy_from_slice(b"fffd");
                next + 6
            }
            _ => next + 2,
        };
    }
}

fn backslash(json: &[u8], from: usize) -> Option<usize> {
    let found = json.get(from..)?.iter().position(|byte| *byte == b'\\')?;
    Some(from + found)
}

/// The number of an escape such as `\ud83d` at this place.
fn code_unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..)?.strip_prefix(b"\\u")?.get(..4)?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{decode, mend_surrogates};
    use proptest::prelude::*;

    fn mended(json: &str) -> String {
        let mut bytes = json.as_bytes().to_vec();
        mend_surrogates(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn halves_of_characters_are_replaced_and_pairs_stay() {
        for (json, expected) in [
            (r"\ud83d", r"\ufffd"),
            (r"\uDC00 \ud83d", r"\ufffd \ufffd"),
            (r"\ud83d\ude00", r"\ud83d\ude00"),
            (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
            (r"\ud83d\u0041", r"\ufffd\u0041"),
            (r"\\ud83d", r"\\ud83d"),
            (r"\\\ud83d", r"\\\ufffd"),
            (r"\ud83", r"\ud83"),
            (r"\u+83d \", r"\u+83d \"),
        ] {
            assert_eq!(mended(json), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_a_lenient_reader_of_utf_16_reads(units in prop::collection::vec(
            prop_oneof![any::<u16>(), 0xd700u16..0xe100], 0..12,
        )) {
            let json: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let text: String = serde_json::from_str(&format!("\"{}\"", mended(&json))).unwrap();
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }
    }

    #[test]
    fn only_utf_8_is_text() {
        let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(b"\xef\xbb\xbf{}".to_vec()).unwrap(), "{}");
        for (bytes, words) in [
            (b"\"\xd6\xd0\"".to_vec(), "not UTF-8: its byte 1 "),
            (utf_16("{\"input\":\"a\"}"), "UTF-16"),
            (utf_16("\u{feff}{}"), "UTF-16"),
            (b"{\0\0\0}\0\0\0".to_vec(), "UTF-32"),
        ] {
            let error = decode(bytes).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("UTF-8"), "{error}");
        }
    }
}
