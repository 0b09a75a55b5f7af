//! Learning another model's vectors.

use super::measures::{dot, pair_similarities, spearman, unit};
use super::{Batch, Goal, Measures, Rows, Task};
use crate::data::{DataFile, Matrix, Row, Sequences, read_rows};
use crate::error::Error;
use crate::run::Reading;
use crate::settings::{Settings, wrong};
use qwen3_engine::internals::training::{Distillation, Objective};
use qwen3_engine::{EmbedderHost, Input, Prompt};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Held-out texts whose similarities to each other are compared.
const COMPARED: usize = 1_000;

/// Texts and the vectors that shall be learned for them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DistilData {
    /// Lines of JSON with the column `text`.
    pub texts: PathBuf,
    /// `[N, W]` of float16 or float32 as NumPy saves it; row i belongs to line i.
    pub targets: PathBuf,
    /// Texts and targets that are measured and not trained on.
    pub held_out: Option<(PathBuf, PathBuf)>,
    /// What is put in front of each text.
    pub prompt: Prompt,
    /// What similarities within a step count beside the vectors themselves.
    pub similarity_weight: f64,
    /// What the order of the nearest texts within a step counts.
    pub ranking_weight: f64,
    /// How near texts must be to count in that order.
    pub temperature: f64,
}

impl DistilData {
    /// Texts with their targets.
    pub fn new(texts: impl Into<PathBuf>, targets: impl Into<PathBuf>) -> Self {
        let (texts, targets) = (texts.into(), targets.into());
        let (held_out, prompt) = (None, Prompt::Default);
        let (similarity_weight, ranking_weight, temperature) = (2.0, 0.0, 0.05);
        Self { texts, targets, held_out, prompt, similarity_weight, ranking_weight, temperature }
    }
}

/// The same, read.
pub(crate) struct Distil {
    learned: Pairs,
    held_out: Option<Pairs>,
    weights: Weights,
    dimensions: Vec<usize>,
    files: Vec<DataFile>,
}

/// What the loss is made of beside the vectors themselves.
#[derive(Clone, Copy)]
struct Weights {
    similarity: f64,
    ranking: f64,
    temperature: f64,
}

impl Weights {
    fn checked(data: &DistilData) -> Result<Self, Error> {
        let &DistilData { similarity_weight, ranking_weight, temperature, .. } = data;
        for (setting, value, is_right, wanted) in [
            ("similarity_weight", similarity_weight, similarity_weight >= 0.0, "not be negative"),
            ("ranking_weight", ranking_weight, ranking_weight >= 0.0, "not be negative"),
            ("temperature", temperature, temperature > 0.0, "be above 0"),
        ] {
            if !(is_right && value.is_finite()) {
                return Err(wrong(setting, value, format!("must {wanted}")));
            }
        }
        Ok(Self { similarity: similarity_weight, ranking: ranking_weight, temperature })
    }
}

/// Texts with their targets.
struct Pairs {
    texts: Sequences,
    targets: Matrix,
}

impl Distil {
    pub fn read(data: &DistilData, settings: &Settings, reading: &Reading) -> Result<Self, Error> {
        let weights = Weights::checked(data)?;
        let host = EmbedderHost::from_checkpoint(reading.checkpoint, reading.options)?;
        let max = host.max_dimensions();
        let limit = host.limit();
        let prompt = host.prompt(&data.prompt).map_err(qwen3_engine::Error::from)?;
        let prefix = host.prefix(&prompt, limit).map_err(qwen3_engine::Error::from)?;
        let tokenize = |row: &Row| {
            let tokens = host.tokenize(Input::Text(row.text("text")?), &prefix, limit);
            Ok(tokens.map_err(|reason| row.refused(reason))?.input_ids)
        };
        let read = |texts: &Path, targets: &Path| {
            Pairs::read(texts, Matrix::open(targets, max)?, reading, &tokenize)
        };
        let (learned, mut files) = read(&data.texts, &data.targets)?;
        let width = learned.targets.width();
        let mut held_out = None;
        if let Some((texts, targets)) = &data.held_out {
            let (pairs, mut others) = read(texts, targets)?;
            if pairs.targets.width() != width {
                let (path, found) = (targets.clone(), pairs.targets.width());
                return Err(Error::OtherWidth { path, width: found, expected: width });
            }
            others.iter_mut().for_each(|file| file.role = held_out_role(file.role));
            files.append(&mut others);
            held_out = Some(pairs);
        }
        let dimensions = settings.widths(width, max)?;
        Ok(Self { learned, held_out, weights, dimensions, files })
    }
}

fn held_out_role(role: &str) -> &'static str {
    if role == "texts" { "held-out texts" } else { "held-out targets" }
}

impl Pairs {
    fn read(
        texts: &Path,
        targets: Matrix,
        reading: &Reading,
        tokenize: &(impl Fn(&Row) -> Result<Vec<u32>, Error> + Sync),
    ) -> Result<(Self, Vec<DataFile>), Error> {
        let of_targets = targets.checked("targets")?;
        let mut sequences = Sequences::default();
        let rows = read_rows(texts, reading, tokenize, |ids| {
            sequences.push(&ids);
        })?;
        if rows != targets.rows() {
            let (path, texts) = (targets.path().to_owned(), texts.to_owned());
            let (targets, lines) = (path, rows);
            return Err(Error::TargetRows { targets, rows: of_targets.rows, texts, lines });
        }
        let checksum = format!("{:016x}", sequences.checksum());
        let of_texts = DataFile { path: texts.to_owned(), role: "texts", rows, checksum };
        Ok((Self { texts: sequences, targets }, vec![of_texts, of_targets]))
    }
}

impl Task for Distil {
    fn name(&self) -> &'static str {
        "distil"
    }

    fn files(&self) -> &[DataFile] {
        &self.files
    }

    fn settings(&self) -> Value {
        let Weights { similarity, ranking, temperature } = self.weights;
        json!({
            "similarity_weight": similarity,
            "ranking_weight": ranking,
            "temperature": temperature,
            "dimensions": self.dimensions,
        })
    }

    fn lengths(&self) -> Vec<u32> {
        self.learned.texts.iter().map(|ids| ids.len() as u32).collect()
    }

    fn batch(&self, examples: &[u32]) -> Batch<'_> {
        let Pairs { texts, targets } = &self.learned;
        let width = targets.width();
        let mut values = Vec::with_capacity(examples.len() * width);
        examples.iter().for_each(|&example| targets.unit_row(example, &mut values));
        let sequences = examples.iter().map(|&example| texts.get(example)).collect();
        Batch { sequences, goal: Goal::Targets { values, width } }
    }

    fn objective<'a>(&'a self, goal: &'a Goal) -> Objective<'a> {
        let Goal::Targets { values, .. } = goal else { unreachable!("this task has targets") };
        Objective::Distillation(Distillation {
            targets: values,
            similarity_weight: self.weights.similarity,
            ranking_weight: self.weights.ranking,
            temperature: self.weights.temperature,
            dimensions: &self.dimensions,
        })
    }

    fn held_out(&self) -> Vec<&[u32]> {
        self.held_out.iter().flat_map(|held_out| held_out.texts.iter()).collect()
    }

    /// The mean cosine to the target, and how alike the order of similarities is.
    fn measures(&self, rows: &Rows) -> Measures {
        let Some(Pairs { texts, targets }) = &self.held_out else { return vec![] };
        let (n, width) = (texts.len(), targets.width());
        let target = |row: usize| {
            let mut target = vec![];
            targets.unit_row(row as u32, &mut target);
            target
        };
        let found: Vec<Vec<f32>> = (0..n).map(|row| unit(rows.get(row), width)).collect();
        let cosines = found.iter().enumerate().map(|(row, found)| dot(found, &target(row)));
        let cosine = cosines.sum::<f64>() / n as f64;
        let compared = n.min(COMPARED);
        let wanted: Vec<Vec<f32>> = (0..compared).map(target).collect();
        let spearman =
            spearman(&pair_similarities(&found[..compared]), &pair_similarities(&wanted));
        vec![("cosine", cosine), ("spearman", spearman)]
    }
}
