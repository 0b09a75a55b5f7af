//! Rust source without the parts that a rule must not look at. They are filled
//! up, byte for byte and line for line, so that offsets and line numbers hold.

/// What literals are filled with: neither a space, which is what comments
/// become, nor part of a word.
const FILLING: u8 = b'.';

/// The code without its comments, and without what is inside of string and
/// character literals.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        // A comment, or a literal with as long a delimiter on either side.
        let (length, delimiter) = match rest {
            [b'/', b'/', ..] => (line_comment(rest), None),
            [b'/', b'*', ..] => (block_comment(rest), None),
            [b'"', ..] => (string(rest), Some(1)),
            [b'\'', ..] => (character(&text[at..]), Some(1)),
            [first, ..] if is_word(*first) => {
                let word = rest.iter().take_while(|byte| is_word(**byte)).count();
                let raw = match &rest[..word] {
                    b"r" | b"br" | b"cr" => raw_string(&rest[word..]),
                    _ => None,
                };
                at += word;
                raw.map_or((0, Some(0)), |(length, delimiter)| (length, Some(delimiter)))
            }
            _ => {
                at += 1;
                continue;
            }
        };
        let kept = delimiter.unwrap_or(0);
        if length > 2 * kept {
            let filling = delimiter.map_or(b' ', |_| FILLING);
            fill(&mut code[at + kept..at + length - kept], filling);
        }
        at += length;
    }
    String::from_utf8(code).expect("only whole characters were replaced")
}

/// `code` without the items under `#[cfg(test)]` and `#[cfg(all(test, …))]`.
pub fn without_tests(code: &str) -> String {
    let mut shipped = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(at) = next_test_item(&code[from..]).map(|at| from + at) {
        let end = at + item(&code.as_bytes()[at..]);
        fill(&mut shipped[at..end], b' ');
        from = end;
    }
    String::from_utf8(shipped).expect("items begin and end with ASCII characters")
}

/// Identifiers and keywords with their offsets.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.split(|c: char| !c.is_ascii() || !is_word(c as u8))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn fill(bytes: &mut [u8], filling: u8) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = filling);
}

fn line_comment(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

/// Block comments nest.
fn block_comment(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// The length of `"…"` or `#"…"#`, with any number of `#`, and that of its
/// delimiters, if it is one.
fn raw_string(bytes: &[u8]) -> Option<(usize, usize)> {
    let hashes = bytes.iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(hashes) != Some(&b'"') {
        return None;
    }
    let delimiter = hashes + 1;
    let end = [b"\"", &vec![b'#'; hashes][..]].concat();
    let inside = bytes[delimiter..].windows(delimiter).position(|window| window == end);
    Some((inside.map_or(bytes.len(), |inside| inside + 2 * delimiter), delimiter))
}

/// The length of a character literal, or of the quote that begins a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let after = at + escaped.len_utf8();
            text[after..].find('\'').map_or(1, |end| after + end + 1)
        }
        (Some((_, character)), Some((at, '\''))) if character != '\'' => at + 1,
        _ => 1,
    }
}

fn next_test_item(code: &str) -> Option<usize> {
    ["#[cfg(test)]", "#[cfg(all(test,"].iter().filter_map(|start| code.find(start)).min()
}

/// The length of an item with its attributes: up to a `;` or the end of a block
/// outside of all brackets. Ends early where the item is the last of a list.
pub fn item(bytes: &[u8]) -> usize {
    let mut depth = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return at,
            b')' | b']' => depth -= 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}
