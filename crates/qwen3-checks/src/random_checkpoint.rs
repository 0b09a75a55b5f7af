//! Whole checkpoints of random weights, in the shapes of the published ones.

use crate::Error;
use qwen3_engine::Config;
use qwen3_engine::internals::random::{EOS_TOKEN_ID, config, write_weights};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Sizes by name: hidden and intermediate size, layers, heads. All but the
/// first are published.
const SIZES: [(&str, [usize; 4]); 4] = [
    ("tiny", [64, 128, 2, 8]),
    ("0.6b", [1024, 3072, 28, 16]),
    ("4b", [2560, 9728, 36, 32]),
    ("8b", [4096, 12288, 36, 32]),
];
/// Rows of the published embedding tables.
const VOCAB_SIZE: usize = 151_669;

/// Writes a folder with random bfloat16 weights in the shape of a published
/// model, `0.6b`, `4b` or `8b`, or `tiny`. Its tokenizer knows ids only.
///
/// # Errors
/// If there is no such size, or the folder can't be written.
pub fn random_checkpoint(size: &str, folder: &Path) -> Result<(), Error> {
    let Some((_, shape)) = SIZES.iter().find(|(name, _)| *name == size) else {
        let known: Vec<&str> = SIZES.iter().map(|(name, _)| *name).collect();
        return Err(Error::UnknownSize { size: size.to_owned(), known: known.join(", ") });
    };
    let failed = |source| Error::Write { path: folder.to_owned(), source };
    fs::create_dir_all(folder.join("1_Pooling")).map_err(failed)?;
    let config = config(*shape, VOCAB_SIZE);
    let parsed = Config::from_json(config.to_string().as_bytes(), &folder.join("config.json"))
        .map_err(qwen3_engine::Error::from)?;
    write_weights(&parsed, &folder.join("model.safetensors")).map_err(qwen3_engine::Error::from)?;
    let modules = [
        ("", "sentence_transformers.models.Transformer"),
        ("1_Pooling", "sentence_transformers.models.Pooling"),
        ("2_Normalize", "sentence_transformers.models.Normalize"),
    ];
    let modules = modules.into_iter().enumerate().map(|(index, (path, class))| {
        json!({"idx": index, "name": index.to_string(), "path": path, "type": class})
    });
    let pooling = json!({
        "word_embedding_dimension": parsed.hidden_size, "pooling_mode_cls_token": false,
        "pooling_mode_mean_tokens": false, "pooling_mode_lasttoken": true, "include_prompt": true,
    });
    let tokenizer_config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>", "padding_side": "left",
    });
    for (name, content) in [
        ("tokenizer.json", tokenizer()),
        ("tokenizer_config.json", tokenizer_config),
        ("modules.json", Value::from_iter(modules)),
        ("1_Pooling/config.json", pooling),
        // The last: a folder without it is no model's.
        ("config.json", config),
    ] {
        fs::write(folder.join(name), content.to_string()).map_err(failed)?;
    }
    Ok(())
}

/// A word for each id, and no way to make two of one.
fn tokenizer() -> Value {
    let word = |id| match id {
        EOS_TOKEN_ID => "<|endoftext|>".to_owned(),
        id => format!("t{id}"),
    };
    let vocab = Value::from_iter((0..VOCAB_SIZE).map(|id| (word(id), json!(id))));
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                  "vocab": vocab, "merges": []},
    })
}
