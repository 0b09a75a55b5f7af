//! A GGUF file as a model: its weights, and the files of a checkpoint that its metadata says.

use super::folder::{CONFIG, kind_called, names};
use crate::choices::Kind;
use crate::error::Error;
use qwen3::Weights;
use qwen3_gguf::{Description, GgufFile, Purpose, tokenizer_json};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// With what every such file begins.
const MAGIC: &[u8] = b"GGUF";

/// What stands for the files of a folder.
#[derive(Debug)]
pub struct Gguf {
    config: Vec<u8>,
    tokenizer: Vec<u8>,
    /// `None`: the file doesn't say.
    pub kind: Option<Kind>,
}

/// Whether a file begins as GGUF files do, whatever its name.
pub fn is_gguf(path: &Path) -> bool {
    let mut head = [0; MAGIC.len()];
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    is_file
        && File::open(path)
            .is_ok_and(|mut file| file.read_exact(&mut head).is_ok() && head == MAGIC)
}

impl Gguf {
    /// Maps the file and reads its metadata.
    ///
    /// # Errors
    /// If it is damaged, of another network, or in a dtype that isn't read.
    pub fn open(path: &Path) -> Result<(Self, Weights), Error> {
        let open = || {
            let file = GgufFile::open(path)?;
            let model = Description::of(&file)?;
            let weights = Weights::from_gguf(&file, &model)?;
            let kind = kind(&model, path);
            let (config, tokenizer) = (model.config_json(), tokenizer_json(&file)?);
            Ok((Self { config, tokenizer, kind }, weights))
        };
        open().map_err(|error: qwen3::Error| error.into())
    }

    /// A file of the checkpoint that it was made of.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        match name {
            CONFIG => Some(&self.config),
            "tokenizer.json" => Some(&self.tokenizer),
            _ => None,
        }
    }
}

/// As the head or the pooling says, else the names: many conversions of rerankers have neither.
fn kind(model: &Description, path: &Path) -> Option<Kind> {
    match model.purpose {
        Some(Purpose::Embedding) => Some(Kind::Embedding),
        Some(Purpose::Reranker) => Some(Kind::Reranker),
        Some(Purpose::SequenceClassification) => Some(Kind::SequenceClassification),
        None => kind_called(model.name.iter().cloned().chain(names(path))),
    }
}
