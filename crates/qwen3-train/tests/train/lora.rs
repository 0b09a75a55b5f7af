//! Adapters: trained, written, merged.

use crate::support::{Seen, bytes, fixture, jsonl, load_f32, out, run, settings, vectors};
use qwen3_engine::{Dtype, DtypeChoice, EncodeOptions, Hooks, Input};
use qwen3_train::{Error, Lora, Merge, PairData, Projection};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn trained(folder: &Path, out: &Path) {
    let row = |index: u32| {
        let letter = |index: u32| char::from(b'a' + (index % 26) as u8);
        json!({"anchor": format!("{}", letter(index)), "positive": format!("{}", letter(index).to_ascii_uppercase())})
    };
    let data = PairData::new(jsonl(&folder.join("pairs.jsonl"), (0..26).map(row)));
    let mut settings = settings(26, 20, 1e-2);
    settings.lora = Some(Lora {
        rank: 4,
        alpha: 8.0,
        targets: vec![Projection::Q, Projection::V, Projection::Down],
    });
    let seen = Seen::default();
    run("tiny-embedding", out, settings, "cpu")
        .embedding(&data, &|event| seen.hear(event))
        .unwrap();
    let records = seen.0.lock().unwrap();
    let loss = |record: &qwen3_train::Record| record.loss.unwrap();
    assert!(loss(&records[records.len() - 1]) < loss(&records[0]));
}

fn merge(adapter: &Path, out: &Path) -> Merge {
    Merge {
        model: fixture("tiny-embedding").into(),
        adapter: adapter.to_owned(),
        out: out.to_owned(),
        save_dtype: DtypeChoice::Named(Dtype::F32),
        force: false,
        hooks: Hooks::default(),
    }
}

#[test]
fn an_adapter_is_named_as_peft_names_it_and_merges() {
    let (folder, adapter) = out();
    trained(folder.path(), &adapter);
    let config: Value = serde_json::from_slice(&bytes(&adapter, "adapter_config.json")).unwrap();
    assert_eq!((&config["r"], &config["peft_type"]), (&json!(4), &json!("LORA")));
    assert_eq!(config["target_modules"], json!(["q_proj", "v_proj", "down_proj"]));
    let weights = bytes(&adapter, "adapter_model.safetensors");
    let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
    assert_eq!(tensors.len(), 3 * 3 * 2);
    let a = tensors.tensor("base_model.model.layers.0.self_attn.q_proj.lora_A.weight").unwrap();
    assert_eq!(a.shape(), [4, 32]);
    assert!(!adapter.join("model.safetensors").exists());

    let merged = folder.path().join("merged");
    let done = merge(&adapter, &merged).run().unwrap();
    assert_eq!((done.layers, done.rank), (9, 4));
    let texts = ["a", "B", "a longer text"];
    let (base, after) = (vectors(&fixture("tiny-embedding"), &texts), vectors(&merged, &texts));
    for (base, after) in base.iter().zip(&after) {
        let cosine: f32 = base.iter().zip(after).map(|(a, b)| a * b).sum();
        assert!(cosine < 0.999, "it has changed nothing: {cosine}");
    }
    let error = merge(&adapter, &merged).run().unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
}

/// The token ids and the rows that PyTorch computed with PEFT's adapter.
fn peft_rows(adapter: &Path) -> Vec<(Vec<u32>, Vec<f32>)> {
    let reference: Value = serde_json::from_slice(&bytes(adapter, "reference.json")).unwrap();
    let ids: Vec<Vec<u32>> = serde_json::from_value(reference["input_ids"].clone()).unwrap();
    let tensors = bytes(adapter, "reference.safetensors");
    let tensors = safetensors::SafeTensors::deserialize(&tensors).unwrap();
    let rows = tensors.tensor("rows").unwrap();
    let numbers = rows.data().chunks_exact(4);
    let numbers: Vec<f32> = numbers.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    ids.into_iter().zip(numbers.chunks_exact(32).map(<[f32]>::to_vec)).collect()
}

#[test]
fn an_adapter_of_peft_merges_to_the_vectors_that_it_has_there() {
    let (_folder, merged) = out();
    let adapter = fixture("training/lora");
    merge(&adapter, &merged).run().unwrap();
    let model = load_f32(&merged);
    let expected = peft_rows(&adapter);
    assert!(!expected.is_empty());
    for (ids, row) in expected {
        let options = EncodeOptions::default();
        let found = model.encode([Input::Ids(&ids)], &options).unwrap().remove(0).vector;
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        let off = found.iter().zip(&row).map(|(a, b)| (a - b / length).abs()).fold(0.0, f32::max);
        println!("{} ids: off by {off:.1e}", ids.len());
        assert!(off < 1e-5, "{ids:?}: off by {off:e}");
    }
}

/// A copy of an adapter, changed.
fn changed(adapter: &Path, folder: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let copy = folder.join("changed");
    fs::create_dir_all(&copy).unwrap();
    let mut config: Value = serde_json::from_slice(&bytes(adapter, "adapter_config.json")).unwrap();
    change(&mut config);
    fs::write(copy.join("adapter_config.json"), config.to_string()).unwrap();
    fs::write(copy.join("adapter_model.safetensors"), bytes(adapter, "adapter_model.safetensors"))
        .unwrap();
    copy
}

#[test]
fn what_can_not_be_merged_is_told() {
    let (folder, adapter) = out();
    trained(folder.path(), &adapter);
    let told = |adapter: &Path| {
        let error = merge(adapter, &folder.path().join("merged")).run().unwrap_err();
        error.to_string()
    };
    for (key, value, expected) in [
        ("r", json!(5), "rank 5"),
        ("peft_type", json!("IA3"), "IA3"),
        ("use_dora", json!(true), "use_dora"),
        ("bias", json!("all"), "bias"),
        ("modules_to_save", json!(["lm_head"]), "modules_to_save"),
    ] {
        let changed = changed(&adapter, folder.path(), |config| config[key] = value);
        let error = told(&changed);
        assert!(error.contains(expected), "{key}: {error}");
    }
    let mut other = merge(&adapter, &folder.path().join("merged"));
    other.model = fixture("tiny-embedding-variant").into();
    let error = other.run().map(|merged| merged.layers);
    // The same names, perhaps other shapes.
    if let Err(error) = error {
        assert!(matches!(error, Error::OtherBase { .. }), "{error}");
    }
    assert!(told(&folder.path().join("nowhere")).contains("adapter_config.json"));
}
