//! Every backend computes what Hugging Face Transformers computes, at every
//! stage, in every dtype that it can hold.
//!
//! The references are outputs of Transformers 5.23 (`fixtures/README.md`), the
//! bounds those of `proof/src/tolerance.rs`. `cargo xtask parity` does the same.

use e2e::{embedder, fixture, max_difference};
use qwen3_engine::{Devices, Dtype, EncodeOptions, devices};
use qwen3_proof::parity::check;
use qwen3_proof::reference::{CaseInput, Output, Reference};
use qwen3_proof::report;
use safetensors::SafeTensors;

/// In every dtype that a device can hold numbers in.
fn check_everywhere(name: &str) {
    check_in(name, &[]);
}

/// And in blocks.
fn check_in(name: &str, blocks: &[Dtype]) {
    let folder = fixture(name);
    let reference = Reference::read(&folder, usize::MAX).unwrap();
    let stages = reference.cases.iter().map(|case| case.stages.len()).max();
    assert_eq!(stages, Some(1 + 3 * 7 + 1), "embeddings, three layers of seven steps, norm");
    let Devices { found, absent, .. } = devices();
    for absent in absent {
        eprintln!("skipped: no `{}` device here ({})", absent.name, absent.reason);
    }
    for device in found {
        for dtype in device.dtypes.into_iter().chain(blocks.iter().copied()) {
            let cell = check(&reference, folder.to_str().unwrap(), device.id, dtype).unwrap();
            println!("{}", report::lines(&cell));
            assert!(cell.ok(), "{}", report::table(&[cell]));
        }
    }
}

#[test]
fn every_stage_agrees_on_every_device() {
    check_in("tiny-embedding", &[Dtype::Q8_0, Dtype::Q4_0]);
}

#[test]
fn every_stage_agrees_with_biases_shards_prefix_and_new_config_spelling() {
    check_everywhere("tiny-embedding-variant");
}

#[test]
fn every_stage_agrees_beyond_the_range_of_float16() {
    check_everywhere("tiny-embedding-overflow");
}

#[test]
fn a_tied_reranker_agrees() {
    check_in("tiny-reranker-tied", &[Dtype::Q8_0, Dtype::Q4_0]);
}

#[test]
fn an_untied_reranker_agrees() {
    check_everywhere("tiny-reranker-untied");
}

#[test]
fn a_sequence_classifier_agrees() {
    check_everywhere("tiny-seq-cls");
}

#[test]
fn texts_are_embedded_as_their_tokens_are() {
    let reference = Reference::read(&fixture("tiny-embedding"), usize::MAX).unwrap();
    let model = embedder("tiny-embedding", "cpu", "f32");
    for case in reference.cases {
        let (CaseInput::Text(text), Output::Embedding(expected)) = (case.input, case.output) else {
            panic!("an embedding model's cases are texts");
        };
        let ids = model.tokenize([&text], &EncodeOptions::default()).unwrap().remove(0).input_ids;
        assert_eq!(ids, case.input_ids, "{}", case.name);
        let found = model.encode([&text], &EncodeOptions::default()).unwrap().remove(0);
        assert!(max_difference(&expected, &found.vector) < 1e-5, "{}", case.name);
        assert!(!found.truncated);
    }
}

#[test]
fn the_model_cards_similarities_agree() {
    let bytes = std::fs::read(fixture("tiny-embedding").join("reference.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let expected = tensors.tensor("similarity").unwrap().data().chunks_exact(4);
    let expected: Vec<f32> = expected.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let model = embedder("tiny-embedding", "cpu", "f32");
    let options = EncodeOptions::default();
    let queries = ["What is the capital of China?", "Explain gravity"];
    let documents = [
        "The capital of China is Beijing.",
        "Gravity is a force that attracts two bodies towards each other. It gives weight to \
         physical objects and is responsible for the movement of planets around the sun.",
    ];
    let queries = model.encode_query(queries, &options).unwrap();
    let documents = model.encode_document(documents, &options).unwrap();
    let found = model.similarity(&queries, &documents).unwrap().concat();
    let found: Vec<f32> = found.into_iter().map(|x| x as f32).collect();
    // Measured 1e-6.
    assert!(max_difference(&expected, &found) < 1e-5, "{found:?} against {expected:?}");
}
