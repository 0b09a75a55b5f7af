//! Tokens to look at: with their texts and places, and back to text.

use crate::tokenizer::{TextTokenizer, check_bytes};
use crate::{EmbeddingTokenizer, Error, RerankTokenizer};
use std::ops::Range;
use tokenizers::Decoder;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

/// Tokens that are decoded together at least, where there are more.
const STRETCH_TOKENS: usize = 4096;

/// A token and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id in the vocabulary.
    pub id: u32,
    /// The part of the text that it stands for; for one that was appended, its name.
    pub text: String,
    /// Whether it is marked `special` in `tokenizer.json`.
    pub special: bool,
    /// Its bytes in the text; `None`: it was appended.
    pub bytes: Option<Range<usize>>,
}

impl EmbeddingTokenizer {
    /// The tokens of a text with their places; with `end_token` followed by the end token.
    /// Nothing is cut.
    pub fn tokens(&self, text: &str, end_token: bool) -> Result<Vec<Token>, Error> {
        let mut tokens = self.text().tokens(text)?;
        tokens.extend(end_token.then(|| self.end_token()));
        Ok(tokens)
    }

    /// Some of these tokens, from the byte `from` of the text, and the byte from which there
    /// may be more: a long text has more than memory should hold at once. One begins with 0.
    pub fn next_tokens(&self, text: &str, from: usize) -> Result<(Vec<Token>, usize), Error> {
        self.text().next_tokens(text, from)
    }

    /// The end token as it is appended.
    pub fn end_token(&self) -> Token {
        self.text().appended(self.eos_token_id())
    }

    /// The text of tokens, without those marked `special` if they are to be skipped. Bytes
    /// that are no UTF-8 become `\u{FFFD}`.
    ///
    /// # Errors
    /// If an id is outside of the vocabulary.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, Error> {
        self.text().decode(ids, skip_special)
    }
}

impl RerankTokenizer {
    /// The tokens of a text with their places, without the template. Nothing is cut.
    pub fn tokens(&self, text: &str) -> Result<Vec<Token>, Error> {
        self.text().tokens(text)
    }

    /// As [`EmbeddingTokenizer::next_tokens`].
    pub fn next_tokens(&self, text: &str, from: usize) -> Result<(Vec<Token>, usize), Error> {
        self.text().next_tokens(text, from)
    }

    /// As [`EmbeddingTokenizer::decode`].
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, Error> {
        self.text().decode(ids, skip_special)
    }
}

impl TextTokenizer {
    fn tokens(&self, text: &str) -> Result<Vec<Token>, Error> {
        let (mut tokens, mut from) = (vec![], 0);
        while from < text.len() {
            let (part, next) = self.next_tokens(text, from)?;
            tokens.extend(part);
            from = next;
        }
        Ok(tokens)
    }

    fn next_tokens(&self, text: &str, from: usize) -> Result<(Vec<Token>, usize), Error> {
        let mut rest = &text[from..];
        let Some(piece) = self.first_piece(&mut rest) else { return Ok((vec![], from)) };
        check_bytes(piece)?;
        let encoding = self.tokenizer.encode(piece, false);
        let encoding = encoding.map_err(|source| Error::Tokenize { source })?;
        let places = encoding.get_ids().iter().zip(encoding.get_offsets());
        let tokens = places.map(|(&id, &(start, end))| Token {
            id,
            // A token may be a part of a character.
            text: String::from_utf8_lossy(&piece.as_bytes()[start..end]).into_owned(),
            special: self.is_special(id),
            bytes: Some(from + start..from + end),
        });
        Ok((tokens.collect(), from + piece.len()))
    }

    fn appended(&self, id: u32) -> Token {
        let text = self.added_by_id.get(&id).map(|token| token.content.clone()).unwrap_or_default();
        Token { id, text, special: self.is_special(id), bytes: None }
    }

    fn is_special(&self, id: u32) -> bool {
        self.added_by_id.get(&id).is_some_and(|token| token.special)
    }

    fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, Error> {
        let mut text = String::new();
        // A character may be spread over tokens, so stretches of them are decoded together.
        let mut stretch = vec![];
        for &id in ids {
            match self.added_by_id.get(&id) {
                Some(token) if token.special && skip_special => {}
                Some(token) => {
                    text += &joined(std::mem::take(&mut stretch))?;
                    text += &token.content;
                }
                None => {
                    let vocab_size = self.vocab_size();
                    let token = self.tokenizer.id_to_token(id);
                    let token = token.ok_or(Error::UnknownId { id, vocab_size })?;
                    if stretch.len() >= STRETCH_TOKENS && begins_a_character(&token) {
                        text += &joined(std::mem::take(&mut stretch))?;
                    }
                    stretch.push(token);
                }
            }
        }
        text += &joined(stretch)?;
        Ok(text)
    }
}

/// Whether the bytes before `token` can't be a part of its first character: ASCII, or a blank
/// in the byte-level alphabet.
fn begins_a_character(token: &str) -> bool {
    token.starts_with(|char: char| char.is_ascii() || char == 'Ġ')
}

/// The text of tokens that are spelled in the byte-level alphabet.
fn joined(tokens: Vec<String>) -> Result<String, Error> {
    if tokens.is_empty() {
        return Ok(String::new());
    }
    let decoded = ByteLevel::default().decode_chain(tokens);
    Ok(decoded.map_err(|source| Error::Tokenize { source })?.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpecialTokens;

    fn tokenizer() -> EmbeddingTokenizer {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tiny-embedding");
        EmbeddingTokenizer::from_folder(folder.as_ref(), SpecialTokens::Parse).unwrap()
    }

    #[test]
    fn tokens_stand_for_the_bytes_of_the_text() {
        let text = "Gravity é 重 <|im_end|> 1";
        let tokens = tokenizer().tokens(text, true).unwrap();
        let (end, tokens) = tokens.split_last().unwrap();
        assert_eq!((end.text.as_str(), end.special, &end.bytes), ("<|endoftext|>", true, &None));
        assert!(tokens.iter().any(|token| token.text == "<|im_end|>" && token.special));
        for token in tokens {
            let bytes = &text.as_bytes()[token.bytes.clone().unwrap()];
            assert_eq!(String::from_utf8_lossy(bytes), token.text);
        }
        assert!(tokenizer().tokens("", false).unwrap().is_empty());
    }

    #[test]
    fn decoding_gives_the_text_back() {
        let tokenizer = tokenizer();
        let text = "Gravity é 重力 <|im_end|> <think>\n 1";
        let ids: Vec<u32> =
            tokenizer.tokens(text, true).unwrap().iter().map(|token| token.id).collect();
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), format!("{text}<|endoftext|>"));
        // `<think>` is an added token, but none that is marked special.
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), "Gravity é 重力  <think>\n 1");
        let long = text.repeat(2_000);
        let ids: Vec<u32> =
            tokenizer.tokens(&long, false).unwrap().iter().map(|token| token.id).collect();
        assert!(ids.len() > 2 * STRETCH_TOKENS && tokenizer.decode(&ids, false).unwrap() == long);
        let error = tokenizer.decode(&[0, 99_999], true).unwrap_err();
        assert!(error.to_string().starts_with("token id `99999` is outside"), "{error}");
    }
}
