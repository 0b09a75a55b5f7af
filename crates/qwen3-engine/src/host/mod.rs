//! What a model needs on the host: tokens before the network, heads after it.

mod embedding;
mod rerank;

pub use embedding::EmbedderHost;
pub use rerank::RerankerHost;

use crate::error::{Error, OptionName};

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
