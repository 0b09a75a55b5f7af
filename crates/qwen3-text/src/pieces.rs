//! Cuts a long text where its tokens are cut anyway, so that it needn't be encoded at once.
//!
//! `tokenizers` keeps up to 350 bytes per byte of a text while it encodes it, and encodes all of it even if a limit
//! keeps the first page. Piece by piece, the memory is that of one piece, and the rest is left alone once the limit is
//! reached. The pieces' ids, joined, are exactly those of the whole text.
//!
//! The rules hold for Qwen's pattern only, [`QWEN_PATTERN`]. It has no look-behind, and one look-ahead: `\s+(?!\S)`.

/// The pattern of Qwen's pre-tokenizer, which splits a text into words before merges make tokens of them.
pub(crate) const QWEN_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Splits `text` into pieces of `min_bytes` or more, each as short as the rules allow; an empty text has none.
///
/// `min_bytes` has to be below a million: `fancy-regex`, which runs the pattern, gives up on a million white-space
/// characters in a row (`MAX_STACK` in its `vm.rs`), and `tokenizers` then takes the whole rest of the text for one
/// word. A run that long always reaches the end of its piece, where that is right.
pub(crate) fn pieces(text: &str, min_bytes: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = first_cut(rest, min_bytes) {
        let (piece, after) = rest.split_at(at);
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// The first place at or after `min_bytes` where `text` may be cut.
fn first_cut(text: &str, min_bytes: usize) -> Option<usize> {
    let from = text.ceil_char_boundary(min_bytes);
    let mut before = text[..from].chars().next_back();
    let mut chars = text[from..].char_indices().peekable();
    while let Some((offset, char)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        if before.is_some_and(|before| may_cut(before, char, next)) {
            return Some(from + offset);
        }
        before = Some(char);
    }
    None
}

/// Whether a word ends between `before` and `char` in every text, and ends there too if nothing follows.
///
/// As the pattern sees the text after NFC, a cut also has to stay clear of characters that could compose across it:
/// `char` is ASCII, or `before` a line break.
fn may_cut(before: char, char: char, next: Option<char>) -> bool {
    match char {
        // No word goes on from something else to a blank.
        ' ' | '\t' if !before.is_whitespace() => true,
        // The last blank of white space never belongs to those before it: `\s+(?!\S)` gives it back, and after a line
        // break a new word begins.
        ' ' | '\t' => next.is_some_and(|next| !next.is_whitespace()),
        // A digit is always a word of its own. After white space the look-ahead would see the cut.
        '0'..='9' if !before.is_whitespace() => true,
        // No word goes on from a line break to something else than white space.
        _ => matches!(before, '\r' | '\n') && !char.is_whitespace(),
    }
}

/// Whether no cut can fall into `token`, or change whether it is recognised.
pub(crate) fn keeps_whole(token: &tokenizers::AddedToken) -> bool {
    let looks_around = token.single_word || token.lstrip || token.rstrip;
    !looks_around
        && !token.content.chars().any(|char| char.is_whitespace() || char.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;
    use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
    use tokenizers::{
        NormalizedString, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
        SplitDelimiterBehavior,
    };

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(pieces(text, 1), expected, "{text:?}");
    }

    #[test]
    fn cuts_are_where_words_end() {
        check("", &[]);
        check("abc", &["abc"]);
        check("ab cd", &["ab", " cd"]);
        check("ab   cd", &["ab", "  ", " cd"]);
        check("ab \n  cd\n", &["ab", " \n ", " cd\n"]);
        check("a\n\nb", &["a\n\n", "b"]);
        check("a12", &["a", "1", "2"]);
        check("a  1", &["a", " ", " 1"]);
        check("a\u{2003}1", &["a\u{2003}1"]);
        check("é \u{301}x", &["é", " \u{301}x"]);
    }

    /// The words of `text`, normalized and cut by the pattern.
    fn words(text: &str) -> Vec<String> {
        static PATTERN: LazyLock<Split> = LazyLock::new(|| {
            let pattern = SplitPattern::Regex(QWEN_PATTERN.to_owned());
            Split::new(pattern, SplitDelimiterBehavior::Isolated, false).unwrap()
        });
        let mut normalized = NormalizedString::from(text);
        normalized.nfc();
        let mut words = PreTokenizedString::from(normalized.get());
        PATTERN.pre_tokenize(&mut words).unwrap();
        let words = words.get_splits(OffsetReferential::Original, OffsetType::Byte);
        words.into_iter().map(|(word, _, _)| word.to_owned()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn words_of_the_pieces_are_words_of_the_text(
            text in "[ \t\r\n  a-cZ'sétß0-9²٣!,。;中≠\u{301}\u{338}\u{323}\u{85}\u{2000}\u{3000}가\u{11a8}]{0,24}",
            min_bytes in 0_usize..6,
        ) {
            let pieces = pieces(&text, min_bytes);
            prop_assert_eq!(pieces.concat(), text.as_str());
            let of_pieces: Vec<String> = pieces.iter().flat_map(|piece| words(piece)).collect();
            prop_assert_eq!(of_pieces, words(&text));
        }
    }
}
