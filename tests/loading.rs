//! Checkpoints that lie, are cut short, or are of another kind: an error that
//! names the thing and the way out, and never a panic.

use e2e::{changed, embedder, fixture, options};
use qwen3_engine::{
    Checkpoint, ConvertOptions, Dtype, Embedder, EmbedderHost, EncodeOptions, Error, Kind,
    ModelError, Reranker, Session, Source, convert,
};
use safetensors::SafeTensors;
use std::fs;
use std::path::Path;

fn load(folder: &Path) -> Result<Embedder, Error> {
    Embedder::load(folder, &options("cpu", "auto"))
}

/// Expects that the model in a folder is refused with this error.
macro_rules! refused {
    ($folder:expr, $pattern:pat $(if $condition:expr)?) => {
        match load($folder.path()) {
            Err($pattern) $(if $condition)? => {}
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it loads"),
        }
    };
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
        refused!(folder, Error::Model(ModelError::Safetensors { .. }));
    }
    let empty = changed("tiny-embedding", |folder| {
        fs::write(folder.join("model.safetensors"), []).unwrap();
    });
    refused!(empty, Error::Model(ModelError::Foreign { what: "empty", .. }));
}

#[test]
fn a_missing_tensor_is_named() {
    let folder = changed("tiny-embedding", |folder| {
        edit_header(folder, "layers.1.mlp.up_proj.weight", "layers.1.mlp.up_prxj.weight");
    });
    refused!(folder, Error::Model(ModelError::MissingTensor { name, .. })
        if name == "layers.1.mlp.up_proj.weight");
}

#[test]
fn a_tensor_without_a_place_is_named() {
    let folder = changed("tiny-embedding", |folder| {
        edit_config(folder, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
    });
    refused!(folder, Error::Model(ModelError::UnusedTensors { count: 11, .. }));
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let folder = changed("tiny-embedding", |folder| {
        edit_config(folder, "\"intermediate_size\": 96", "\"intermediate_size\": 48");
    });
    // What people read, once in full.
    assert_eq!(
        load(folder.path()).expect_err("must not load").to_string(),
        "tensor `layers.0.mlp.gate_proj.weight` has shape [96, 32], expected [48, 32]; \
         does config.json belong to these weights?"
    );
}

#[test]
fn another_dtype_is_named() {
    let folder = changed("tiny-embedding", |folder| edit_header(folder, "\"BF16\"", "\"I16\" "));
    refused!(folder, Error::Model(ModelError::TensorDtype { dtype, .. }) if dtype == "I16");
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
        refused!(folder, Error::Model(ModelError::IndexPath { file: named, .. }) if named == file);
    }
}

#[test]
fn a_missing_shard_is_an_error() {
    let folder = changed("tiny-embedding-variant", |folder| {
        fs::remove_file(folder.join("model-00002-of-00002.safetensors")).unwrap();
    });
    refused!(folder, Error::Model(ModelError::Read { path, .. })
        if path.ends_with("model-00002-of-00002.safetensors"));
}

#[test]
fn missing_files_are_named() {
    let without = |file: &str| {
        changed("tiny-embedding", |folder| fs::remove_file(folder.join(file)).unwrap())
    };
    refused!(without("config.json"), Error::NotAModel { .. });
    refused!(without("tokenizer.json"), Error::Read { path, .. }
        if path.ends_with("tokenizer.json"));
    refused!(without("model.safetensors"), Error::Model(ModelError::NoWeights { .. }));
}

#[test]
fn what_the_network_does_not_compute_is_refused_by_key_and_value() {
    for (from, to, expected) in [
        ("\"qwen3\"", "\"llama\"", ("model_type", "llama")),
        ("\"silu\"", "\"gelu\"", ("hidden_act", "gelu")),
        (
            "\"use_sliding_window\": false",
            "\"quantization_config\": {}",
            ("quantization_config", "set"),
        ),
    ] {
        let folder = changed("tiny-embedding", |folder| edit_config(folder, from, to));
        refused!(folder, Error::Model(ModelError::Unsupported { key, value })
            if (key.as_str(), value.as_str()) == expected);
    }
}

#[test]
fn embedding_models_and_rerankers_are_told_apart() {
    let options = options("cpu", "auto");
    for name in ["tiny-reranker-tied", "tiny-reranker-untied", "tiny-seq-cls"] {
        let error = load(&fixture(name)).expect_err("must not load");
        assert!(
            matches!(error, Error::WrongKind { found, .. } if found != Kind::Embedding),
            "{error:?}"
        );
    }
    let folder = fixture("tiny-embedding");
    let error = Reranker::load(&folder, &options).err();
    assert!(matches!(error, Some(Error::WrongKind { found: Kind::Embedding, .. })), "{error:?}");

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
    let error = Reranker::load(path, &options("cpu", "auto")).expect_err("must not load");
    let Error::Model(ModelError::MissingTensor { name, .. }) = error else { panic!("{error:?}") };
    assert_eq!(name, "lm_head.weight");
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
    let error = Embedder::load(path, &options("cpu", "f16")).expect_err("must not load");
    let Error::Model(ModelError::Float16Range { name, value, dtype }) = error else {
        panic!("{error:?}")
    };
    assert_eq!((name.as_str(), value, dtype), ("embed_tokens.weight", 99_840.0, Dtype::F16));
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
    let error = model.encode(["text"], &EncodeOptions::default()).unwrap_err();
    assert!(matches!(error, Error::NonFinite { input: 0, .. }), "{error:?}");
}

#[test]
fn a_model_is_found_by_folder_and_by_a_file_in_it() {
    let folder = fixture("tiny-embedding");
    let file = folder.join("model.safetensors");
    assert!(load(&folder).is_ok() && load(&file).is_ok());
    let error = load(Path::new("no-such-model")).expect_err("must not load");
    let Error::NoSuchModel { model } = error else { panic!("{error:?}") };
    assert_eq!(model, "no-such-model");
    assert_eq!(embedder("tiny-embedding", "cpu", "f32").host().max_dimensions(), 32);
}

/// Another file of the same content, as tools that write safely put it there.
fn replace(path: &Path) {
    let new = path.with_extension("new");
    fs::copy(path, &new).unwrap();
    fs::rename(&new, path).unwrap();
}

#[test]
fn what_is_made_of_a_checkpoint_comes_from_the_files_that_were_opened() {
    let options = options("cpu", "auto");
    let open = |path: &Path| Checkpoint::open(path, &options.hooks).unwrap();
    let folder = changed("tiny-embedding", |_| {});
    let one_file = folder.path().join("portable.safetensors");
    convert(folder.path(), &one_file, &ConvertOptions::default()).unwrap();
    let of_folder = ["config.json", "tokenizer.json", "modules.json", "model.safetensors"];
    let in_folder = of_folder.map(|name| (folder.path().to_owned(), folder.path().join(name)));
    for (model, file) in in_folder.into_iter().chain([(one_file.clone(), one_file)]) {
        let checkpoint = open(&model);
        assert!(Embedder::from_checkpoint(&checkpoint, &options).is_ok());
        replace(&file);
        let is_told = |error: Option<Error>| matches!(error, Some(Error::FilesChanged { .. }));
        let told = file.display();
        assert!(is_told(EmbedderHost::from_checkpoint(&checkpoint, &options).err()), "{told}");
        assert!(is_told(Session::from_checkpoint(&checkpoint, &options).err()), "{told}");
        let out = folder.path().join("out");
        assert!(is_told(checkpoint.convert(&out, &ConvertOptions::default()).err()), "{told}");
        assert!(!out.exists(), "{told}");
        assert!(Embedder::from_checkpoint(&open(&model), &options).is_ok());
    }
}
