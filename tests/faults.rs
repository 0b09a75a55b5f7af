//! The comparison finds faults, and names the stage where each is made.
//!
//! `fixtures/faults/` holds what Transformers computes with one fault in it.

use e2e::{changed, devices_here, embedder, fixture, json, reranker};
use qwen3_engine::{DeviceId, Dtype, EncodeOptions, Prompt, RankOptions};
use qwen3_proof::compare::{Line, compare, first_difference};
use qwen3_proof::difference::Difference;
use qwen3_proof::parity::{Outcome, check};
use qwen3_proof::reference::{CaseInput, Output, Reference, Stages, stages};
use qwen3_proof::tolerance::bounds;
use safetensors::SafeTensors;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;

#[derive(Deserialize)]
struct Fault {
    checkpoint: String,
    stage: String,
    file: Option<String>,
    input_ids: Option<Vec<u32>>,
    log_odds: Option<f64>,
}

fn faults() -> BTreeMap<String, Fault> {
    let faults: BTreeMap<String, Fault> = json(&fixture("faults").join("faults.json"));
    assert_eq!(faults.len(), 9);
    faults
}

fn stages_of(fault: &Fault) -> Option<Stages> {
    let bytes = fs::read(fixture("faults").join(fault.file.as_ref()?)).unwrap();
    Some(stages(&SafeTensors::deserialize(&bytes).unwrap(), ""))
}

/// The first line out of the bounds of float32.
fn first(lines: &[Line]) -> Option<&str> {
    first_difference(lines).map(|line| line.stage.as_str())
}

#[test]
fn each_fault_is_named_against_the_reference() {
    let bounds = bounds(DeviceId::Cpu, Dtype::F32, Dtype::F32);
    for (name, fault) in faults() {
        let reference = Reference::read(&fixture(&fault.checkpoint), usize::MAX).unwrap();
        let case = &reference.cases[0];
        let ids = fault.input_ids.as_ref().unwrap_or(&case.input_ids);
        let tokens = Difference::between_ids(&case.input_ids, ids);
        let mut lines = vec![Line::new("tokens", &name, tokens, 0.0)];
        if let Some(found) = stages_of(&fault) {
            lines.extend(compare(&name, &case.stages, &found, bounds.stage));
        }
        if let (Some(found), Output::LogOdds(expected)) = (fault.log_odds, &case.output) {
            let score = Difference::of_number(*expected, found);
            lines.push(Line::new("score", &name, score, bounds.output));
        }
        assert_eq!(first(&lines), Some(&fault.stage[..]), "{name}: {lines:#?}");
    }
}

#[test]
fn each_fault_is_named_against_every_device() {
    let bound = bounds(DeviceId::Cpu, Dtype::F32, Dtype::F32).stage;
    for device in devices_here() {
        for (name, fault) in faults() {
            let reference = Reference::read(&fixture(&fault.checkpoint), usize::MAX).unwrap();
            let case = &reference.cases[0];
            let line = if let Some(faulty) = stages_of(&fault) {
                let model = embedder(&fault.checkpoint, device, "f32");
                let found = model.session().stages(&[&case.input_ids], &case.rows).unwrap();
                let found: Stages =
                    found.into_iter().map(|(stage, values)| (stage.to_string(), values)).collect();
                first(&compare(&name, &faulty, &found, bound)).map(str::to_owned)
            } else if let Some(faulty) = fault.log_odds {
                let CaseInput::Pair { instruction, query, document } = &case.input else {
                    panic!("a reranker's cases are pairs");
                };
                let options = RankOptions::default().instruction(instruction);
                let model = reranker(&fault.checkpoint, device, "f32");
                let found = model.score([(query, document)], &options).unwrap()[0];
                assert!((found.log_odds - faulty).abs() > 1.0, "{name} on {device}");
                continue;
            } else {
                let model = embedder(&fault.checkpoint, device, "f32");
                let query = "What is the capital of China?";
                let options = EncodeOptions::default().prompt(Prompt::Query);
                let ids = e2e::ids(&model, query, &options);
                assert_ne!(Some(ids), fault.input_ids, "{name} on {device}");
                continue;
            };
            assert_eq!(line, Some(fault.stage), "{name} on {device}");
        }
    }
}

/// The first stage in which a changed checkpoint differs from the reference of
/// the one that it was made of.
fn first_of_changed(name: &str, change: impl FnOnce(&std::path::Path)) -> String {
    let folder = changed(name, change);
    let reference = Reference::read(&fixture(name), usize::MAX).unwrap();
    let model = folder.path().to_str().unwrap();
    let cell = check(&reference, model, DeviceId::Cpu, Dtype::F32).unwrap();
    assert!(!cell.ok());
    let compared = cell.compared().expect("it runs");
    compared.first_difference().map(|line| line.stage.clone()).unwrap_or_default()
}

fn replace(path: &std::path::Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn faults_in_the_engine_itself_are_named() {
    let stage = first_of_changed("tiny-embedding", |folder| {
        replace(&folder.join("config.json"), "1e-06", "1e-05");
    });
    assert_eq!(stage, "layers.0.input_layernorm");
    let stage = first_of_changed("tiny-embedding", |folder| {
        let prompts = folder.join("config_sentence_transformers.json");
        replace(&prompts, "Query:", "Query: ");
    });
    assert_eq!(stage, "tokens");
    let stage = first_of_changed("tiny-embedding", |folder| {
        replace(&folder.join("config.json"), "1000000", "10000");
    });
    assert_eq!(stage, "layers.0.self_attn.q_rotary");
    // The row of yes minus that of no, the other way round.
    let stage = first_of_changed("tiny-seq-cls", |folder| {
        let path = folder.join("model.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        let (header_bytes, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let (from, to) = header.info("score.weight").unwrap().data_offsets;
        for number in bytes[8 + header_bytes..][from..to].chunks_exact_mut(4) {
            number[3] ^= 0x80;
        }
        fs::write(path, bytes).unwrap();
    });
    assert_eq!(stage, "score");
}

#[test]
fn a_model_that_does_not_load_is_no_success() {
    let folder = changed("tiny-embedding", |folder| {
        replace(
            &folder.join("config.json"),
            "\"intermediate_size\": 96",
            "\"intermediate_size\": 95",
        );
    });
    let reference = Reference::read(&fixture("tiny-embedding"), usize::MAX).unwrap();
    let cell = check(&reference, folder.path().to_str().unwrap(), DeviceId::Cpu, Dtype::F32);
    let cell = cell.unwrap();
    assert!(!cell.ok());
    assert!(matches!(cell.outcome, Outcome::Failed { error } if error.contains("has shape")));
}
