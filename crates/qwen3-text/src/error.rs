//! Everything that can go wrong between a model folder or a text and its tokens.

use std::path::PathBuf;

/// Why a tokenizer could not be loaded, or a text not be tokenized.
///
/// [`TooLong`](Error::TooLong), [`Unbroken`](Error::Unbroken),
/// [`LimitTooSmall`](Error::LimitTooSmall), [`UnknownId`](Error::UnknownId),
/// [`UnknownPrompt`](Error::UnknownPrompt) and [`SpecialToken`](Error::SpecialToken) are about
/// what was asked for; the others about the files or the program's settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the model folder could not be read.
    #[error("cannot read `{}`; is this the folder of a model?", path.display())]
    Read {
        /// The file that can't be read.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file isn't JSON, or not the JSON that belongs there.
    #[error(
        "cannot understand `{}`; download it again, or check that it belongs to a Qwen3 model",
        path.display()
    )]
    Parse {
        /// The file that isn't understood.
        path: PathBuf,
        /// Where and why parsing stopped.
        #[source]
        source: serde_json::Error,
    },
    /// `tokenizer.json` has a part that Qwen3 models don't use and this crate doesn't
    /// implement.
    #[error("`{}` has the {part} `{found}`, expected {expected}; is it that of a Qwen3 model?", path.display())]
    Unsupported {
        /// The `tokenizer.json`.
        path: PathBuf,
        /// The part of the file.
        part: &'static str,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// A merge of `tokenizer.json` uses or makes a token without an id.
    #[error(
        "`{}` merges `{left}` and `{right}`, but its vocabulary lacks them or the result; was it cut or edited?",
        path.display()
    )]
    UnknownMerge {
        /// The `tokenizer.json`.
        path: PathBuf,
        /// The first token of the merge.
        left: String,
        /// The second token of the merge.
        right: String,
    },
    /// An added token's id isn't the one that follows from the order of the tokens.
    #[error(
        "`{}` gives the added token `{token}` the id {id}, but its position gives another; \
         were tokens removed or sorted?",
        path.display()
    )]
    AddedTokenId {
        /// The `tokenizer.json`.
        path: PathBuf,
        /// The added token's text.
        token: String,
        /// The id that the file gives.
        id: u32,
    },
    /// A token with a role in the prompt isn't in the vocabulary, or isn't one token.
    #[error("`{}` has no single token `{token}`; is it that of a {expected}?", path.display())]
    MissingToken {
        /// The `tokenizer.json`.
        path: PathBuf,
        /// The token's text.
        token: String,
        /// The kind of model whose vocabulary has it.
        expected: &'static str,
    },
    /// A token that texts need has no row in the model's embedding table.
    #[error(
        "`{}` gives the token `{token}` the id {id}, but the model has embeddings for {rows} tokens only; \
         does it belong to this model?",
        path.display()
    )]
    BeyondTable {
        /// The `tokenizer.json`.
        path: PathBuf,
        /// The token that texts need.
        token: String,
        /// The id that the file gives.
        id: u32,
        /// Rows of the table.
        rows: usize,
    },
    /// The `tokenizers` library refuses a part of `tokenizer.json`.
    #[error("`{}` does not describe a tokenizer; download it again", path.display())]
    Build {
        /// The `tokenizer.json`.
        path: PathBuf,
        /// What the library says.
        #[source]
        source: tokenizers::Error,
    },
    /// No prompt has this name.
    #[error("unknown prompt `{name}`; the model has {}", listed(known))]
    UnknownPrompt {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The limit leaves no room for the tokens that every input has.
    #[error("limit of {max_tokens} tokens is too small; allow at least {minimum}")]
    LimitTooSmall {
        /// The limit that was asked for.
        max_tokens: usize,
        /// The smallest limit that works.
        minimum: usize,
    },
    /// The text is longer than the limit, and must not be truncated.
    #[error(
        "text has {found} tokens, more than the limit of {max_tokens}; shorten it, raise the limit or allow truncation"
    )]
    TooLong {
        /// Tokens of the whole input, those of the template included.
        found: usize,
        /// The limit that was asked for.
        max_tokens: usize,
    },
    /// A stretch of the text has no place where it may be cut, and would take too much memory
    /// at once.
    #[error(
        "text has {found} bytes in a row without a place to cut (letters without a blank, digit or mark, or white \
         space alone), more than the {max_bytes} that are tokenized at once; break them up"
    )]
    Unbroken {
        /// Bytes of the stretch.
        found: usize,
        /// The most that is tokenized at once.
        max_bytes: usize,
    },
    /// A token id is outside the vocabulary.
    #[error(
        "token id `{id}` is outside the vocabulary of {vocab_size} tokens; was it made by another tokenizer?"
    )]
    UnknownId {
        /// The id that was given.
        id: u32,
        /// The size of the vocabulary.
        vocab_size: usize,
    },
    /// The text contains a special token, and the policy is to reject it.
    #[error("text contains the special token `{token}`; remove it, or choose `literal` or `strip`")]
    SpecialToken {
        /// The token found first.
        token: String,
    },
    /// No such way of truncation.
    #[error("unknown truncation `{found}`; choose `right`, `left` or `error`")]
    UnknownTruncate {
        /// The word that stands for none.
        found: String,
    },
    /// No such policy for special tokens.
    #[error(
        "unknown policy for special tokens `{found}`; choose `parse`, `literal`, `strip` or `reject`"
    )]
    UnknownSpecialTokens {
        /// The word that stands for none.
        found: String,
    },
    /// The `tokenizers` library fails on a text.
    #[error("the tokenizer failed; please report the text that it failed on")]
    Tokenize {
        /// What the library says.
        #[source]
        source: tokenizers::Error,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
