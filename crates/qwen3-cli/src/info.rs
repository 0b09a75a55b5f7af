//! `qwen3 info`

use crate::args::InfoArgs;
use crate::embed::DEFAULT_MODEL;
use crate::error::Error;
use crate::print::print_value;
use crate::progress::hooks;
use crate::stop::Stop;
use crate::table::table;
use qwen3_engine::{Checkpoint, Source};
use serde_json::{Value, json};

pub fn info(args: &InfoArgs, stop: &Stop) -> Result<(), Error> {
    let source = args.source.source(DEFAULT_MODEL);
    let checkpoint = Checkpoint::open(&source, &hooks(&args.source, stop))?;
    let facts = facts(&source, &checkpoint)?;
    let as_table = || {
        let plain = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let row = |(key, value): &(&str, Value)| vec![(*key).to_owned(), plain(value)];
        let there = facts.iter().filter(|(_, value)| !value.is_null());
        table(&there.map(row).collect::<Vec<_>>())
    };
    print_value(args.format, &Value::from_iter(facts.clone()), as_table)
}

fn format_of(checkpoint: &Checkpoint) -> &'static str {
    match (checkpoint.is_gguf(), checkpoint.provenance()) {
        (true, _) => "GGUF",
        (false, Some(_)) => "portable file",
        (false, None) => "safetensors",
    }
}

/// To two digits: dtypes are mixed, and blocks have scales.
fn bits_per_weight(checkpoint: &Checkpoint) -> f64 {
    let bits = 8.0 * checkpoint.weight_bytes() as f64;
    (100.0 * bits / checkpoint.parameters() as f64).round() / 100.0
}

fn facts(source: &Source, checkpoint: &Checkpoint) -> Result<Vec<(&'static str, Value)>, Error> {
    let config = checkpoint.config();
    let dtypes: Vec<String> = checkpoint.dtypes()?.iter().map(ToString::to_string).collect();
    let mut facts = vec![
        ("model", json!(source.to_string())),
        ("path", json!(checkpoint.path())),
        ("kind", json!(checkpoint.kind().to_string())),
        ("format", json!(format_of(checkpoint))),
        ("dtype", json!(checkpoint.dtype()?.to_string())),
        ("dtypes_of_matrices", json!(dtypes.join(", "))),
        ("layout", json!(checkpoint.layout()?.name())),
        ("bits_per_weight", json!(bits_per_weight(checkpoint))),
        ("weight_bytes", json!(checkpoint.weight_bytes())),
        ("parameters", json!(checkpoint.parameters())),
        ("layers", json!(config.num_hidden_layers)),
        ("hidden_size", json!(config.hidden_size)),
        ("attention_heads", json!(config.num_attention_heads)),
        ("key_value_heads", json!(config.num_key_value_heads)),
        ("head_dim", json!(config.head_dim)),
        ("vocab_size", json!(config.vocab_size)),
        ("max_tokens", json!(config.max_position_embeddings)),
        ("tied_head", json!(checkpoint.has_tied_head())),
    ];
    if let Some(provenance) = checkpoint.provenance() {
        facts.push(("converted_from_sha256", json!(provenance.sources)));
    }
    Ok(facts)
}
