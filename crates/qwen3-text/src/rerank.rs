//! Tokens for Qwen3-Reranker: the chat template around instruction, query and document.

use crate::tokenizer::{TextTokenizer, ids};
use crate::tokenizer_json::{TokenizerJson, read};
use crate::{Error, Limit, Prefix, SpecialTokens, Tokens, Truncate};
use std::path::Path;

// The template is that of the Transformers example in github.com/QwenLM/Qwen3-Embedding. The
// vLLM example there joins the three fields with two line breaks (issue 146), and its scores
// differ.
const PREFIX: &str = "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";
const SUFFIX: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

/// Makes tokens of query and document for a reranker.
///
/// The model is asked whether the document answers the query; its score compares two of the
/// logits that follow the last token, [`yes_token_id`](Self::yes_token_id) and
/// [`no_token_id`](Self::no_token_id). Nothing is appended to the template.
#[derive(Debug)]
pub struct RerankTokenizer {
    text: TextTokenizer,
    prefix_ids: Vec<u32>,
    suffix_ids: Vec<u32>,
    yes_token_id: u32,
    no_token_id: u32,
}

impl RerankTokenizer {
    /// Reads `tokenizer.json`.
    pub fn from_folder(folder: &Path, special: SpecialTokens) -> Result<Self, Error> {
        let path = folder.join("tokenizer.json");
        Self::from_json(&read(&path)?, &path, special)
    }

    /// The same from the file's content; `path` is for messages.
    pub fn from_json(json: &[u8], path: &Path, special: SpecialTokens) -> Result<Self, Error> {
        let json = TokenizerJson::from_json(json, path)?;
        // The template's own control tokens are always parsed, whatever the policy for the
        // user's text.
        let prefix_ids = ids(&json.tokenizer, PREFIX)?;
        let suffix_ids = ids(&json.tokenizer, SUFFIX)?;
        let [yes_token_id, no_token_id] = [single_token(&json, "yes")?, single_token(&json, "no")?];
        let text = TextTokenizer::new(json, special);
        Ok(Self { text, prefix_ids, suffix_ids, yes_token_id, no_token_id })
    }

    /// The same for a model whose embedding table has `rows` rows; see
    /// [`EmbeddingTokenizer::within`](crate::EmbeddingTokenizer::within).
    ///
    /// # Errors
    /// If a token of the template or one that isn't added is beyond the table.
    pub fn within(self, rows: usize) -> Result<Self, Error> {
        let template = [&self.prefix_ids[..], &self.suffix_ids].concat();
        Ok(Self { text: self.text.within(rows, &template)?, ..self })
    }

    /// The tokens of the question whether `document` answers `query` in the sense of
    /// `instruction`.
    ///
    /// Instruction, query and document are one string, in this order, between the template's
    /// prefix and suffix, and the string alone is truncated:
    /// [`Truncate::Right`](crate::Truncate::Right) drops the document's end, and
    /// [`Truncate::Left`](crate::Truncate::Left) the instruction first, which is seldom
    /// wanted. The policy for special tokens holds for each of the three.
    pub fn tokenize(
        &self,
        instruction: &str,
        query: &str,
        document: &str,
        limit: Limit,
    ) -> Result<Tokens, Error> {
        let prefix = self.instruction_prefix(instruction, limit)?;
        self.tokenize_after(&self.query_prefix(&prefix, query, limit)?, document, limit)
    }

    /// An instruction for any number of queries with this limit, for [`Self::query_prefix`].
    pub fn instruction_prefix(&self, instruction: &str, limit: Limit) -> Result<Prefix, Error> {
        let instruction = self.text.apply_policy(instruction)?;
        let text = format!("<Instruct>: {instruction}\n<Query>:");
        self.text.prefix(&Prefix::default(), &text, limit, self.reserved_tokens(limit)?)
    }

    /// A query for any number of documents, for [`Self::tokenize_after`].
    pub fn query_prefix(
        &self,
        instruction: &Prefix,
        query: &str,
        limit: Limit,
    ) -> Result<Prefix, Error> {
        let query = self.text.apply_policy(query)?;
        let text = format!(" {query}\n<Document>:");
        let text = instruction.with(&text);
        self.text.prefix(instruction, &text, limit, self.reserved_tokens(limit)?)
    }

    /// As [`Self::tokenize`] with the instruction and the query that `prefix` is of. The limit
    /// may be another than that of the prefix, but not wider, and has to drop the same side.
    pub fn tokenize_after(
        &self,
        prefix: &Prefix,
        document: &str,
        limit: Limit,
    ) -> Result<Tokens, Error> {
        let reserved_tokens = self.reserved_tokens(limit)?;
        let document = self.text.apply_policy(document)?;
        let text = format!("{} {document}", prefix.with(""));
        let Tokens { input_ids, truncated } =
            self.text.tokenize(prefix, &text, limit, reserved_tokens)?;
        let input_ids = [&self.prefix_ids, &input_ids, &self.suffix_ids]
            .into_iter()
            .flatten()
            .copied()
            .collect();
        Ok(Tokens { input_ids, truncated })
    }

    /// The tokens of texts one after the other, without the template: what nobody should
    /// score, but some published numbers are of.
    pub fn tokenize_plain(&self, texts: &[&str]) -> Result<Vec<u32>, Error> {
        let limit = Limit { max_tokens: usize::MAX, truncate: Truncate::Error };
        let before = Prefix::default();
        let ids =
            texts.iter().map(|text| Ok(self.text.tokenize(&before, text, limit, 0)?.input_ids));
        Ok(ids.collect::<Result<Vec<_>, Error>>()?.concat())
    }

    /// The added tokens that [`Self::within`] found beyond the table.
    pub fn tokens_without_row(&self) -> &[String] {
        self.text.without_row()
    }

    /// The id of `yes`, in lower case.
    pub fn yes_token_id(&self) -> u32 {
        self.yes_token_id
    }

    /// The id of `no`, in lower case.
    pub fn no_token_id(&self) -> u32 {
        self.no_token_id
    }

    pub(crate) fn text(&self) -> &TextTokenizer {
        &self.text
    }

    fn reserved_tokens(&self, limit: Limit) -> Result<usize, Error> {
        let minimum = self.overhead_tokens() + 1;
        match limit.max_tokens < minimum {
            true => Err(Error::LimitTooSmall { max_tokens: limit.max_tokens, minimum }),
            false => Ok(self.overhead_tokens()),
        }
    }

    /// Tokens of the template before and after instruction, query and document; a limit has to
    /// be larger.
    pub fn overhead_tokens(&self) -> usize {
        self.prefix_ids.len() + self.suffix_ids.len()
    }
}

fn single_token(json: &TokenizerJson, token: &str) -> Result<u32, Error> {
    match ids(&json.tokenizer, token)?[..] {
        [id] => Ok(id),
        _ => Err(Error::MissingToken {
            path: json.path.clone(),
            token: token.to_owned(),
            expected: "Qwen3 reranker",
        }),
    }
}
