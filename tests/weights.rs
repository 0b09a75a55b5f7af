//! Weights as trainers and merge scripts leave them: what can be read one way
//! only is read, and all else is an error that names it, the same each time.

use e2e::{Stored, changed, fixture, log_odds, rewrite, told, vectors};
use qwen3_engine::{ConvertOptions, Hooks, Kind, Reranker, convert};
use safetensors::Dtype;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const TEXTS: [&str; 2] = ["Explain gravity", "万有引力"];
const PAIRS: [(&str, &str); 2] = [("Explain gravity", "Apples fall."), ("yes", "no")];

/// A copy of a fixture with other tensors in its one file.
fn with_tensors(name: &str, change: impl FnOnce(&mut BTreeMap<String, Stored>)) -> TempDir {
    changed(name, |folder| rewrite(&folder.join("model.safetensors"), change))
}

fn renamed(tensors: &mut BTreeMap<String, Stored>, rename: impl Fn(&str) -> String) {
    *tensors =
        std::mem::take(tensors).into_iter().map(|(name, stored)| (rename(&name), stored)).collect();
}

#[track_caller]
fn refused(folder: &Path, words: &[&str]) {
    let messages = [(); 3].map(|()| told(&vectors(folder, &TEXTS).expect_err("must be refused")));
    assert!(words.iter().all(|word| messages[0].contains(word)), "{} has {words:?}", messages[0]);
    assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
}

#[test]
fn whatever_stands_before_the_network_is_passed_over() {
    let expected = vectors(&fixture("tiny-embedding"), &TEXTS).unwrap();
    for prefix in [
        "model.",
        "module.",
        "model.model.",
        "_orig_mod.",
        "transformer.",
        "0.auto_model.",
        "base_model.model.model.",
        "_forward_module._orig_mod.model.",
        "anything.at.all.",
    ] {
        let folder = with_tensors("tiny-embedding", |tensors| {
            renamed(tensors, |name| format!("{prefix}{name}"));
        });
        assert_eq!(vectors(folder.path(), &TEXTS).unwrap(), expected, "{prefix}");
    }
    let wrapped = with_tensors("tiny-embedding", |tensors| {
        renamed(tensors, |name| name.replace(".mlp.", "._checkpoint_wrapped_module.mlp."));
    });
    assert_eq!(vectors(wrapped.path(), &TEXTS).unwrap(), expected);
}

#[test]
fn a_head_stands_beside_the_network_behind_any_prefix() {
    for (name, kind) in
        [("tiny-reranker-untied", Kind::Reranker), ("tiny-seq-cls", Kind::SequenceClassification)]
    {
        let expected = log_odds(&fixture(name), &PAIRS).unwrap();
        for prefix in ["module.", "base_model.model.", "_orig_mod."] {
            let folder = with_tensors(name, |tensors| {
                renamed(tensors, |name| format!("{prefix}{name}"));
            });
            let found =
                qwen3_engine::Checkpoint::open(folder.path(), &Hooks::default()).unwrap().kind();
            assert_eq!(found, kind, "{prefix}");
            assert_eq!(log_odds(folder.path(), &PAIRS).unwrap(), expected, "{prefix}");
        }
    }
}

#[test]
fn a_name_with_something_in_it_is_shown_beside_the_one_that_is_missing() {
    let folder = with_tensors("tiny-embedding", |tensors| {
        renamed(tensors, |name| name.replace("layers.1.mlp.", "layers.1.block.mlp."));
    });
    let words = ["`layers.1.mlp.gate_proj.weight`", "`layers.1.block.mlp.gate_proj.weight`"];
    refused(folder.path(), &words);
    let half = with_tensors("tiny-embedding", |tensors| {
        renamed(tensors, |name| name.replace("layers.", "other.layers."));
    });
    let words = ["`layers.0.input_layernorm.weight`", "`other.layers.0.input_layernorm.weight`"];
    refused(half.path(), &words);
}

#[test]
fn a_tensor_that_is_there_twice_is_named_with_both_names() {
    for (name, other) in [
        ("norm.weight", "model.norm.weight"),
        ("embed_tokens.weight", "model.embed_tokens.weight"),
        ("layers.2.mlp.up_proj.weight", "module.model.layers.2.mlp.up_proj.weight"),
        ("layers.2.mlp.up_proj.weight", "_orig_mod.layers.2.mlp.up_proj.weight"),
    ] {
        let folder = with_tensors("tiny-embedding", |tensors| {
            let mut copy = tensors[name].clone();
            copy.data.fill(0);
            tensors.insert(other.to_owned(), copy);
        });
        refused(folder.path(), &[&format!("`{name}`"), &format!("`{other}`"), "twice"]);
    }
}

#[test]
fn shards_agree_with_each_other_and_with_their_index() {
    let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let [first, second] = shards;
    let mut copied = None;
    let twice = changed("tiny-embedding-variant", |folder| {
        rewrite(&folder.join(second), |tensors| {
            copied = Some(tensors["model.norm.weight"].clone())
        });
        rewrite(&folder.join(first), |tensors| {
            tensors.insert("norm.weight".to_owned(), copied.clone().unwrap());
        });
    });
    refused(twice.path(), &["`norm.weight`", "`model.norm.weight`", first, second]);
    let same = changed("tiny-embedding-variant", |folder| {
        rewrite(&folder.join(first), |tensors| {
            tensors.insert("model.norm.weight".to_owned(), copied.clone().unwrap());
        });
    });
    refused(same.path(), &["`model.norm.weight`", first, second]);
    let moved = changed("tiny-embedding-variant", |folder| {
        rewrite(&folder.join(second), |tensors| drop(tensors.remove("model.norm.weight")));
        rewrite(&folder.join(first), |tensors| {
            tensors.insert("model.norm.weight".to_owned(), copied.clone().unwrap());
        });
    });
    refused(moved.path(), &["`model.norm.weight`", "index", first, second]);
}

#[test]
fn buffers_that_are_computed_are_passed_over() {
    let expected = vectors(&fixture("tiny-embedding"), &TEXTS).unwrap();
    let folder = with_tensors("tiny-embedding", |tensors| {
        let floats = Stored { dtype: Dtype::F32, shape: vec![8], data: vec![1; 32] };
        let positions = Stored { dtype: Dtype::I64, shape: vec![4], data: vec![1; 32] };
        for name in ["rotary_emb.inv_freq", "layers.0.self_attn.rotary_emb.inv_freq"] {
            tensors.insert(name.to_owned(), floats.clone());
        }
        tensors.insert("layers.1.self_attn.rotary_emb.cos_cached".to_owned(), floats);
        tensors.insert("position_ids".to_owned(), positions);
    });
    assert_eq!(vectors(folder.path(), &TEXTS).unwrap(), expected);
    let out = folder.path().join("converted");
    convert(folder.path(), &out, &ConvertOptions::default()).unwrap();
    assert_eq!(vectors(&out, &TEXTS).unwrap(), expected);
}

#[test]
fn a_part_of_an_adapter_is_no_weight() {
    for name in [
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
        "layers.0.self_attn.q_proj.lora_B.default.weight",
        "layers.0.self_attn.q_proj.base_layer.weight",
    ] {
        let folder = with_tensors("tiny-embedding", |tensors| {
            let any = tensors["norm.weight"].clone();
            tensors.insert(name.to_owned(), any);
        });
        refused(folder.path(), &[name, "merge_and_unload"]);
    }
}

#[test]
fn a_head_that_was_trained_counts_whatever_the_config_says_of_ties() {
    let mut heads = BTreeMap::new();
    for (name, tensor) in [
        ("tiny-reranker-untied", "lm_head.weight"),
        ("tiny-reranker-tied", "model.embed_tokens.weight"),
    ] {
        let copy = changed(name, |_| {});
        rewrite(&copy.path().join("model.safetensors"), |tensors| {
            heads.insert(name, tensors[tensor].clone());
        });
    }
    for (expected, head) in heads {
        let expected = log_odds(&fixture(expected), &PAIRS).unwrap();
        let folder = with_tensors("tiny-reranker-tied", |tensors| {
            tensors.insert("lm_head.weight".to_owned(), head);
        });
        assert_eq!(log_odds(folder.path(), &PAIRS).unwrap(), expected);
        for trim_head in [false, true] {
            let out = folder.path().join(format!("{trim_head}.qwen3"));
            let options = ConvertOptions::default().trim_head(trim_head);
            convert(folder.path(), &out, &options).unwrap();
            assert_eq!(log_odds(&out, &PAIRS).unwrap(), expected, "{trim_head}");
        }
    }
}

#[test]
fn a_head_with_nan_or_infinity_is_refused_at_load() {
    let poisoned = |name: &str, tensor: &str, row: usize, number: [u8; 2]| {
        with_tensors(name, |tensors| {
            let head = tensors.get_mut(tensor).unwrap();
            // The upper half of a float32, or all of a bfloat16.
            let size = head.dtype.bitsize() / 8;
            let at = (row * 32 + 3) * size + size - 2;
            head.data[at..at + 2].copy_from_slice(&number);
        })
    };
    let (nan, infinity) = ([0xc0, 0x7f], [0x80, 0x7f]);
    for number in [nan, infinity] {
        for (name, tensor, row) in [
            ("tiny-seq-cls", "score.weight", 0),
            ("tiny-reranker-untied", "lm_head.weight", 265),
            ("tiny-reranker-untied", "lm_head.weight", 261),
            ("tiny-reranker-tied", "model.embed_tokens.weight", 261),
        ] {
            let folder = poisoned(name, tensor, row, number);
            let error = told(&log_odds(folder.path(), &PAIRS).unwrap_err());
            let tensor = tensor.trim_start_matches("model.");
            assert!(error.contains(&format!("`{tensor}` holds NaN or infinity")), "{error}");
            let out = folder.path().join("out");
            let model = folder.path().to_str().unwrap();
            assert!(convert(model, &out, &ConvertOptions::default()).is_err());
        }
    }
}

#[test]
fn a_row_of_zeros_is_an_error_and_not_a_vector() {
    let folder = with_tensors("tiny-embedding", |tensors| {
        tensors.get_mut("norm.weight").unwrap().data.fill(0);
    });
    refused(folder.path(), &["input 0", "or of zeros"]);
    let reranker = with_tensors("tiny-reranker-tied", |tensors| {
        tensors.get_mut("model.norm.weight").unwrap().data.fill(0);
    });
    assert!(told(&log_odds(reranker.path(), &PAIRS).unwrap_err()).contains("or of zeros"));
}

#[test]
fn a_finite_number_that_bfloat16_makes_infinite_is_refused() {
    let folder = with_tensors("tiny-seq-cls", |tensors| {
        let matrix = tensors.get_mut("model.layers.0.mlp.up_proj.weight").unwrap();
        let numbers = matrix.data.chunks_exact(2);
        // Bfloat16 as float32, and then the largest float32 as the first of them.
        let mut data: Vec<u8> = numbers.flat_map(|b| [0, 0, b[0], b[1]]).collect();
        data[..4].copy_from_slice(&f32::MAX.to_le_bytes());
        (matrix.dtype, matrix.data) = (Dtype::F32, data);
    });
    let path = folder.path().to_str().unwrap();
    let options = e2e::options("cpu", "auto").dtype(qwen3_engine::Dtype::Bf16);
    let error = Reranker::load(path, &options).err().unwrap().to_string();
    assert!(error.contains("layers.0.mlp.up_proj.weight`"), "{error}");
    assert!(error.contains("bfloat16 can't represent; load it with dtype f32"), "{error}");
    let options = ConvertOptions::default().dtype(qwen3_engine::Dtype::Bf16);
    assert!(convert(path, folder.path().join("out"), &options).is_err());
}

#[test]
fn a_header_of_gigabytes_is_not_read() {
    let folder = changed("tiny-embedding", |folder| {
        let path = folder.join("model.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        bytes[..8].copy_from_slice(&11_000_000u64.to_le_bytes());
        bytes.resize(11_100_000, b' ');
        fs::write(path, bytes).unwrap();
    });
    refused(folder.path(), &["model.safetensors`", "not a valid safetensors file", "too large"]);
}
