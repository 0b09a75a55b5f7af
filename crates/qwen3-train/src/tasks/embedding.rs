//! Learning which texts belong together.

use super::measures::{dot, ranks_of_first, unit};
use super::{Batch, Goal, Measures, Rows, Task};
use crate::data::{DataFile, Row, Sequences, read_rows};
use crate::error::Error;
use crate::run::Reading;
use crate::settings::{Settings, wrong};
use qwen3_engine::internals::training::{Contrastive, Objective};
use qwen3_engine::{EmbedderHost, Input, Prompt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Pairs of texts that belong together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PairData {
    /// Lines of JSON with the columns `anchor` and `positive`, and perhaps `negative` (a
    /// text, or a list of texts) and `instruction`.
    pub pairs: PathBuf,
    /// Pairs that are measured and not trained on.
    pub held_out: Option<PathBuf>,
    /// What anchors of rows without an `instruction` are asked for; `None`: the model's
    /// prompt `query`.
    pub instruction: Option<String>,
    /// `τ` of InfoNCE.
    pub temperature: f64,
    /// How much nearer than the positive a text may be before it is taken for a right answer
    /// too, and left out.
    pub margin: f64,
}

impl PairData {
    /// Pairs, with the margin of the Qwen3-Embedding report (arXiv:2506.05176) and the
    /// temperature that sentence-transformers begins with.
    pub fn new(pairs: impl Into<PathBuf>) -> Self {
        let (held_out, instruction) = (None, None);
        Self { pairs: pairs.into(), held_out, instruction, temperature: 0.05, margin: 0.1 }
    }
}

/// The same, read.
pub(crate) struct Embedding {
    learned: Pairs,
    held_out: Option<Pairs>,
    temperature: f64,
    margin: f64,
    dimensions: Vec<usize>,
    files: Vec<DataFile>,
}

/// Pairs as numbers of sequences.
#[derive(Default)]
struct Pairs {
    sequences: Sequences,
    /// Of each sequence a number that equal texts share.
    texts: Vec<u64>,
    /// Where the sequences of each pair begin: its anchor, its positive, its negatives.
    starts: Vec<u32>,
}

/// One row, as tokens.
struct Tokenized {
    /// Anchor, positive, negatives.
    sequences: Vec<(u64, Vec<u32>)>,
}

impl Embedding {
    pub fn read(data: &PairData, settings: &Settings, reading: &Reading) -> Result<Self, Error> {
        for (setting, value, is_right) in [
            ("temperature", data.temperature, data.temperature > 0.0),
            ("margin", data.margin, data.margin >= 0.0),
        ] {
            if !is_right {
                return Err(wrong(setting, value, "must be above 0".to_owned()));
            }
        }
        let host = EmbedderHost::from_checkpoint(reading.checkpoint, reading.options)?;
        let make = |row: &Row| tokenized(row, data, &host);
        let (learned, of_pairs) = Pairs::read(&data.pairs, "pairs", reading, &make)?;
        let (mut held_out, mut files) = (None, vec![of_pairs]);
        if let Some(path) = &data.held_out {
            let (pairs, file) = Pairs::read(path, "held-out pairs", reading, &make)?;
            held_out = Some(pairs);
            files.push(file);
        }
        let width = host.max_dimensions();
        let dimensions = settings.widths(width, width)?;
        let (temperature, margin) = (data.temperature, data.margin);
        Ok(Self { learned, held_out, temperature, margin, dimensions, files })
    }
}

impl Pairs {
    fn read(
        path: &Path,
        role: &'static str,
        reading: &Reading,
        make: &(impl Fn(&Row) -> Result<Tokenized, Error> + Sync),
    ) -> Result<(Self, DataFile), Error> {
        let mut pairs = Self::default();
        let rows = read_rows(path, reading, make, |row| pairs.push(row))?;
        let checksum = format!("{:016x}", pairs.sequences.checksum());
        Ok((pairs, DataFile { path: path.to_owned(), role, rows, checksum }))
    }

    fn push(&mut self, row: Tokenized) {
        self.starts.push(self.sequences.len() as u32);
        for (text, ids) in row.sequences {
            self.texts.push(text);
            self.sequences.push(&ids);
        }
    }

    fn len(&self) -> usize {
        self.starts.len()
    }

    /// The numbers of a pair's sequences.
    fn of(&self, pair: usize) -> std::ops::Range<u32> {
        let end = self.starts.get(pair + 1).copied();
        self.starts[pair]..end.unwrap_or(self.sequences.len() as u32)
    }
}

/// Anchors get the prompt of queries, others that of documents, as they do when they are
/// searched.
fn tokenized(row: &Row, data: &PairData, host: &EmbedderHost) -> Result<Tokenized, Error> {
    let limit = host.limit();
    let refused = |reason| row.refused(reason);
    let instruction = row.optional_text("instruction")?.or(data.instruction.as_deref());
    let of_anchor = instruction.map_or(Prompt::Query, |task| Prompt::Instruction(task.to_owned()));
    let of_anchor = host.prefix(&host.prompt(&of_anchor).map_err(refused)?, limit);
    let of_document = host.prefix(&host.prompt(&Prompt::Document).map_err(refused)?, limit);
    let (of_anchor, of_document) = (of_anchor.map_err(refused)?, of_document.map_err(refused)?);
    let anchor = row.text("anchor")?;
    let documents = std::iter::once(row.text("positive")?).chain(row.texts("negative")?);
    let texts =
        std::iter::once((anchor, &of_anchor)).chain(documents.map(|text| (text, &of_document)));
    let sequences = texts.map(|(text, prefix)| {
        let tokens = host.tokenize(Input::Text(text), prefix, limit).map_err(refused)?;
        Ok((xxh3_64(text.as_bytes()), tokens.input_ids))
    });
    Ok(Tokenized { sequences: sequences.collect::<Result<_, Error>>()? })
}

impl Task for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn files(&self) -> &[DataFile] {
        &self.files
    }

    fn settings(&self) -> Value {
        json!({
            "temperature": self.temperature,
            "margin": self.margin,
            "dimensions": self.dimensions,
        })
    }

    fn lengths(&self) -> Vec<u32> {
        let tokens = |pair| {
            let sequences = self.learned.of(pair);
            sequences.map(|index| self.learned.sequences.get(index).len() as u32).sum()
        };
        (0..self.learned.len()).map(tokens).collect()
    }

    fn batch(&self, examples: &[u32]) -> Batch<'_> {
        let pairs = &self.learned;
        let (mut sequences, mut texts) = (vec![], vec![]);
        let (mut anchors, mut positives, mut negatives) = (vec![], vec![], vec![]);
        for (pair, &example) in (0..).zip(examples) {
            for (place, index) in pairs.of(example as usize).enumerate() {
                let row = sequences.len() as u32;
                match place {
                    0 => anchors.push(row),
                    1 => positives.push(row),
                    _ => negatives.push((row, pair)),
                }
                sequences.push(pairs.sequences.get(index));
                texts.push(pairs.texts[index as usize]);
            }
        }
        let mut numbers = HashMap::new();
        let same_text = texts.into_iter().map(|text| {
            let next = numbers.len() as u32;
            *numbers.entry(text).or_insert(next)
        });
        let same_text = same_text.collect();
        Batch { sequences, goal: Goal::Pairs { anchors, positives, negatives, same_text } }
    }

    fn objective<'a>(&'a self, goal: &'a Goal) -> Objective<'a> {
        let Goal::Pairs { anchors, positives, negatives, same_text } = goal else {
            unreachable!("this task makes pairs")
        };
        Objective::Contrastive(Contrastive {
            anchors,
            positives,
            negatives,
            all_negatives: true,
            same_text,
            temperature: self.temperature,
            margin: self.margin,
            dimensions: &self.dimensions,
        })
    }

    fn held_out(&self) -> Vec<&[u32]> {
        self.held_out.iter().flat_map(|pairs| pairs.sequences.iter()).collect()
    }

    /// How often an anchor's positive is the nearest of all held-out positives and
    /// negatives, and the mean of one divided by its rank, both of whole vectors.
    fn measures(&self, rows: &Rows) -> Measures {
        let Some(pairs) = &self.held_out else { return vec![] };
        let rows: Vec<Vec<f32>> =
            (0..pairs.sequences.len()).map(|row| unit(rows.get(row), rows.width)).collect();
        let mut seen = HashMap::new();
        // Each text once, by the first of its rows.
        for pair in 0..pairs.len() {
            for index in pairs.of(pair).skip(1) {
                seen.entry(pairs.texts[index as usize]).or_insert(index as usize);
            }
        }
        let documents: Vec<usize> = seen.values().copied().collect();
        let rank = |pair: usize| {
            let anchor = &rows[pairs.of(pair).start as usize];
            let positive = pairs.of(pair).start as usize + 1;
            let score = dot(anchor, &rows[positive]);
            let own = pairs.texts[positive];
            let others = documents.iter().filter(|&&index| pairs.texts[index] != own);
            ranks_of_first(score, others.map(|&index| dot(anchor, &rows[index])))
        };
        let ranks: Vec<usize> = (0..pairs.len()).map(rank).collect();
        let n = ranks.len() as f64;
        let first = ranks.iter().filter(|&&rank| rank == 1).count() as f64 / n;
        let mrr = ranks.iter().map(|&rank| 1.0 / rank as f64).sum::<f64>() / n;
        vec![("accuracy@1", first), ("mrr", mrr)]
    }
}
