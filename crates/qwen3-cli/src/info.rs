//! `qwen3 info`

use crate::args::{InfoArgs, dtype_name};
use crate::download::find;
use crate::error::Error;
use crate::print::print_value;
use crate::progress::hooks;
use crate::stop::Stop;
use crate::table::table;
use qwen3_engine::Checkpoint;
use serde_json::{Value, json};
use std::path::Path;

pub fn info(args: &InfoArgs, stop: &Stop) -> Result<(), Error> {
    let (name, path) = find(&args.source, &hooks(&args.source, stop))?;
    let checkpoint = Checkpoint::open(&path, args.source.kind)?;
    let facts = facts(name, &path, &checkpoint)?;
    let as_table = || {
        let plain = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let row = |(key, value): &(&str, Value)| vec![(*key).to_owned(), plain(value)];
        table(&facts.iter().map(row).collect::<Vec<_>>())
    };
    print_value(args.format, &Value::from_iter(facts.clone()), as_table)
}

fn facts(
    name: &str,
    path: &Path,
    checkpoint: &Checkpoint,
) -> Result<Vec<(&'static str, Value)>, Error> {
    let (config, weights) = (&checkpoint.config, &checkpoint.weights);
    let dtype = weights.dtype().map_err(qwen3_engine::Error::from)?;
    let mut facts = vec![
        ("model", json!(name)),
        ("path", json!(path)),
        ("kind", json!(checkpoint.kind.to_string())),
        ("dtype", json!(dtype_name(dtype))),
        ("parameters", json!(weights.parameters())),
        ("layers", json!(config.num_hidden_layers)),
        ("hidden_size", json!(config.hidden_size)),
        ("attention_heads", json!(config.num_attention_heads)),
        ("key_value_heads", json!(config.num_key_value_heads)),
        ("head_dim", json!(config.head_dim)),
        ("vocab_size", json!(config.vocab_size)),
        ("max_tokens", json!(config.max_position_embeddings)),
        ("tied_head", json!(config.tie_word_embeddings && !weights.contains("lm_head.weight"))),
    ];
    if let Some(provenance) = checkpoint.provenance() {
        facts.push(("layout", json!(provenance.layout.to_string())));
        facts.push(("converted_from_sha256", json!(provenance.sources)));
    }
    Ok(facts)
}
