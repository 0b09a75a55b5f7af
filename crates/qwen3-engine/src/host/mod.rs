//! What a model needs on the host: tokens before the network, heads after it.

mod embedding;
mod rerank;

pub use embedding::EmbedderHost;
pub use rerank::RerankerHost;

use crate::error::{Error, OptionName};
use crate::files::Checkpoint;
use qwen3_text::{Limit, Prompts};

/// The model's prompts, where they are written down.
const PROMPTS: &str = "config_sentence_transformers.json";

/// How long an input may be.
struct Limits {
    /// As the model was loaded.
    usual: Limit,
    /// What the model takes.
    max_positions: usize,
}

impl Limits {
    /// The limit of a call that asks for these tokens.
    fn of_call(&self, asked: Option<usize>) -> Result<Limit, Error> {
        let max_tokens = max_tokens(asked, self.usual.max_tokens, self.max_positions)?;
        Ok(Limit { max_tokens, ..self.usual })
    }
}

/// The prompts that the model's files have, where they have the file for it.
fn prompts(checkpoint: &Checkpoint) -> Result<Option<Prompts>, Error> {
    let json = checkpoint.file(PROMPTS)?;
    Ok(json.map(|json| Prompts::from_json(&json, &checkpoint.path_of(PROMPTS))).transpose()?)
}

/// The limit asked for, checked against what the model takes.
fn max_tokens(asked: Option<usize>, usual: usize, max: usize) -> Result<usize, Error> {
    match asked {
        None => Ok(usual.min(max)),
        Some(value) if (1..=max).contains(&value) => Ok(value),
        Some(value) => {
            let range = format!("this model takes 1 to {max}");
            Err(Error::Option { option: OptionName::MaxTokens, value, range })
        }
    }
}
