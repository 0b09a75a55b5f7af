//! A look over JSON before anything is made of it. Values take up to 32 bytes
//! each where they are read, whatever they take in the body, and a list of texts
//! beyond the limit needn't be read at all.

use crate::error::Error;
use crate::settings::Settings;

/// Bytes of a body that allow one value.
const BYTES_PER_VALUE: usize = 8;

/// Whether a body has no more parts than a request may have. What isn't JSON is
/// left to the parser.
pub fn check(json: &[u8], settings: &Settings) -> Result<(), Error> {
    let max_values = settings.payload_limit / BYTES_PER_VALUE;
    let (values, texts) = survey(json, max_values);
    let max = settings.max_client_batch_size;
    match () {
        () if texts > max => Err(Error::BatchSize { found: texts, max }),
        () if values > max_values => Err(Error::Values { max: max_values }),
        () => Ok(()),
    }
}

/// How many values there are, at most one more than `max`, and how many of them,
/// numbers apart, stand in the longest list.
fn survey(json: &[u8], max: usize) -> (usize, usize) {
    let (mut values, mut longest) = (0, 0);
    // Elements so far of each list that is open; objects have none.
    let mut open: Vec<Option<usize>> = vec![];
    let mut bytes = json.iter();
    let mut begins = true;
    while values <= max
        && let Some(byte) = bytes.next()
    {
        if begins
            && matches!(byte, b'"' | b'[' | b'{')
            && let Some(Some(elements)) = open.last_mut()
        {
            *elements += 1;
            longest = longest.max(*elements);
        }
        begins &= byte.is_ascii_whitespace();
        match byte {
            b'"' => skip_string(&mut bytes),
            b',' => (values, begins) = (values + 1, true),
            b'[' | b'{' => {
                (values, begins) = (values + 1, true);
                open.push((*byte == b'[').then_some(0));
            }
            b']' | b'}' => drop(open.pop()),
            _ => {}
        }
    }
    (values, longest)
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_the_longest_list_of_texts_are_counted() {
        let check =
            |json: &str, expected| assert_eq!(survey(json.as_bytes(), 1000), expected, "{json}");
        check("", (0, 0));
        check(r#"{"inputs": "a"}"#, (1, 0));
        check(r#"{"inputs": ["a", "b\"],[", [1, 2, 3]], "x": [ {"a": 1, "b": 2} ]}"#, (11, 3));
        check(r#"["a", 1, "b", [], ["c", "d"]]"#, (8, 4));
        check(&"[".repeat(999), (999, 1));
        check(&"[".repeat(9999), (1001, 1));
        check(r#"["a\\", "b"#, (2, 2));
    }
}
