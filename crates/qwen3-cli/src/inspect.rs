//! `qwen3 devices`, `qwen3 info`, `qwen3 download`

use crate::args::{DevicesArgs, DownloadArgs, InfoArgs, SourceArgs, TextFormat};
use crate::embed::DEFAULT_MODEL;
use crate::error::Error;
use crate::run::{dtype_name, find, hooks};
use crate::stop::Stop;
use crate::table::table;
use crate::terminal::{escaped, escaped_json};
use qwen3_engine::{Checkpoint, DeviceInfo};
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

pub fn devices(args: &DevicesArgs) -> Result<(), Error> {
    let (found, absent) = qwen3_engine::devices();
    let objects = found.iter().map(|device| {
        json!({
            "device": device.id.to_string(),
            "name": device.name,
            "kind": device.kind,
            "driver": device.driver,
            "memory_bytes": device.memory_bytes,
            "dtypes": dtype_names(device),
        })
    });
    let absent_objects =
        absent.iter().map(|absent| json!({"device": absent.name, "absent": absent.reason}));
    let objects: Vec<Value> = objects.chain(absent_objects).collect();
    let as_table = || {
        let heading = ["device", "name", "kind", "memory", "dtypes", "driver"].map(str::to_owned);
        let mut rows = vec![heading.to_vec()];
        rows.extend(found.iter().map(|device| {
            let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
            vec![
                device.id.to_string(),
                device.name.clone(),
                device.kind.clone(),
                device.memory_bytes.map_or("?".to_owned(), gib),
                dtype_names(device).join(" "),
                device.driver.clone().unwrap_or_default(),
            ]
        }));
        let absent: String = absent
            .iter()
            .map(|absent| format!("no {}: {}\n", absent.name, escaped(&absent.reason)))
            .collect();
        format!("{}{absent}", table(&rows))
    };
    print(&in_format(args.format, as_table, || Value::from(objects.clone())))
}

pub fn info(args: &InfoArgs, stop: &Stop) -> Result<(), Error> {
    let (name, path) = path(&args.source, stop)?;
    let checkpoint = Checkpoint::open(&path, args.source.kind)?;
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
    let as_table = || {
        let plain = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let row = |(key, value): &(&str, Value)| vec![(*key).to_owned(), plain(value)];
        table(&facts.iter().map(row).collect::<Vec<_>>())
    };
    let object = || Value::from_iter(facts.clone());
    print(&in_format(args.format, as_table, object))
}

pub fn download(args: &DownloadArgs, stop: &Stop) -> Result<(), Error> {
    let (_, path) = path(&args.source, stop)?;
    print(&format!("{}\n", path.display()))
}

/// The model's name and where its files are, downloaded if need be.
fn path(source: &SourceArgs, stop: &Stop) -> Result<(String, PathBuf), Error> {
    let name = source.model.as_deref().unwrap_or(DEFAULT_MODEL);
    Ok((name.to_owned(), find(source, name, &hooks(source, stop))?))
}

fn dtype_names(device: &DeviceInfo) -> Vec<String> {
    device.dtypes.iter().map(|&dtype| dtype_name(dtype)).collect()
}

fn in_format(
    asked: Option<TextFormat>,
    table: impl FnOnce() -> String,
    value: impl FnOnce() -> Value,
) -> String {
    let terminal = io::stdout().is_terminal();
    match asked.unwrap_or(if terminal { TextFormat::Table } else { TextFormat::Json }) {
        TextFormat::Table => table(),
        TextFormat::Json => escaped_json(&format!("{:#}\n", value())),
        TextFormat::Jsonl => match value() {
            Value::Array(objects) => {
                objects.iter().map(|object| escaped_json(&format!("{object}\n"))).collect()
            }
            object => escaped_json(&format!("{object}\n")),
        },
    }
}

/// Writes all of `text` to standard output.
pub fn print(text: &str) -> Result<(), Error> {
    let written = io::stdout().write_all(text.as_bytes());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Error::BrokenPipe,
        _ => Error::Stdout(error),
    })
}
