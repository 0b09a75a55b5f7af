//! The models of an evaluation, whose vectors and scores are kept.

use super::args::DeviceArgs;
use super::cached::{Cached, Computed, Cost};
use super::opened::Opened;
use super::progress::Told;
use super::store::{Store, key};
use crate::error::Error;
use crate::loading::load;
use crate::notes;
use qwen3_engine::internals::processor_name;
use qwen3_engine::{
    CancelToken, DeviceId, DtypeChoice, Embedder, EncodeOptions, Error as EngineError, Hooks,
    Prompt, RankOptions, Reranker,
};
use qwen3_eval::{Rows, TaskType};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What all models of a run share.
pub struct Surroundings<'a> {
    pub device: &'a DeviceArgs,
    /// Of loading, with bars.
    pub hooks: Hooks,
    /// The folder of vectors; none: they are not kept.
    pub cache: Option<PathBuf>,
    pub told: Told,
}

impl Surroundings<'_> {
    fn cancel(&self) -> CancelToken {
        self.hooks.cancel.clone()
    }

    fn store(&self, description: &Value, width: usize) -> Result<Cached, Error> {
        let store = match &self.cache {
            Some(folder) => Store::open(folder, &description.to_string(), width)?,
            None => Store::temporary(width)?,
        };
        if !store.is_mine() && !self.device.quiet {
            crate::say("another run adds to the same vectors; those of this one are not kept");
        }
        Ok(Cached::new(store))
    }
}

/// What vectors and scores depend on beside texts, and what results say of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// What its user called it.
    pub model: String,
    /// A hash of its files.
    pub fingerprint: String,
    pub dtype: String,
    pub device: String,
    pub dimensions: usize,
}

impl Facts {
    /// Whether vectors are the same, whatever the models are called.
    pub fn is_same(&self, other: &Self) -> bool {
        let model = other.model.clone();
        Self { model, ..self.clone() } == *other
    }

    fn description(&self, max_tokens: usize, prompt: &str) -> Value {
        json!({
            "fingerprint": self.fingerprint,
            "dtype": self.dtype,
            "device": self.device,
            "max_tokens": max_tokens,
            "prompt": prompt,
            "version": env!("CARGO_PKG_VERSION"),
        })
    }
}

/// An embedding model.
pub struct Embedding {
    model: Embedder,
    pub facts: Facts,
    /// Vectors by their prompt.
    stores: HashMap<String, Cached>,
}

impl Embedding {
    pub fn load(opened: &Opened, dtype: DtypeChoice, around: &Surroundings) -> Result<Self, Error> {
        let args = around.device.of_model(&opened.name, dtype);
        let checkpoint = Arc::clone(&opened.checkpoint);
        let (model, _) = load(&args, &opened.name, &around.hooks, move |_, options| {
            Embedder::from_checkpoint(&checkpoint, options)
        })?;
        let without_row = model.host().tokens_without_row();
        notes::of_model(&args.source, model.device(), model.fallbacks(), without_row);
        let facts = Facts {
            model: opened.name.clone(),
            fingerprint: opened.fingerprint.clone(),
            dtype: model.dtype().to_string(),
            device: device(model.device()),
            dimensions: model.max_dimensions(),
        };
        Ok(Self { model, facts, stores: HashMap::new() })
    }

    /// How texts that are compared with one another are prompted: as mteb does it, with an instruction if
    /// queries have one.
    pub fn prompt_of_texts(&self, task: TaskType) -> Result<Prompt, Error> {
        let query = self.model.host().prompt(&Prompt::Query).map_err(EngineError::from)?;
        Ok(match query.starts_with("Instruct: ") {
            true => Prompt::Instruction(task.instruction().to_owned()),
            false => Prompt::Default,
        })
    }

    /// How many numbers a vector has, if so many are asked for.
    pub fn dimensions(&self, asked: Option<usize>) -> Result<usize, Error> {
        Ok(self.model.host().dimensions(asked)?)
    }

    /// The vectors of texts, cut to `dimensions` and of length 1.
    pub fn vectors(
        &mut self,
        (prompt, dimensions): (&Prompt, Option<usize>),
        texts: &[String],
        (cost, around): (&mut Cost, &Surroundings),
    ) -> Result<Rows, Error> {
        let host = self.model.host();
        let put_before = host.prompt(prompt).map_err(EngineError::from)?.into_owned();
        if !self.stores.contains_key(&put_before) {
            let description = self.facts.description(host.limit().max_tokens, &put_before);
            let store = around.store(&description, self.facts.dimensions)?;
            self.stores.insert(put_before.clone(), store);
        }
        let stored = self.stores.get_mut(&put_before).expect("it is there by now");
        let options = EncodeOptions::default().prompt(prompt.clone()).normalize(false);
        let options = options.hooks(Hooks::default().cancel(around.cancel()));
        let keys: Vec<u128> = texts.iter().map(|text| key(text)).collect();
        let model = &self.model;
        let rows = stored.rows(&keys, (cost, &around.told), |places| {
            let embeddings = model.encode(places.iter().map(|&at| &texts[at]), &options)?;
            Ok(embeddings.into_iter().map(|of| (of.vector, of.tokens)).collect::<Vec<Computed>>())
        })?;
        if around.hooks.cancel.is_cancelled() {
            return Err(EngineError::Cancelled.into());
        }
        let mut cut = Rows { numbers: vec![], width: host.dimensions(dimensions)? };
        for row in rows {
            cut.numbers.extend(host.embedding(row, dimensions, true)?);
        }
        Ok(cut)
    }
}

/// A reranker.
pub struct Reranking {
    model: Reranker,
    pub facts: Facts,
    /// Scores by their instruction.
    stores: HashMap<Option<String>, Cached>,
}

impl Reranking {
    pub fn load(opened: &Opened, around: &Surroundings) -> Result<Self, Error> {
        let args = around.device.of_model(&opened.name, DtypeChoice::Auto);
        let checkpoint = Arc::clone(&opened.checkpoint);
        let (model, _) = load(&args, &opened.name, &around.hooks, move |_, options| {
            Reranker::from_checkpoint(&checkpoint, options)
        })?;
        let without_row = model.host().tokens_without_row();
        notes::of_model(&args.source, model.device(), model.fallbacks(), without_row);
        let facts = Facts {
            model: opened.name.clone(),
            fingerprint: opened.fingerprint.clone(),
            dtype: model.dtype().to_string(),
            device: device(model.device()),
            dimensions: 1,
        };
        Ok(Self { model, facts, stores: HashMap::new() })
    }

    /// The log-odds of pairs of a query and a document.
    pub fn scores(
        &mut self,
        instruction: Option<&String>,
        pairs: &[(&str, &str)],
        (cost, around): (&mut Cost, &Surroundings),
    ) -> Result<Vec<f32>, Error> {
        let instruction = instruction.filter(|text| !text.is_empty()).cloned();
        if !self.stores.contains_key(&instruction) {
            let put_before = format!("reranker, instruction {instruction:?}");
            let limit = self.model.host().limit().max_tokens;
            let store = around.store(&self.facts.description(limit, &put_before), 1)?;
            self.stores.insert(instruction.clone(), store);
        }
        let stored = self.stores.get_mut(&instruction).expect("it is there by now");
        let mut options = RankOptions::default().hooks(Hooks::default().cancel(around.cancel()));
        options.instruction = instruction;
        let keys = pairs.iter().map(|(query, document)| key(&format!("{query}\0{document}")));
        let keys: Vec<u128> = keys.collect();
        let model = &self.model;
        let rows = stored.rows(&keys, (cost, &around.told), |places| {
            let scores = model.score(places.iter().map(|&at| pairs[at]), &options)?;
            Ok(scores.into_iter().map(|of| (vec![of.log_odds as f32], of.tokens)).collect())
        })?;
        Ok(rows.into_iter().flatten().collect())
    }
}

/// Processors differ in their last digits too.
fn device(id: DeviceId) -> String {
    let of_cpu = ["QWEN3_CPU_ISA"].map(|name| std::env::var(name).unwrap_or_default()).concat();
    match id.to_string() {
        cpu if cpu == "cpu" => {
            format!("{cpu}, {} {of_cpu}", processor_name()).trim_end().to_owned()
        }
        other => other,
    }
}
