//! Adapters as PEFT keeps them: `adapter_config.json` beside `adapter_model.safetensors`.

use super::model::write;
use super::tensors::{Entry, write_tensors};
use crate::error::Error;
use crate::settings::Lora;
use qwen3_engine::internals::training::{NamedTensor, name};
use qwen3_engine::{Checkpoint, Dtype, Kind};
use serde_json::{Value, json};
use std::path::Path;

pub const CONFIG: &str = "adapter_config.json";
pub const WEIGHTS: &str = "adapter_model.safetensors";

/// What PEFT puts in front of the names of what it wraps.
pub const WRAPPED: &str = "base_model.model.";

/// Writes an adapter that PEFT loads onto the base that `AutoModel` gives for an embedding
/// model, and onto that with a head for a reranker.
pub fn write_adapter(
    folder: &Path,
    source: &Checkpoint,
    lora: &Lora,
    trained: &[NamedTensor],
) -> Result<(), Error> {
    let inner = if source.kind() == Kind::Embedding { "" } else { "model." };
    let entries = trained.iter().map(|tensor| Entry {
        key: format!("{WRAPPED}{inner}{}", tensor.name),
        shape: tensor.shape.clone(),
        dtype: Dtype::F32,
    });
    write_tensors(&folder.join(WEIGHTS), entries.collect(), |index| {
        Ok(trained[index].values.clone())
    })?;
    let json = serde_json::to_vec_pretty(&config(source, lora)).expect("a value is JSON");
    write(&folder.join(CONFIG), &json)
}

/// What PEFT reads of how an adapter counts.
fn config(source: &Checkpoint, lora: &Lora) -> Value {
    let task = match source.kind() {
        Kind::Embedding => "FEATURE_EXTRACTION",
        Kind::Reranker => "CAUSAL_LM",
        _ => "SEQ_CLS",
    };
    let targets: Vec<&str> = lora.targets.iter().map(|target| target.name()).collect();
    json!({
        "peft_type": "LORA",
        "task_type": task,
        "base_model_name_or_path": name(source),
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "target_modules": targets,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "modules_to_save": null,
        "rank_pattern": {},
        "alpha_pattern": {},
        "use_dora": false,
        "use_rslora": false,
    })
}
