//! What reaches a terminal. Files, drivers and hubs are not trusted: nothing of
//! them may move its cursor, change its colours or turn the order of letters.

/// Whether a terminal obeys it instead of showing it: C0 and C1 controls, and
/// those that change the direction of text.
pub fn is_control(c: char) -> bool {
    let is_direction = matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // Line and paragraph separators end a line in some of them.
    c.is_control() || is_direction || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Text with its controls spelled out, in one line.
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        match is_control(c) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
        line
    })
}

/// The same for JSON, whose strings may hold them raw from U+007F on.
pub fn escaped_json(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut text, c| {
        match c != '\n' && is_control(c) {
            true => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => text.push(c),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_is_left() {
        assert_eq!(escaped("a\u{1b}]0;x\u{7}\r\nb"), r"a\u{1b}]0;x\u{7}\r\nb");
        assert_eq!(escaped("\u{9b}31m \u{202e}abc\u{2066}"), r"\u{9b}31m \u{202e}abc\u{2066}");
        assert_eq!(escaped("引力 – é"), "引力 – é");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({"a": "\u{1b}\u{9b}\u{202e}\u{7f}\n"});
        let text = escaped_json(&format!("{value:#}\n"));
        assert!(!text.chars().any(|c| c != '\n' && is_control(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
