//! What a run writes.

use crate::support::{bytes, fixture, jsonl, npy, out, run, settings, vectors};
use qwen3_engine::{Dtype, DtypeChoice, Options};
use qwen3_train::{DistilData, Run};
use safetensors::SafeTensors;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// A step so small that float32 weights stay as they are.
fn still(model: &str, folder: &Path, out: &Path, save_dtype: DtypeChoice) {
    let texts = jsonl(&folder.join("texts.jsonl"), [json!({"text": "a"}), json!({"text": "b"})]);
    let targets = npy(&folder.join("targets.npy"), &[vec![1.0, 0.0], vec![0.0, 1.0]]);
    let mut settings = settings(2, 1, 1e-30);
    settings.save_dtype = save_dtype;
    run(model, out, settings, "cpu").distil(&DistilData::new(texts, targets), &|_| {}).unwrap();
}

fn tensors(file: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let file = SafeTensors::deserialize(file).unwrap();
    file.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect()
}

#[test]
fn weights_that_did_not_change_are_written_as_they_were() {
    let (folder, out) = out();
    still("tiny-embedding", folder.path(), &out, DtypeChoice::Auto);
    let source = tensors(&bytes(&fixture("tiny-embedding"), "model.safetensors"));
    assert_eq!(tensors(&bytes(&out, "model.safetensors")), source);
    for name in [
        "tokenizer.json",
        "modules.json",
        "config_sentence_transformers.json",
        "1_Pooling/config.json",
    ] {
        assert_eq!(bytes(&out, name), bytes(&fixture("tiny-embedding"), name), "{name}");
    }
    let texts = ["the same", "vectors"];
    assert_eq!(vectors(&out, &texts), vectors(&fixture("tiny-embedding"), &texts));
}

#[test]
fn a_dtype_can_be_chosen_and_the_config_says_it() {
    let (folder, out) = out();
    still("tiny-embedding", folder.path(), &out, DtypeChoice::Named(Dtype::F32));
    let config: serde_json::Value = serde_json::from_slice(&bytes(&out, "config.json")).unwrap();
    assert_eq!(config["torch_dtype"], "float32");
    let texts = ["the same", "vectors"];
    assert_eq!(vectors(&out, &texts), vectors(&fixture("tiny-embedding"), &texts));
}

#[test]
fn the_card_says_how_the_model_was_made() {
    let (folder, out) = out();
    still("tiny-embedding", folder.path(), &out, DtypeChoice::Auto);
    let card = String::from_utf8(bytes(&out, "README.md")).unwrap();
    for part in [
        "library_name: sentence-transformers",
        "`texts.jsonl` | texts | 2",
        "1 of 1 steps",
        "learning rate",
    ] {
        assert!(card.contains(part), "{part}:\n{card}");
    }
    assert!(card.contains("from `tiny-embedding`") && !card.contains("/tests/fixtures"), "{card}");
    assert!(!card.contains(&*folder.path().to_string_lossy()), "{card}");
}

#[test]
fn sentence_transformers_files_are_made_where_the_source_has_none() {
    let (folder, out) = out();
    let bare = folder.path().join("bare");
    std::fs::create_dir(&bare).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::write(bare.join(name), bytes(&fixture("tiny-embedding"), name)).unwrap();
    }
    let texts = jsonl(&folder.path().join("texts.jsonl"), [json!({"text": "a"})]);
    let targets = npy(&folder.path().join("targets.npy"), &[vec![1.0, 0.0]]);
    let run = Run::new(
        qwen3_engine::Source::from(bare).kind(qwen3_engine::Kind::Embedding),
        &out,
        settings(1, 1, 1e-30),
        Options::default(),
    );
    run.distil(&DistilData::new(texts, targets), &|_| {}).unwrap();
    let modules: serde_json::Value = serde_json::from_slice(&bytes(&out, "modules.json")).unwrap();
    assert_eq!(modules[1]["type"], "sentence_transformers.models.Pooling");
    assert_eq!(vectors(&out, &["x"]), vectors(&fixture("tiny-embedding"), &["x"]));
}
