//! GGUF files are models: their vectors are those of the checkpoint in the same blocks, and
//! near those that Transformers computes of the whole weights.

use e2e::{devices_here, fixture, options};
use qwen3_engine::{
    Checkpoint, ConvertOptions, Dtype, Embedder, EncodeOptions, Error, Hooks, Kind, RankOptions,
    Reranker, Similarity, convert,
};
use qwen3_proof::reference::{Case, CaseInput, Output, Reference};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const TEXTS: [&str; 4] = ["What is the capital of China?", "", "Apples fall.", "北京 🚀 مرحبا"];
const PAIRS: [(&str, &str); 2] = [("gravity", "Apples fall."), ("capital", "")];

fn vectors(model: &Path, device: &str, dtype: &str) -> Vec<Vec<f32>> {
    let model = Embedder::load(model, &options(device, dtype)).unwrap();
    let embeddings = model.encode(TEXTS, &EncodeOptions::default()).unwrap();
    embeddings.into_iter().map(|embedding| embedding.vector).collect()
}

fn log_odds(model: &Path, device: &str, dtype: &str) -> Vec<f64> {
    let model = Reranker::load(model, &options(device, dtype)).unwrap();
    let scores = model.score(PAIRS, &RankOptions::default()).unwrap();
    scores.into_iter().map(|score| score.log_odds).collect()
}

#[test]
fn vectors_are_those_of_the_checkpoint_in_the_same_blocks() {
    let file = fixture("gguf/tiny-embedding-q8_0.gguf");
    for device in devices_here() {
        let found = vectors(&file, device, "auto");
        assert_eq!(found, vectors(&fixture("tiny-embedding"), device, "q8_0"), "{device}");
        let model = Embedder::load(&file, &options(device, "auto")).unwrap();
        assert_eq!(model.dtype(), Dtype::Q8_0);
    }
}

/// 8 bits with a scale for 32 numbers: measured 1 − 5.4e-4 at worst. A network of 32
/// random columns averages little out.
const Q8_0: f64 = 0.999;

#[test]
fn vectors_are_near_those_of_transformers() {
    let reference = Reference::read(&fixture("tiny-embedding"), usize::MAX).unwrap();
    for device in devices_here() {
        let file = fixture("gguf/tiny-embedding-q8_0.gguf");
        let cosine = worst_cosine(&file, &reference, device, "auto");
        assert!(cosine >= Q8_0, "{device}: {cosine}");
    }
}

/// Every dtype in one file; Transformers computed from the numbers that PyPI `gguf` makes of it.
#[test]
fn vectors_of_every_dtype_are_those_that_transformers_computes_of_its_numbers() {
    let folder = fixture("gguf/every-dtype");
    let reference = Reference::read(&folder, usize::MAX).unwrap();
    let file = folder.join("every-dtype.gguf");
    for device in devices_here() {
        let exact = worst_cosine(&file, &reference, device, "f32");
        assert!(exact >= EXACT, "{device}: 1 - {:e}", 1.0 - exact);
        // Inputs are rounded on the CPU: measured 1 − 4.5e-5 with AMX. Tensor cores would take
        // numbers in float16.
        let least = match device {
            "cpu" => 0.9995,
            "ndarray" => EXACT,
            _ => 0.9999,
        };
        let as_stored = worst_cosine(&file, &reference, device, "auto");
        assert!(as_stored >= least, "{device}: 1 - {:e}", 1.0 - as_stored);
    }
}

/// Sums of float32 in another order: measured 1 − 3e-12.
const EXACT: f64 = 0.999_999_9;

/// Of all cases, whose tokens must be the same.
fn worst_cosine(file: &Path, reference: &Reference, device: &str, dtype: &str) -> f64 {
    let model = Embedder::load(file, &options(device, dtype)).unwrap();
    let cosine = |case: &Case| {
        let (CaseInput::Text(text), Output::Embedding(expected)) = (&case.input, &case.output)
        else {
            panic!("an embedding model's cases are texts");
        };
        let ids = model.tokenize([text], &EncodeOptions::default()).unwrap().remove(0);
        assert_eq!(ids.input_ids, case.input_ids, "{}", case.name);
        let found = model.encode([text], &EncodeOptions::default()).unwrap().remove(0).vector;
        Similarity::Cosine.of(&found, expected)
    };
    reference.cases.iter().map(cosine).fold(1.0, f64::min)
}

/// A file with every dtype of short rows, its yes and no as a classifier, and fused matrices.
#[test]
fn a_reranker_of_many_dtypes_is_computed_as_its_numbers_are() {
    let file = fixture("gguf/tiny-reranker-mixed.gguf");
    let checkpoint = Checkpoint::open(&file, &Hooks::default()).unwrap();
    assert_eq!(checkpoint.kind(), Kind::Reranker);
    // All of its numbers in float32, computed in float32.
    let exact = log_odds(&file, "ndarray", "f32");
    let expected = log_odds(&fixture("tiny-reranker-tied"), "ndarray", "f32");
    let off =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off(&exact, &expected) < 0.5, "{exact:?} for {expected:?}");
    for device in devices_here() {
        let found = log_odds(&file, device, "auto");
        // Measured at most 6e-2: inputs are rounded to 8 bits or bfloat16 on some devices.
        assert!(off(&found, &exact) < 0.2, "{device}: {found:?} for {exact:?}");
    }
}

/// Many conversions have neither pooling nor classifier. The rows of its head are float32 in the
/// file, as a checkpoint's stay what they are.
#[test]
fn a_reranker_that_says_nothing_of_itself_is_scored_by_its_head() {
    let (file, folder) = (fixture("gguf/tiny-reranker-bare.gguf"), fixture("tiny-reranker-untied"));
    for device in devices_here() {
        let expected = log_odds(&folder, device, "q8_0");
        assert_eq!(log_odds(&file, device, "auto"), expected, "{device}");
    }
    let tied = log_odds(&fixture("tiny-reranker-tied"), "cpu", "q8_0");
    assert_ne!(log_odds(&file, "cpu", "auto"), tied, "by the head, and not by the table");
}

#[test]
fn a_converted_file_gives_the_same_vectors_bit_for_bit() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("model.safetensors");
    let file = fixture("gguf/tiny-embedding-q8_0.gguf");
    let made = convert(&file, &out, &ConvertOptions::default()).unwrap();
    let checkpoint = Checkpoint::open(&out, &Hooks::default()).unwrap();
    assert_eq!(checkpoint.dtype().unwrap(), Dtype::Q8_0);
    assert_eq!(made.provenance.kind, Kind::Embedding);
    assert_eq!(vectors(&out, "cpu", "auto"), vectors(&file, "cpu", "auto"));
    // Once more, to other blocks.
    let again = folder.path().join("again.safetensors");
    convert(&out, &again, &ConvertOptions::default().dtype(Dtype::Q4_0)).unwrap();
    assert_eq!(vectors(&again, "cpu", "auto"), vectors(&out, "cpu", "q4_0"));
    let reranker = fixture("gguf/tiny-reranker-mixed.gguf");
    let out = folder.path().join("reranker.safetensors");
    convert(&reranker, &out, &ConvertOptions::default()).unwrap();
    assert_eq!(log_odds(&out, "cpu", "auto"), log_odds(&reranker, "cpu", "auto"));
}

#[test]
fn a_file_that_is_cut_short_or_of_another_model_is_an_error() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.gguf");
    let whole = fs::read(fixture("gguf/tiny-embedding-q8_0.gguf")).unwrap();
    for length in [4, 23, 24, 1_000, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = Checkpoint::open(&path, &Hooks::default()).err();
        let Some(Error::Model(error)) = error else { panic!("{length} bytes: {error:?}") };
        assert!(error.to_string().contains("model.gguf"), "{error}");
    }
    let error = Checkpoint::open(fixture("gguf/blocks.gguf"), &Hooks::default()).err().unwrap();
    assert!(error.to_string().contains("has no `qwen3."), "{error}");
}

/// The processor computes from the file itself.
#[cfg(unix)]
#[test]
fn a_file_that_was_written_to_in_its_place_gives_no_other_vectors() {
    let folder = TempDir::new().unwrap();
    let whole = fs::read(fixture("gguf/tiny-embedding-q8_0.gguf")).unwrap();
    let path = folder.path().join("model.gguf");
    let encode = |model: &Embedder| model.encode(TEXTS, &EncodeOptions::default());
    for content in [&whole[..], &whole[..1_000]] {
        fs::write(&path, &whole).unwrap();
        let model = Embedder::load(&path, &options("cpu", "auto")).unwrap();
        let expected = encode(&model).unwrap();
        let replaced = folder.path().join("replaced.gguf");
        fs::rename(&path, &replaced).unwrap();
        fs::write(&path, content).unwrap();
        assert_eq!(encode(&model).unwrap(), expected, "another file has its name");
        fs::rename(&replaced, &path).unwrap();
        assert_eq!(encode(&model).unwrap(), expected);
        fs::write(&path, content).unwrap();
        let error = encode(&model).unwrap_err();
        assert!(matches!(error, Error::FilesChanged { .. }), "{error:?}");
    }
}
