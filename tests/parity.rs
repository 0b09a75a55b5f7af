//! Every backend computes what Hugging Face Transformers computes, layer by
//! layer, in float32.
//!
//! The references are outputs of Transformers 5.23 (`fixtures/README.md`).

use e2e::{cosine, devices_here, embedder, fixture, json, max_difference, reranker};
use qwen3_engine::{EncodeOptions, Prompt, RankOptions, Stage};
use safetensors::SafeTensors;
use serde::Deserialize;

/// Of hidden states, absolute. Measured at most 3.4e-6 on the processor and
/// 4.8e-6 on software Vulkan; the bound is the project's.
const HIDDEN: f32 = 1e-4;
/// Of unit vectors. Measured 1 − 5e-13 at worst.
const MIN_COSINE: f64 = 0.99999;
/// Of log-odds, absolute. Measured at most 3.6e-6.
const LOG_ODDS: f64 = 1e-4;

#[derive(Deserialize)]
struct Reference {
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    name: String,
    text: String,
    input_ids: Vec<u32>,
}

#[derive(Deserialize)]
struct RerankReference {
    pairs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    instruction: String,
    query: String,
    document: String,
    input_ids: Vec<u32>,
    #[serde(alias = "logit")]
    log_odds: f64,
    score: f64,
}

struct Tensors(Vec<u8>);

impl Tensors {
    fn of(fixture_name: &str) -> Self {
        Self(std::fs::read(fixture(fixture_name).join("reference.safetensors")).unwrap())
    }

    fn get(&self, name: &str) -> Option<Vec<f32>> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let bytes = tensors.tensor(name).ok()?.data().chunks_exact(4);
        Some(bytes.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())
    }
}

/// One line per stage; the first `[DIFF]` is where the fault is.
fn report(device: &str, text: &str, stage: Stage, expected: &[f32], found: &[f32]) -> bool {
    let difference = max_difference(expected, found);
    let ok = difference <= HIDDEN;
    let mark = if ok { "[OK]  " } else { "[DIFF]" };
    println!("{mark} {device} {text} {stage:?}: max abs {difference:.2e}");
    ok
}

fn check_layers(fixture_name: &str) {
    let reference: Reference = json(&fixture(fixture_name).join("reference.json"));
    let tensors = Tensors::of(fixture_name);
    for device in devices_here() {
        let model = embedder(fixture_name, device, "f32");
        let mut compared = 0;
        let mut all_ok = true;
        for (index, text) in reference.texts.iter().enumerate() {
            let Some(embed) = tensors.get(&format!("hidden.{index}.0")) else { continue };
            for (stage, found) in model.stages(&text.input_ids).unwrap() {
                let expected = match stage {
                    Stage::Embed => Some(embed.clone()),
                    Stage::Layer(layer) => tensors.get(&format!("hidden.{index}.{}", layer + 1)),
                    Stage::Norm => tensors.get(&format!("norm.{index}")),
                };
                all_ok &= report(device, &text.name, stage, &expected.unwrap(), &found);
                compared += 1;
            }
        }
        assert_eq!(compared, 4 * 5, "four texts of five stages");
        assert!(all_ok, "{device}: see the first [DIFF] line");
    }
}

#[test]
fn every_layer_agrees_on_every_device() {
    check_layers("tiny-embedding");
}

#[test]
fn every_layer_agrees_with_biases_shards_prefix_and_new_config_spelling() {
    check_layers("tiny-embedding-variant");
}

#[test]
fn embeddings_agree_on_every_device() {
    for fixture_name in ["tiny-embedding", "tiny-embedding-variant"] {
        let reference: Reference = json(&fixture(fixture_name).join("reference.json"));
        let tensors = Tensors::of(fixture_name);
        for device in devices_here() {
            let model = embedder(fixture_name, device, "f32");
            let texts: Vec<&str> = reference.texts.iter().map(|text| text.text.as_str()).collect();
            // All in one packed batch; the references were made one by one.
            let found = model.encode(&texts, &EncodeOptions::default()).unwrap();
            for (index, (text, found)) in reference.texts.iter().zip(found).enumerate() {
                let expected = tensors.get(&format!("embedding.{index}")).unwrap();
                let cosine = cosine(&expected, &found.vector);
                println!("{device} {fixture_name} {}: 1 - cosine {:.1e}", text.name, 1.0 - cosine);
                assert!(cosine >= MIN_COSINE, "{device} {}: {cosine}", text.name);
                assert_eq!(found.tokens, text.input_ids.len());
                assert!(!found.truncated);
            }
        }
    }
}

#[test]
fn tokens_agree() {
    let reference: Reference = json(&fixture("tiny-embedding").join("reference.json"));
    let model = embedder("tiny-embedding", "cpu", "f32");
    for text in reference.texts {
        let ids = model.tokenize_one(&text.text, &Prompt::Default).unwrap();
        assert_eq!(ids, text.input_ids, "{}", text.name);
    }
}

#[test]
fn the_model_cards_similarities_agree() {
    let tensors = Tensors::of("tiny-embedding");
    let expected = tensors.get("similarity").unwrap();
    let model = embedder("tiny-embedding", "cpu", "auto");
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
    // Bfloat16 weights widened to float32: measured 1e-6.
    assert!(max_difference(&expected, &found) < 1e-5, "{found:?} against {expected:?}");
}

fn check_scores(fixture_name: &str) {
    let reference: RerankReference = json(&fixture(fixture_name).join("reference.json"));
    for device in devices_here() {
        let model = reranker(fixture_name, device, "f32");
        for pair in &reference.pairs {
            let instruction = Some(pair.instruction.clone());
            let options = RankOptions { instruction, ..RankOptions::default() };
            let found = model.score(&[(&pair.query, &pair.document)], &options).unwrap()[0];
            let difference = (found.log_odds - pair.log_odds).abs();
            println!("{device} {fixture_name} {}: log-odds differ by {difference:.1e}", pair.name);
            assert!(difference < LOG_ODDS, "{} on {device}: {found:?}", pair.name);
            assert!((found.score - pair.score).abs() < LOG_ODDS);
            assert_eq!(found.tokens, pair.input_ids.len());
        }
    }
}

#[test]
fn scores_of_a_tied_reranker_agree() {
    check_scores("tiny-reranker-tied");
}

#[test]
fn scores_of_an_untied_reranker_agree() {
    check_scores("tiny-reranker-untied");
}

#[test]
fn scores_of_a_sequence_classifier_agree() {
    check_scores("tiny-seq-cls");
}
