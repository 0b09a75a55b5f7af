//! Checkpoints that lie, are cut short, or are of another kind: an error that
//! names the thing and the way out, and never a panic.

use e2e::{changed, embedder, fixture, options};
use qwen3_engine::{Embedder, EncodeOptions, Kind, Reranker, Source};
use safetensors::SafeTensors;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn load(folder: &Path) -> Result<Embedder, String> {
    let options = options("cpu", "auto");
    Embedder::load(folder, &options).map_err(|error| error.to_string())
}

fn refused(folder: &TempDir, expected: &str) {
    let error = load(folder.path()).expect_err("must not load");
    assert!(error.contains(expected), "`{error}` says `{expected}`");
}

/// Replaces `from` by `to` (of the same length) in the header of the weights.
fn edit_header(folder: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let path = folder.join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    fs::write(path, bytes).unwrap();
}

fn edit_config(folder: &Path, from: &str, to: &str) {
    let path = folder.join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    let whole = fs::read(fixture("tiny-embedding").join("model.safetensors")).unwrap();
    for length in [1, 7, 8, 9, 100, 2000, whole.len() / 2, whole.len() - 1] {
        let folder = changed("tiny-embedding", |folder| {
            fs::write(folder.join("model.safetensors"), &whole[..length]).unwrap();
        });
        refused(&folder, "is not a valid safetensors file; is the download complete?");
    }
    let empty = changed("tiny-embedding", |folder| {
        fs::write(folder.join("model.safetensors"), []).unwrap();
    });
    refused(&empty, "is empty; is the download complete?");
}

#[test]
fn a_missing_tensor_is_named() {
    let folder = changed("tiny-embedding", |folder| {
        edit_header(folder, "layers.1.mlp.up_proj.weight", "layers.1.mlp.up_prxj.weight");
    });
    refused(&folder, "tensor `layers.1.mlp.up_proj.weight` is missing");
}

#[test]
fn a_tensor_without_a_place_is_named() {
    let folder = changed("tiny-embedding", |folder| {
        edit_config(folder, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
    });
    refused(&folder, "11 tensors of the checkpoint have no place in the model");
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let folder = changed("tiny-embedding", |folder| {
        edit_config(folder, "\"intermediate_size\": 96", "\"intermediate_size\": 48");
    });
    refused(
        &folder,
        "tensor `layers.0.mlp.gate_proj.weight` has shape [96, 32], expected [48, 32]",
    );
}

#[test]
fn another_dtype_is_named() {
    let folder = changed("tiny-embedding", |folder| edit_header(folder, "\"BF16\"", "\"I16\" "));
    refused(&folder, "has dtype I16; only F32, F16 and BF16 are supported");
}

#[test]
fn an_index_must_not_point_outside_of_its_folder() {
    for file in ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "a.safetensors/", ".."]
    {
        let folder = changed("tiny-embedding-variant", |folder| {
            let path = folder.join("model.safetensors.index.json");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace("model-00002-of-00002.safetensors", file)).unwrap();
        });
        refused(&folder, "only names of files beside it are allowed");
    }
}

#[test]
fn a_missing_shard_is_an_error() {
    let folder = changed("tiny-embedding-variant", |folder| {
        fs::remove_file(folder.join("model-00002-of-00002.safetensors")).unwrap();
    });
    refused(&folder, "model-00002-of-00002.safetensors");
}

#[test]
fn missing_files_are_named() {
    for (file, expected) in [
        ("config.json", "config.json"),
        ("tokenizer.json", "tokenizer.json"),
        ("model.safetensors", "has neither `model.safetensors` nor"),
    ] {
        let folder =
            changed("tiny-embedding", |folder| fs::remove_file(folder.join(file)).unwrap());
        refused(&folder, expected);
    }
}

#[test]
fn what_the_network_does_not_compute_is_refused_by_key_and_value() {
    for (from, to, expected) in [
        ("\"qwen3\"", "\"llama\"", "`model_type`: `llama`"),
        ("\"silu\"", "\"gelu\"", "`hidden_act`: `gelu`"),
        ("\"use_sliding_window\": false", "\"quantization_config\": {}", "`quantization_config`"),
    ] {
        let folder = changed("tiny-embedding", |folder| edit_config(folder, from, to));
        refused(&folder, expected);
    }
}

#[test]
fn embedding_models_and_rerankers_are_told_apart() {
    let options = options("cpu", "auto");
    for name in ["tiny-reranker-tied", "tiny-reranker-untied", "tiny-seq-cls"] {
        let folder = fixture(name);
        let error = Embedder::load(folder, &options).err().unwrap().to_string();
        assert!(error.contains("not like an embedding model"), "{error}");
    }
    let folder = fixture("tiny-embedding");
    let error = Reranker::load(folder, &options).err().unwrap().to_string();
    assert!(error.contains("looks like embedding, not like a reranker"), "{error}");

    // Without side files or a telling name the tensors' names decide; a kind that is given wins.
    let bare = changed("tiny-reranker-tied", |_| {});
    assert!(Reranker::load(bare.path(), &options).is_ok());
    let forced = Source::new(bare.path()).kind(Kind::Embedding);
    assert!(Embedder::load(forced, &options).is_ok());
}

#[test]
fn a_reranker_that_says_it_is_untied_needs_its_head() {
    let folder = changed("tiny-reranker-tied", |folder| {
        edit_config(folder, "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
    });
    let path = folder.path().to_str().unwrap();
    let error = Reranker::load(path, &options("cpu", "auto")).err().unwrap().to_string();
    assert!(error.contains("tensor `lm_head.weight` is missing"), "{error}");
}

#[test]
fn a_weight_beyond_float16_is_refused_in_f16_and_loads_in_its_own_dtype() {
    let folder = changed("tiny-embedding", |folder| {
        let path = folder.join("model.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        // The first number of a matrix as bfloat16 1e5.
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let matrix = tensors.tensor("embed_tokens.weight").unwrap().data().to_vec();
        let at = bytes.windows(matrix.len()).position(|window| window == matrix).unwrap();
        bytes[at..at + 2].copy_from_slice(&0x47c3u16.to_le_bytes());
        fs::write(path, bytes).unwrap();
    });
    assert!(load(folder.path()).is_ok());
    let path = folder.path().to_str().unwrap();
    let error = Embedder::load(path, &options("cpu", "f16")).err().unwrap().to_string();
    assert!(error.contains("`embed_tokens.weight` holds 99840"), "{error}");
    assert!(error.contains("float16 can't represent"), "{error}");
}

#[test]
fn a_poisoned_weight_gives_an_error_and_not_a_vector() {
    let folder = changed("tiny-embedding", |folder| {
        let path = folder.join("model.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize + 8;
        // Every number is NaN.
        bytes[header..].fill(0xff);
        fs::write(path, bytes).unwrap();
    });
    let model = load(folder.path()).unwrap();
    let error = model.encode(["text"], &EncodeOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("input 0 gave a vector with NaN or infinity"), "{error}");
}

#[test]
fn a_model_is_found_by_folder_and_by_a_file_in_it() {
    let folder = fixture("tiny-embedding");
    let file = folder.join("model.safetensors");
    assert!(load(&folder).is_ok() && load(&file).is_ok());
    let error = load(Path::new("no-such-model")).err().unwrap();
    assert!(error.contains("`no-such-model` is neither a folder"), "{error}");
    assert_eq!(embedder("tiny-embedding", "cpu", "f32").host().max_dimensions(), 32);
}
