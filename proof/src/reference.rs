//! What Hugging Face Transformers computed, as
//! `tests/fixtures/transformers_reference.py` writes it.

use crate::error::Error;
use qwen3_engine::Kind;
use safetensors::SafeTensors;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Stages by name, in the order of execution: the kept rows, one after the other.
pub type Stages = Vec<(String, Vec<f32>)>;

/// The outputs of one checkpoint.
#[derive(Debug)]
pub struct Reference {
    /// The folder that they are in.
    pub folder: PathBuf,
    /// What the checkpoint is.
    pub kind: Kind,
    /// Texts or pairs.
    pub cases: Vec<Case>,
    /// Cases that are queries; the others are documents to be ordered.
    pub queries: Vec<usize>,
}

/// A text or pair with all that was computed of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// The text or pair that goes in.
    pub input: CaseInput,
    /// The tokens that Transformers made of it.
    pub input_ids: Vec<u32>,
    /// The tokens whose rows were kept; none if no stage was.
    pub rows: Vec<u32>,
    /// What each stage gave for these rows.
    pub stages: Stages,
    /// The vector or score that comes out.
    pub output: Output,
}

/// A text for an embedding, or what a reranker compares.
#[derive(Clone, Debug)]
pub enum CaseInput {
    /// A text with its prompt.
    Text(String),
    /// A pair with its instruction.
    Pair {
        /// What makes a document relevant.
        instruction: String,
        /// The query.
        query: String,
        /// The document.
        document: String,
    },
}

/// What a model is asked for.
#[derive(Clone, Debug)]
pub enum Output {
    /// An embedding model's unit vector.
    Embedding(Vec<f32>),
    /// The logit of yes minus that of no.
    LogOdds(f64),
}

impl Output {
    /// Empty for a reranker's.
    pub fn vector(&self) -> &[f32] {
        match self {
            Self::Embedding(vector) => vector,
            Self::LogOdds(_) => &[],
        }
    }

    /// Only a reranker has them.
    pub fn log_odds(&self) -> Option<f64> {
        match self {
            Self::Embedding(_) => None,
            Self::LogOdds(log_odds) => Some(*log_odds),
        }
    }
}

#[derive(Deserialize)]
struct File {
    kind: String,
    #[serde(default)]
    texts: Vec<TextEntry>,
    #[serde(default)]
    pairs: Vec<PairEntry>,
    #[serde(default)]
    queries: Vec<usize>,
}

#[derive(Deserialize)]
struct TextEntry {
    name: String,
    text: String,
    input_ids: Vec<u32>,
    rows: Vec<u32>,
}

#[derive(Deserialize)]
struct PairEntry {
    name: String,
    instruction: String,
    query: String,
    document: String,
    input_ids: Vec<u32>,
    log_odds: f64,
    rows: Vec<u32>,
}

impl Reference {
    /// Reads `reference.json` and `reference.safetensors`, leaving out cases
    /// of more than `max_tokens` tokens.
    ///
    /// # Errors
    /// If a file can't be read or is not as the script writes it.
    pub fn read(folder: &Path, max_tokens: usize) -> Result<Self, Error> {
        let json = folder.join("reference.json");
        let file: File = parse(&json)?;
        let kind = file.kind.parse().map_err(|error| wrong(&json, &error))?;
        let path = folder.join("reference.safetensors");
        let bytes = read(&path)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| wrong(&path, &error))?;
        let fits = |input_ids: &[u32]| input_ids.len() <= max_tokens;
        let mut cases = vec![];
        let mut kept = vec![];
        for (index, text) in file.texts.into_iter().enumerate() {
            if fits(&text.input_ids) {
                let output = numbers(&tensors, &format!("{index}.embedding"))
                    .ok_or_else(|| wrong(&path, &format!("no embedding of text {index}")))?;
                let stages = stages(&tensors, &format!("{index}."));
                kept.push(index);
                cases.push(text.case(stages, Output::Embedding(output)));
            }
        }
        for (index, pair) in file.pairs.into_iter().enumerate() {
            if fits(&pair.input_ids) {
                cases.push(pair.case(stages(&tensors, &format!("{index}."))));
            }
        }
        // Indices among those that were kept.
        let place = |query: usize| kept.iter().position(|&index| index == query);
        let queries = file.queries.into_iter().filter_map(place).collect();
        Ok(Self { folder: folder.to_owned(), kind, cases, queries })
    }
}

impl TextEntry {
    fn case(self, stages: Stages, output: Output) -> Case {
        let Self { name, text, input_ids, rows } = self;
        Case { name, input: CaseInput::Text(text), input_ids, rows, stages, output }
    }
}

impl PairEntry {
    fn case(self, stages: Stages) -> Case {
        let Self { name, instruction, query, document, input_ids, log_odds, rows } = self;
        let input = CaseInput::Pair { instruction, query, document };
        Case { name, input, input_ids, rows, stages, output: Output::LogOdds(log_odds) }
    }
}

/// The stages whose names begin with `prefix`, in the order of execution; not
/// those [`INSIDE`] of a step.
pub fn stages(tensors: &SafeTensors, prefix: &str) -> Stages {
    let names = tensors.names().into_iter().filter_map(|name| name.strip_prefix(prefix));
    let is_inside = |name: &str| INSIDE.iter().any(|module| name.ends_with(module));
    let mut names: Vec<&str> =
        names.filter(|name| *name != "embedding" && !is_inside(name)).collect();
    names.sort_by_key(|name| order(name));
    let stage = |name: &str| {
        let values = numbers(tensors, &format!("{prefix}{name}"));
        (name.to_owned(), values.unwrap_or_default())
    };
    names.into_iter().map(stage).collect()
}

/// Modules whose outputs our network never holds: norms of heads, which are
/// turned in the same step, and what is added to the residual stream as it is
/// computed. They show in the step after them.
const INSIDE: [&str; 4] = [".self_attn.q_norm", ".self_attn.k_norm", ".self_attn", ".mlp"];

/// Steps of a layer in the order of execution.
const STEPS: [&str; 6] = [
    "input_layernorm",
    "self_attn.v_proj",
    "self_attn.q_rotary",
    "self_attn.k_rotary",
    "self_attn.attention",
    "post_attention_layernorm",
];

/// Where a stage stands in the forward pass.
pub(crate) fn order(stage: &str) -> (usize, usize, usize) {
    let Some(path) = stage.strip_prefix("layers.") else {
        let ends = ["tokens", "embed_tokens", "norm", "embedding", "score"];
        let place = ends.iter().position(|end| *end == stage).unwrap_or(ends.len());
        return (if place < 2 { 0 } else { 2 }, place, 0);
    };
    let (layer, step) = path.split_once('.').unwrap_or((path, ""));
    let step = STEPS.iter().position(|name| *name == step).unwrap_or(STEPS.len());
    (1, layer.parse().unwrap_or(usize::MAX), step)
}

/// The numbers of a tensor, if there is one of this name in float32.
pub(crate) fn numbers(tensors: &SafeTensors, name: &str) -> Option<Vec<f32>> {
    let tensor = tensors.tensor(name).ok()?;
    let bytes = tensor.data().chunks_exact(4);
    let is_f32 = tensor.dtype() == safetensors::Dtype::F32;
    is_f32.then(|| bytes.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

/// Reads a JSON file.
///
/// # Errors
/// If it can't be read or is not of this form.
pub fn parse<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    serde_json::from_slice(&read(path)?).map_err(|error| wrong(path, &error))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn wrong(path: &Path, what: &dyn std::fmt::Display) -> Error {
    Error::Reference { path: path.to_owned(), what: what.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_in_the_order_of_execution() {
        let mut names = [
            "score",
            "norm",
            "layers.10",
            "layers.2",
            "layers.2.post_attention_layernorm",
            "layers.2.self_attn.q_rotary",
            "layers.2.self_attn.attention",
            "layers.2.input_layernorm",
            "embedding",
            "embed_tokens",
            "tokens",
        ];
        names.sort_by_key(|name| order(name));
        assert_eq!(
            names,
            [
                "tokens",
                "embed_tokens",
                "layers.2.input_layernorm",
                "layers.2.self_attn.q_rotary",
                "layers.2.self_attn.attention",
                "layers.2.post_attention_layernorm",
                "layers.2",
                "layers.10",
                "norm",
                "embedding",
                "score",
            ]
        );
    }
}
