//! Cuts a long text where its tokens are cut anyway, so that it needn't be tokenized at once.
//!
//! `tokenizers` keeps up to 350 bytes per byte of a text while it tokenizes it, and tokenizes
//! all of it even if a limit keeps the first page. Piece by piece, the memory is that of one
//! piece, and the rest is left alone once the limit is reached. The pieces' ids, joined, are
//! exactly those of the whole text.
//!
//! The rules hold for Qwen's pattern only, [`QWEN_PATTERN`]. It has no look-behind, and one
//! look-ahead: `\s+(?!\S)`.

/// The pattern of Qwen's pre-tokenizer, which splits a text into words before merges make
/// tokens of them.
pub const QWEN_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Long texts are tokenized in pieces of this size, one of which takes 20 MB at most while it
/// is tokenized.
const PIECE_BYTES: usize = 1 << 16;

/// Where texts may be cut. By default there is no place that an added token forbids.
#[derive(Debug, Default)]
pub struct Cuts {
    /// The characters of added tokens: a cut between two of them could fall into one.
    of_tokens: Vec<char>,
}

impl Cuts {
    /// Places that leave occurrences of these tokens whole.
    pub fn beside<'t>(tokens: impl Iterator<Item = &'t str>) -> Self {
        let mut of_tokens: Vec<char> = tokens.flat_map(str::chars).collect();
        of_tokens.sort_unstable();
        of_tokens.dedup();
        Self { of_tokens }
    }

    /// Takes the next piece off `text`, from its start; an empty text has none.
    ///
    /// A piece has [`PIECE_BYTES`] or more and is as short as the rules allow.
    pub fn first_piece<'t>(&self, text: &mut &'t str) -> Option<&'t str> {
        self.first_piece_of(text, PIECE_BYTES)
    }

    /// The same from the end of `text`.
    pub fn last_piece<'t>(&self, text: &mut &'t str) -> Option<&'t str> {
        self.last_piece_of(text, PIECE_BYTES)
    }

    fn first_piece_of<'t>(&self, text: &mut &'t str, min_bytes: usize) -> Option<&'t str> {
        let whole = std::mem::take(text);
        let (piece, rest) = whole.split_at(self.first(whole, min_bytes).unwrap_or(whole.len()));
        *text = rest;
        (!piece.is_empty()).then_some(piece)
    }

    fn last_piece_of<'t>(&self, text: &mut &'t str, min_bytes: usize) -> Option<&'t str> {
        let whole = std::mem::take(text);
        let (rest, piece) = whole.split_at(self.last(whole, min_bytes).unwrap_or(0));
        *text = rest;
        (!piece.is_empty()).then_some(piece)
    }

    /// The first place at or after `min_bytes` where `text` may be cut.
    fn first(&self, text: &str, min_bytes: usize) -> Option<usize> {
        let from = text.ceil_char_boundary(min_bytes);
        let mut before = text[..from].chars().next_back();
        let mut chars = text[from..].char_indices().peekable();
        while let Some((offset, char)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            if before.is_some_and(|before| self.allow(before, char, next)) {
                return Some(from + offset);
            }
            before = Some(char);
        }
        None
    }

    /// The last place that leaves `min_bytes` or more behind it and where `text` may be cut,
    /// whatever follows the text.
    pub fn last(&self, text: &str, min_bytes: usize) -> Option<usize> {
        let to = text.floor_char_boundary(text.len().saturating_sub(min_bytes));
        let (mut next, mut char) = {
            let mut after = text[to..].chars();
            (after.clone().nth(1), after.next())
        };
        let mut at = to;
        for before in text[..to].chars().rev() {
            if char.is_some_and(|char| self.allow(before, char, next)) {
                return Some(at);
            }
            (next, char) = (char, Some(before));
            at -= before.len_utf8();
        }
        None
    }

    fn allow(&self, before: char, char: char, next: Option<char>) -> bool {
        let of_token = |char: char| self.of_tokens.binary_search(&char).is_ok();
        // White space that a token follows is the end of a text to the pattern, and its last
        // blank no word.
        let is_last = before.is_whitespace() && next.is_some_and(of_token) && char.is_whitespace();
        may_cut(before, char, next) && !(of_token(before) && of_token(char)) && !is_last
    }
}

/// Whether a word ends between `before` and `char` in every text, and ends there too if
/// nothing follows.
///
/// As the pattern sees the text after NFC, a cut also has to stay clear of characters that
/// could compose across it: `char` is ASCII or [a mark](is_mark), or `before` a line break.
fn may_cut(before: char, char: char, next: Option<char>) -> bool {
    match char {
        // No word goes on from something else to a blank.
        ' ' | '\t' if !before.is_whitespace() => true,
        // The last blank of white space never belongs to those before it: `\s+(?!\S)` gives it
        // back, and after a line break a new word begins.
        ' ' | '\t' => next.is_some_and(|next| !next.is_whitespace()),
        // A digit is always a word of its own. After white space the look-ahead would see the
        // cut.
        '0'..='9' if !before.is_whitespace() => true,
        // No word goes on from a letter to something else than a letter.
        _ if is_mark(char) => is_letter(before),
        // No word goes on from a line break to something else than white space.
        _ => matches!(before, '\r' | '\n') && !char.is_whitespace(),
    }
}

/// Punctuation that composes with nothing, of texts that seldom have blanks.
fn is_mark(char: char) -> bool {
    matches!(
        char,
        ',' | '.'
            | ';'
            | ':'
            | '!'
            | '?'
            | '"'
            | '\''
            | '('
            | ')'
            | '/'
            | '-'
            | '_'
            | '&'
            | '+'
            | '，'
            | '。'
            | '、'
            | '；'
            | '：'
            | '！'
            | '？'
            | '「'
            | '」'
            | '（'
            | '）'
            | '《'
            | '》'
    )
}

/// Some of what the pattern calls a letter, before and after NFC.
fn is_letter(char: char) -> bool {
    let is_cjk = matches!(char, '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}')
        || matches!(char, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}');
    char.is_ascii_alphabetic() || is_cjk
}

/// Whether [`Cuts::beside`] is enough for `token` to be recognised as in the whole text.
pub fn keeps_whole(token: &tokenizers::AddedToken) -> bool {
    let looks_around = token.single_word || token.lstrip || token.rstrip;
    // It is looked for in the text after NFC, whose characters may be others.
    let is_cut = |char: char| char.is_whitespace() || char.is_ascii_digit() || is_mark(char);
    !(looks_around || token.normalized && token.content.chars().any(is_cut))
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

    fn pieces(mut text: &str, min_bytes: usize) -> Vec<&str> {
        let cuts = Cuts::default();
        std::iter::from_fn(|| cuts.first_piece_of(&mut text, min_bytes)).collect()
    }

    fn pieces_from_the_end(mut text: &str, min_bytes: usize) -> Vec<&str> {
        let cuts = Cuts::default();
        let mut pieces: Vec<_> =
            std::iter::from_fn(|| cuts.last_piece_of(&mut text, min_bytes)).collect();
        pieces.reverse();
        pieces
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(pieces(text, 1), expected, "{text:?}");
        assert_eq!(pieces_from_the_end(text, 1), expected, "{text:?}");
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
        check("it's,b", &["it", "'s", ",b"]);
        check("重力。力、a", &["重力", "。力", "、a"]);
        check("重\u{3099}。≠.", &["重\u{3099}。≠."]);
    }

    #[test]
    fn no_cut_falls_between_characters_of_added_tokens() {
        let cuts = Cuts::beside(["a,b", "<1>"].into_iter());
        let mut text = "a,b,c,a1x1";
        let pieces: Vec<_> = std::iter::from_fn(|| cuts.first_piece_of(&mut text, 1)).collect();
        assert_eq!(pieces, ["a,b,c", ",a1x", "1"]);
        let mut text = "x  <1>  y";
        let pieces: Vec<_> = std::iter::from_fn(|| cuts.first_piece_of(&mut text, 1)).collect();
        assert_eq!(pieces, ["x", "  <1>", " ", " y"]);
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
            text in "[ \t\r\n  a-cZ'sétſß0-9²٣!,。;中かカ가≠\u{301}\u{338}\u{323}\u{85}\u{2000}\u{3000}가\u{11a8}]{0,24}",
            min_bytes in 0_usize..6,
        ) {
            for pieces in [pieces(&text, min_bytes), pieces_from_the_end(&text, min_bytes)] {
                prop_assert_eq!(pieces.concat(), text.as_str());
                let of_pieces: Vec<String> = pieces.iter().flat_map(|piece| words(piece)).collect();
                prop_assert_eq!(of_pieces, words(&text));
            }
        }

        #[test]
        fn the_last_cut_holds_whatever_follows(
            start in "[ \t\r\na-c'sé0-9!,。;中\u{301}]{0,12}",
            end in "[ \t\r\na-c'sé0-9!,。;中\u{301}\u{3099}]{0,12}",
        ) {
            let Some(at) = Cuts::default().last(&start, 0) else { return Ok(()) };
            let text = start.clone() + &end;
            let cut = [words(&text[..at]), words(&text[at..])].concat();
            prop_assert_eq!(cut, words(&text));
        }
    }
}
