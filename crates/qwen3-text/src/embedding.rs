//! Tokens for Qwen3-Embedding: prompt, text, end token.

use crate::limit::truncated;
use crate::tokenizer::TextTokenizer;
use crate::tokenizer_json::{TokenizerJson, read};
use crate::{Error, Limit, Prefix, SpecialTokens, Tokens};
use std::path::Path;

/// The token whose hidden state is the embedding, by the name it has in files that don't
/// append it themselves.
const END_TOKEN: &str = "<|endoftext|>";

/// Makes tokens of texts for an embedding model.
///
/// Every input ends with the end token, whose hidden state becomes the vector: it is never cut
/// off, and never added twice. It is the token that the post-processor of `tokenizer.json`
/// appends; the first files that were published have none, and `<|endoftext|>` is taken.
#[derive(Debug)]
pub struct EmbeddingTokenizer {
    text: TextTokenizer,
    eos_token_id: u32,
}

impl EmbeddingTokenizer {
    /// Reads `tokenizer.json`.
    pub fn from_folder(folder: &Path, special: SpecialTokens) -> Result<Self, Error> {
        let path = folder.join("tokenizer.json");
        Self::from_json(&read(&path)?, &path, special)
    }

    /// The same from the file's content; `path` is for messages.
    pub fn from_json(json: &[u8], path: &Path, special: SpecialTokens) -> Result<Self, Error> {
        let json = TokenizerJson::from_json(json, path)?;
        let eos_token_id = eos_token_id(&json)?;
        Ok(Self { text: TextTokenizer::new(json, special), eos_token_id })
    }

    /// The same for a model whose embedding table has `rows` rows: no text gives an id beyond
    /// them. An added token that is beyond is text like any other.
    ///
    /// # Errors
    /// If the end token or one that isn't added is beyond the table.
    pub fn within(self, rows: usize) -> Result<Self, Error> {
        let eos_token_id = self.eos_token_id;
        Ok(Self { text: self.text.within(rows, &[eos_token_id])?, eos_token_id })
    }

    /// The tokens of `prompt` and `text`, put together without a space, and the end token.
    ///
    /// Both are tokenized as one string, as the references do, and the policy for special
    /// tokens holds for both. [`Truncate::Left`](crate::Truncate::Left) therefore drops the
    /// prompt first.
    pub fn tokenize(&self, prompt: &str, text: &str, limit: Limit) -> Result<Tokens, Error> {
        self.tokenize_after(&self.prefix(prompt, limit)?, text, limit)
    }

    /// A prompt for any number of texts with this limit, for [`Self::tokenize_after`].
    pub fn prefix(&self, prompt: &str, limit: Limit) -> Result<Prefix, Error> {
        self.check(limit)?;
        let prompt = self.text.apply_policy(prompt)?;
        self.text.prefix(&Prefix::default(), &prompt, limit, 1)
    }

    /// As [`Self::tokenize`] with the prompt that `prefix` is of.
    pub fn tokenize_after(
        &self,
        prefix: &Prefix,
        text: &str,
        limit: Limit,
    ) -> Result<Tokens, Error> {
        self.check(limit)?;
        let text = prefix.with(text);
        let text = self.text.apply_policy(&text)?;
        Ok(self.ended(self.text.tokenize(prefix, &text, limit, 1)?))
    }

    /// The tokens of an input that somebody else has tokenized: the end token is appended
    /// unless it is the last already.
    ///
    /// The policy for special tokens is about text; ids may be any of the vocabulary. No ids
    /// at all are an empty text.
    pub fn tokens_of_ids(&self, ids: &[u32], limit: Limit) -> Result<Tokens, Error> {
        self.check(limit)?;
        let vocab_size = self.vocab_size();
        if let Some(&id) = ids.iter().find(|id| **id as usize >= vocab_size) {
            return Err(Error::UnknownId { id, vocab_size });
        }
        let ids = ids.strip_suffix(&[self.eos_token_id]).unwrap_or(ids);
        Ok(self.ended(truncated(ids.to_vec(), limit, 1)?))
    }

    /// The added tokens that [`Self::within`] found beyond the table.
    pub fn tokens_without_row(&self) -> &[String] {
        self.text.without_row()
    }

    /// The id of the end token.
    pub fn eos_token_id(&self) -> u32 {
        self.eos_token_id
    }

    /// The highest id and one; the model's `embed_tokens` may have more rows.
    pub fn vocab_size(&self) -> usize {
        self.text.vocab_size()
    }

    pub(crate) fn text(&self) -> &TextTokenizer {
        &self.text
    }

    fn check(&self, limit: Limit) -> Result<(), Error> {
        match limit.max_tokens {
            0 => Err(Error::LimitTooSmall { max_tokens: 0, minimum: 1 }),
            _ => Ok(()),
        }
    }

    fn ended(&self, mut tokens: Tokens) -> Tokens {
        tokens.input_ids.push(self.eos_token_id);
        tokens
    }
}

fn eos_token_id(json: &TokenizerJson) -> Result<u32, Error> {
    let missing = |token: String| Error::MissingToken {
        path: json.path.clone(),
        token,
        expected: "Qwen3 embedding model",
    };
    match json.appended_ids[..] {
        [] => json.tokenizer.token_to_id(END_TOKEN).ok_or_else(|| missing(END_TOKEN.to_owned())),
        [id] if (id as usize) < json.vocab_size => Ok(id),
        [id] => Err(missing(id.to_string())),
        _ => Err(Error::Unsupported {
            path: json.path.clone(),
            part: "post_processor",
            found: format!("template with {} tokens after the text", json.appended_ids.len()),
            expected: "one token or none",
        }),
    }
}
