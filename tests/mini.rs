//! The model inside the program is a model as any other, but for the files that it
//! doesn't have.

use e2e::{devices_here, options};
use qwen3_engine::{
    Checkpoint, ConvertOptions, Embedder, EncodeOptions, Error, Hooks, Kind, MINI, Options,
    Reranker, Session, Source, convert,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TEXTS: [&str; 3] = ["What is the capital of China?", "", "Apples fall."];

/// The file that the program has a copy of.
fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/qwen3-mini/qwen3-mini.safetensors")
}

fn vectors(model: impl Into<Source>, options: &Options) -> Vec<Vec<f32>> {
    let model = Embedder::load(model, options).unwrap();
    let embeddings = model.encode_query(TEXTS, &EncodeOptions::default()).unwrap();
    embeddings.into_iter().map(|embedding| embedding.vector).collect()
}

#[test]
fn its_vectors_are_those_of_its_file_bit_for_bit() {
    for device in devices_here() {
        for dtype in ["auto", "f32"] {
            let options = options(device, dtype);
            let (inside, of_file) = (vectors("mini", &options), vectors(file(), &options));
            assert_eq!(inside, of_file, "{device} {dtype}");
        }
    }
}

#[test]
fn written_as_a_file_it_is_the_same_model() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("model.safetensors");
    convert("mini", &out, &ConvertOptions::default()).unwrap();
    let options = options("cpu", "auto");
    assert_eq!(vectors(out.clone(), &options), vectors("mini", &options));
    let made_of = |model: Source| {
        Checkpoint::open(model, &Hooks::default()).unwrap().provenance().cloned().unwrap()
    };
    assert_eq!(made_of(out.into()), made_of("mini".into()));
}

#[test]
fn it_has_no_files_to_be_looked_for() {
    let checkpoint = Checkpoint::open("mini", &Hooks::default()).unwrap();
    assert_eq!((checkpoint.path(), checkpoint.kind()), (None, Kind::Embedding));
    assert_eq!(checkpoint.source_files().unwrap(), []);
    let located = Source::new("mini").locate(&Hooks::default());
    assert!(matches!(located, Err(Error::NoFiles { model }) if model == "mini"));
}

#[test]
fn it_has_no_revisions() {
    let source = Source::new("mini").revision("v2");
    let error = Checkpoint::open(&source, &Hooks::default()).expect_err("there is no such one");
    assert!(matches!(error, Error::MiniRevision { revision } if revision == "v2"));
}

#[test]
fn its_name_as_a_path_is_that_of_a_folder() {
    assert_eq!(MINI, Some("mini"));
    for path in [Path::new("mini"), Path::new("./mini")] {
        let error = Checkpoint::open(path, &Hooks::default()).expect_err("there is no folder");
        assert!(matches!(error, Error::NoSuchModel { .. }), "{error}");
    }
}

#[test]
fn it_is_no_reranker() {
    let error = Reranker::load("mini", &options("cpu", "auto")).expect_err("it is none");
    let Error::WrongKind { model, found, .. } = error else { panic!("{error}") };
    assert_eq!((model.as_str(), found), ("mini", Kind::Embedding));
}

#[test]
fn its_network_can_be_loaded_again() {
    let options = options("cpu", "auto");
    let model = Embedder::load("mini", &options).unwrap();
    let files = model.host().files();
    assert_eq!(files.path(), None);
    assert!(Session::load_from(files, &options).is_ok());
}
