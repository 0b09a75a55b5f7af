//! What training reads of a checkpoint beyond what everybody may.

use super::Checkpoint;
use crate::choices::Kind;
use crate::error::Error;
use qwen3::Weights;
use qwen3_autodiff::Head;
use qwen3_text::SpecialTokens;
use std::borrow::Cow;

/// Files of a tokenizer that other programs read beside `tokenizer.json`.
const OF_TOKENIZERS: [&str; 5] = [
    "added_tokens.json",
    "chat_template.jinja",
    "merges.txt",
    "special_tokens_map.json",
    "vocab.json",
];

/// What the model's user called it.
pub fn name(checkpoint: &Checkpoint) -> &str {
    &checkpoint.model
}

/// Its weights, mapped into memory.
pub fn weights(checkpoint: &Checkpoint) -> &Weights {
    &checkpoint.weights
}

/// A file's name and content.
pub type NamedFile<'a> = (String, Cow<'a, [u8]>);

/// The files beside the weights that are there, by their names in a folder.
///
/// # Errors
/// If one can't be read.
pub fn side_files(checkpoint: &Checkpoint) -> Result<Vec<NamedFile<'_>>, Error> {
    let names = checkpoint.side_files().into_iter().chain(OF_TOKENIZERS.map(str::to_owned));
    let files = names.filter_map(|name| match checkpoint.file(&name) {
        Ok(content) => content.map(|content| Ok((name, content))),
        Err(error) => Some(Err(error)),
    });
    files.collect()
}

/// What follows the network of this model.
///
/// # Errors
/// If a reranker's tokenizer can't be read, or knows neither of the words.
pub fn head(checkpoint: &Checkpoint) -> Result<Head, Error> {
    Ok(match checkpoint.kind {
        Kind::Embedding => Head::Embedding,
        Kind::SequenceClassification => Head::SequenceClassification,
        Kind::Reranker => {
            let (_, yes, no) = checkpoint.rerank_tokenizer(SpecialTokens::Literal)?;
            Head::YesNo { yes, no }
        }
    })
}
