//! A checkpoint, what PyTorch computed of it, and the objectives of that.

use e2e::fixture;
use e2e::training_reference::{EmbeddingSettings, TrainingReference};
use qwen3::{Config, Dtype, MatmulStrategy, PackedBatch, Weights};
use qwen3_autodiff::{
    Contrastive, Distillation, Head, Method, Objective, OpenTraining, Plan, Trainer,
};
use std::ops::ControlFlow;

pub struct Case {
    pub reference: TrainingReference,
    pub config: Config,
    pub weights: Weights,
}

impl Case {
    pub fn new(name: &str) -> Self {
        let folder = fixture(name);
        Self {
            reference: TrainingReference::read(name),
            config: Config::from_file(&folder.join("config.json")).unwrap(),
            weights: Weights::from_folder(&folder).unwrap(),
        }
    }

    /// The checkpoint in training, computed in float32.
    pub fn load(&self, device: &dyn OpenTraining, method: Method) -> Box<dyn Trainer> {
        let head = match &self.reference.reranker {
            None => Head::Embedding,
            Some(settings) => Head::YesNo { yes: settings.yes_id, no: Some(settings.no_id) },
        };
        let plan = Plan {
            method,
            dtype: Dtype::F32,
            strategy: MatmulStrategy::PlainUnits,
            max_tensor_bytes: u64::MAX,
            head,
        };
        let mut on_tensor = |_, _| ControlFlow::Continue(());
        device.load(&self.weights, &self.config, &plan, &mut on_tensor).unwrap()
    }

    /// All texts in batches of so many.
    pub fn batches(&self, texts: usize) -> Vec<PackedBatch> {
        let batches = self.reference.input_ids.chunks(texts);
        batches.map(|ids| PackedBatch::new(ids, &self.config).unwrap()).collect()
    }
}

/// Calls `check` with the objective of this name.
pub fn with_objective(
    reference: &TrainingReference,
    name: &str,
    check: &mut dyn FnMut(&Objective),
) {
    match name {
        "distil" => {
            let settings = reference.embedding.as_ref().unwrap();
            check(&Objective::Distillation(Distillation {
                targets: &reference.targets().values,
                similarity_weight: settings.similarity_weight,
                ranking_weight: settings.ranking_weight,
                temperature: settings.temperature,
                dimensions: &settings.dimensions,
            }));
        }
        "info_nce" | "info_nce_all_documents" => {
            let settings = reference.embedding.as_ref().unwrap();
            let &EmbeddingSettings { n_pairs, n_negatives, temperature, margin, .. } = settings;
            let pairs = n_pairs as u32;
            let anchors: Vec<u32> = (0..pairs).collect();
            let positives: Vec<u32> = (pairs..2 * pairs).collect();
            let negatives = (2 * pairs..reference.input_ids.len() as u32)
                .map(|row| (row, (row - 2 * pairs) / n_negatives as u32));
            let ids = &reference.input_ids;
            let same_text = ids.iter().map(|text| ids.iter().position(|other| other == text));
            check(&Objective::Contrastive(Contrastive {
                anchors: &anchors,
                positives: &positives,
                negatives: &negatives.collect::<Vec<_>>(),
                all_negatives: name == "info_nce_all_documents",
                same_text: &same_text.map(|first| first.unwrap() as u32).collect::<Vec<_>>(),
                temperature,
                margin,
                dimensions: &settings.dimensions,
            }));
        }
        "linear" => check(&Objective::Linear { directions: &reference.directions().values }),
        "yes_no" => {
            let settings = reference.reranker.as_ref().unwrap();
            let labels = settings.target_probabilities.iter().map(|&label| label as f32);
            check(&Objective::YesNo { labels: &labels.collect::<Vec<_>>() });
        }
        other => panic!("no objective `{other}`"),
    }
}
