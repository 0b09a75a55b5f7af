//! Learning which documents answer a query.

use super::measures::area_under_curve;
use super::{Batch, Goal, Measures, Rows, Task};
use crate::data::{DataFile, Row, Sequences, read_rows};
use crate::error::Error;
use crate::run::Reading;
use qwen3_engine::RerankerHost;
use qwen3_engine::internals::training::Objective;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Queries and documents with the score that they shall have.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LabelData {
    /// Lines of JSON with the columns `query`, `document` and `label`, from 0 to 1, and
    /// perhaps `instruction`.
    pub pairs: PathBuf,
    /// Pairs that are measured and not trained on.
    pub held_out: Option<PathBuf>,
    /// What makes a document relevant, for rows without an `instruction`; `None`: the
    /// official default.
    pub instruction: Option<String>,
}

impl LabelData {
    /// Labelled pairs.
    pub fn new(pairs: impl Into<PathBuf>) -> Self {
        Self { pairs: pairs.into(), held_out: None, instruction: None }
    }
}

/// The same, read.
pub(crate) struct Reranker {
    learned: Pairs,
    held_out: Option<Pairs>,
    files: Vec<DataFile>,
}

#[derive(Default)]
struct Pairs {
    sequences: Sequences,
    labels: Vec<f32>,
}

impl Reranker {
    pub fn read(data: &LabelData, reading: &Reading) -> Result<Self, Error> {
        let host = RerankerHost::from_checkpoint(reading.checkpoint, reading.options)?;
        let make = |row: &Row| tokenized(row, data, &host);
        let (learned, of_pairs) = Pairs::read(&data.pairs, "pairs", reading, &make)?;
        let (mut held_out, mut files) = (None, vec![of_pairs]);
        if let Some(path) = &data.held_out {
            let (pairs, file) = Pairs::read(path, "held-out pairs", reading, &make)?;
            held_out = Some(pairs);
            files.push(file);
        }
        Ok(Self { learned, held_out, files })
    }
}

impl Pairs {
    fn read(
        path: &Path,
        role: &'static str,
        reading: &Reading,
        make: &(impl Fn(&Row) -> Result<(Vec<u32>, f32), Error> + Sync),
    ) -> Result<(Self, DataFile), Error> {
        let mut pairs = Self::default();
        let rows = read_rows(path, reading, make, |(ids, label): (Vec<u32>, f32)| {
            pairs.sequences.push(&ids);
            pairs.labels.push(label);
        })?;
        // The labels are data too.
        let labels: Vec<u8> = pairs.labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        let labels = xxhash_rust::xxh3::xxh3_64(&labels);
        let checksum = format!("{:016x}", pairs.sequences.checksum() ^ labels);
        Ok((pairs, DataFile { path: path.to_owned(), role, rows, checksum }))
    }
}

fn tokenized(row: &Row, data: &LabelData, host: &RerankerHost) -> Result<(Vec<u32>, f32), Error> {
    let limit = host.limit();
    let instruction = row.optional_text("instruction")?.or(data.instruction.as_deref());
    let (query, document) = (row.text("query")?, row.text("document")?);
    let tokens = host.instruction_prefix(instruction, limit).and_then(|instruction| {
        let query = host.query_prefix(&instruction, query, limit)?;
        host.tokenize(&query, document, limit)
    });
    let tokens = tokens.map_err(|reason| row.refused(reason))?;
    Ok((tokens.input_ids, row.share("label")?))
}

impl Task for Reranker {
    fn name(&self) -> &'static str {
        "reranker"
    }

    fn files(&self) -> &[DataFile] {
        &self.files
    }

    fn settings(&self) -> Value {
        json!({})
    }

    fn lengths(&self) -> Vec<u32> {
        self.learned.sequences.iter().map(|ids| ids.len() as u32).collect()
    }

    fn batch(&self, examples: &[u32]) -> Batch<'_> {
        let Pairs { sequences, labels } = &self.learned;
        let labels = examples.iter().map(|&example| labels[example as usize]).collect();
        let sequences = examples.iter().map(|&example| sequences.get(example)).collect();
        Batch { sequences, goal: Goal::Labels(labels) }
    }

    fn objective<'a>(&'a self, goal: &'a Goal) -> Objective<'a> {
        let Goal::Labels(labels) = goal else { unreachable!("this task has labels") };
        Objective::YesNo { labels }
    }

    fn held_out(&self) -> Vec<&[u32]> {
        self.held_out.iter().flat_map(|pairs| pairs.sequences.iter()).collect()
    }

    /// How often the score is on the label's side of one half, and the area under the
    /// curve of right against wrong answers.
    fn measures(&self, rows: &Rows) -> Measures {
        let (Some(pairs), Some(head)) = (&self.held_out, &rows.head) else { return vec![] };
        let score = |row: usize| {
            let logit = |head: &[f32]| -> f64 {
                let products = head.iter().zip(rows.get(row));
                products.map(|(h, x)| f64::from(*h) * f64::from(*x)).sum()
            };
            // The row of yes, less that of no if there is one.
            let mut logits = head.values.chunks(rows.width).map(logit);
            logits.next().unwrap_or_default() - logits.next().unwrap_or_default()
        };
        let scores: Vec<f64> = (0..pairs.labels.len()).map(score).collect();
        let is_yes = |label: f32| label > 0.5;
        let right = scores
            .iter()
            .zip(&pairs.labels)
            .filter(|(score, label)| (**score > 0.0) == is_yes(**label));
        let accuracy = right.count() as f64 / scores.len() as f64;
        let labels: Vec<bool> = pairs.labels.iter().map(|&label| is_yes(label)).collect();
        let auc = area_under_curve(&scores, &labels).map(|auc| ("auc", auc));
        std::iter::once(("accuracy", accuracy)).chain(auc).collect()
    }
}
