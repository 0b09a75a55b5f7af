//! Which characters bytes are.

use super::kind::Kind;
use super::read::Unread;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Where zeros tell that a file is no text.
const HEAD_BYTES: usize = 8 << 10;
/// Where browsers look for what a page says of itself.
const META_BYTES: usize = 1024;

/// UTF-16 and UTF-32 with their marks; what a web page says that it is; UTF-8, even with a few bytes
/// that are none; else windows-1252.
pub fn decoded(kind: Kind, bytes: &[u8]) -> Result<String, Unread> {
    let wide = match bytes {
        [0xFF, 0xFE, 0, 0, rest @ ..] => Some(of_utf32(rest, u32::from_le_bytes)),
        [0, 0, 0xFE, 0xFF, rest @ ..] => Some(of_utf32(rest, u32::from_be_bytes)),
        [0xFF, 0xFE, rest @ ..] => Some(of_utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Some(of_utf16(rest, u16::from_be_bytes)),
        _ => None,
    };
    if let Some(text) = wide {
        // Bytes that only begin like such a text have what no text has.
        return text.filter(|text| !text.contains('\0')).ok_or(Unread::Binary);
    }
    if bytes[..bytes.len().min(HEAD_BYTES)].contains(&0) {
        return Err(Unread::Binary);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let named = if kind == Kind::Html { named(bytes) } else { None };
    match (std::str::from_utf8(bytes), named) {
        // Some pages say something else than they are.
        (Ok(text), named) if named.is_none() || !text.is_ascii() => Ok(text.to_owned()),
        (_, named) => {
            let other = if is_mostly_utf8(bytes) { UTF_8 } else { WINDOWS_1252 };
            let encoding = named.unwrap_or(other);
            Ok(encoding.decode_without_bom_handling(bytes).0.into_owned())
        }
    }
}

/// What a `<meta charset>` at the beginning of a page says, or its older form.
fn named(page: &[u8]) -> Option<&'static Encoding> {
    let head = page[..page.len().min(META_BYTES)].to_ascii_lowercase();
    let head = String::from_utf8_lossy(&head);
    let tags = head.split("<meta").skip(1).filter_map(|rest| rest.split('>').next());
    let value = |tag: &str| {
        let (_, value) = tag.split_once("charset")?;
        let value = value.trim_start().strip_prefix('=')?;
        let value = value.trim_start().trim_start_matches(['"', '\'']);
        let end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '/');
        Encoding::for_label(value.split(end).next()?.as_bytes())
    };
    let mut found = tags.filter_map(value);
    // It couldn't be read as ASCII if it were UTF-16.
    found.next().filter(|of| ![UTF_8, UTF_16LE, UTF_16BE].contains(of))
}

/// Whether more characters are written as in UTF-8 than bytes as in something else.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut valid, mut invalid) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        invalid += usize::from(!chunk.invalid().is_empty());
    }
    valid > invalid
}

fn of_utf16(bytes: &[u8], number: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks();
    let numbers: Vec<u16> = pairs.iter().map(|&pair| number(pair)).collect();
    String::from_utf16(&numbers).ok().filter(|_| rest.is_empty())
}

fn of_utf32(bytes: &[u8], number: fn([u8; 4]) -> u32) -> Option<String> {
    let (fours, rest) = bytes.as_chunks();
    let text: Option<String> = fours.iter().map(|&four| char::from_u32(number(four))).collect();
    text.filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        decoded(Kind::Text, bytes).unwrap()
    }

    #[test]
    fn text_comes_in_several_encodings() {
        assert_eq!(text("h\u{e9}".as_bytes()), "hé");
        assert_eq!(text(b"\xEF\xBB\xBFa"), "a");
        assert_eq!(text(b"h\xe9"), "hé");
        assert_eq!(text(b"\xFF\xFEh\0\xe9\0"), "hé");
        assert_eq!(text(b"\xFE\xFF\0h\0\xe9"), "hé");
        assert!(matches!(decoded(Kind::Text, b"\x7fELF\0\0"), Err(Unread::Binary)));
        assert_eq!(text(b""), "");
    }

    #[test]
    fn wide_characters_are_read_or_told() {
        assert_eq!(text(b"\xFF\xFE\0\0h\0\0\0\xe9\0\0\0"), "hé");
        assert_eq!(text(b"\0\0\xFE\xFF\0\0\0h\0\x01\xF3\x5E"), "h\u{1F35E}");
        // Half a pair, half a number, a number that is no character, and zeros.
        for bytes in [
            &b"\xFF\xFEh\0\x3c\xD8"[..],
            b"\xFE\xFF\0h\0",
            b"\xFF\xFE\0\0h\0\0\0\xe9\0",
            b"\0\0\xFE\xFF\0\x11\0\0",
            b"\xFE\xFF\0h\0\0\0i",
        ] {
            assert!(matches!(decoded(Kind::Text, bytes), Err(Unread::Binary)), "{bytes:?}");
        }
    }

    #[test]
    fn a_few_wrong_bytes_leave_the_rest() {
        let german = "Übung: Die Bäckerei.";
        let mixed = [german.as_bytes(), b"Caf\xe9"].concat();
        assert_eq!(text(&mixed), format!("{german}Caf\u{FFFD}"));
        assert_eq!(text(b"\x93caf\xe9\x94 5 \x80"), "\u{201C}café\u{201D} 5 €");
    }

    #[test]
    fn a_page_says_what_it_is() {
        let page = |bytes: &[u8]| decoded(Kind::Html, bytes).unwrap();
        assert!(page(b"<META charset=windows-1251>\xcc\xe8\xf0").ends_with("Мир"));
        let older =
            b"<meta http-equiv='x' content=\"text/html; charset=Shift_JIS\">\x93\xfa\x96\x7b";
        assert!(page(older).ends_with("日本"));
        assert!(page(b"<meta charset=\"iso-2022-jp\">\x1b$BF|K\\\x1b(B").ends_with("日本"));
        assert!(page("<meta charset='latin1'>é".as_bytes()).ends_with('é'), "it is UTF-8");
        for unknown in ["utf-16", "utf-8", "nothing", ""] {
            let bytes = [format!("<meta charset={unknown}>").as_bytes(), b"h\xe9"].concat();
            assert!(page(&bytes).ends_with("hé"), "{unknown}");
        }
    }
}
