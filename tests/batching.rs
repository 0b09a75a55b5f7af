//! A text's vector doesn't depend on its batch: neighbours, order, size,
//! equal lengths, duplicates.

use e2e::{devices_here, embedder, fixture, max_difference, options, reranker};
use qwen3_engine::{Embedder, EncodeOptions, RankOptions};

/// Of a number of a unit vector, absolute, between a text alone and in any
/// batch. `cpu` sums every number in one order whatever is computed beside it,
/// so there it is 0; 0 was measured on ndarray and software Vulkan too.
const TOLERANCE: f32 = 2e-6;
/// Float16 weights on a GPU. Measured 0 on software Vulkan; but where a device
/// takes another kernel for another size, inputs that are rounded to float16
/// can move by 2^-11 from layer to layer.
const GPU_FLOAT16: f32 = 2e-3;

fn texts() -> Vec<String> {
    let words = ["gravity", "北京", "is a force", "مرحبا", "🚀", "fn main() {}", "planets"];
    let mut texts: Vec<String> = (1..30)
        .map(|length| {
            (0..length).map(|i| words[(i * i + length) % 7]).collect::<Vec<_>>().join(" ")
        })
        .collect();
    texts.push(String::new());
    texts.push(texts[4].clone());
    texts.push("aaaa".to_owned());
    texts.push("bbbb".to_owned());
    texts
}

fn check(device: &str, dtype: &str, tolerance: f32) {
    let load = |max_batch_tokens| {
        let options = options(device, dtype).max_batch_tokens(max_batch_tokens);
        Embedder::load(fixture("tiny-embedding"), &options).unwrap()
    };
    let texts = texts();
    let encode = |model: &Embedder, texts: &[String]| -> Vec<Vec<f32>> {
        let embeddings = model.encode(texts, &EncodeOptions::default()).unwrap();
        embeddings.into_iter().map(|embedding| embedding.vector).collect()
    };
    // A budget of one token: every text is a batch of its own.
    let alone = encode(&load(1), &texts);
    for max_batch_tokens in [100, 100_000] {
        let together = encode(&load(max_batch_tokens), &texts);
        for (index, (alone, together)) in alone.iter().zip(&together).enumerate() {
            let difference = max_difference(alone, together);
            println!("{device} {dtype} {max_batch_tokens} text {index}: {difference:.1e}");
            assert!(difference <= tolerance, "{device} {dtype} text {index}: {difference:e}");
        }
    }
    let mut reversed: Vec<String> = texts.clone();
    reversed.reverse();
    let mut backwards = encode(&load(100), &reversed);
    backwards.reverse();
    for (alone, backwards) in alone.iter().zip(&backwards) {
        assert!(max_difference(alone, backwards) <= tolerance, "{device} {dtype} reversed");
    }
}

#[test]
fn a_text_alone_and_in_any_batch_on_the_cpu() {
    for dtype in ["f32", "bf16", "f16", "q8_0", "q4_0"] {
        check("cpu", dtype, 0.0);
    }
    check("ndarray", "f32", TOLERANCE);
    check("ndarray", "q8_0", TOLERANCE);
}

#[test]
fn a_text_alone_and_in_any_batch_on_a_gpu() {
    for device in devices_here() {
        if !["cpu", "ndarray"].contains(&device) {
            check(device, "f32", TOLERANCE);
            check(device, "f16", GPU_FLOAT16);
            check(device, "q8_0", TOLERANCE);
            check(device, "q4_0", TOLERANCE);
        }
    }
}

#[test]
fn rerank_scores_do_not_depend_on_the_other_documents() {
    let model = reranker("tiny-reranker-tied", "cpu", "auto");
    let texts = texts();
    let options = RankOptions::default();
    let ranked = model.rank("gravity", &texts, &options).unwrap();
    assert_eq!(ranked.len(), texts.len());
    for ranked in &ranked {
        let alone = model.score([("gravity", &texts[ranked.index])], &options).unwrap()[0];
        assert_eq!(alone.log_odds, ranked.score.log_odds, "to the last bit on the CPU");
        assert!((0.0..=1.0).contains(&ranked.score.score));
    }
    let log_odds: Vec<f64> = ranked.iter().map(|ranked| ranked.score.log_odds).collect();
    assert!(log_odds.is_sorted_by(|a, b| a >= b), "best first");
    let best = model.rank("gravity", &texts, &options.top_n(3)).unwrap();
    assert_eq!(best, ranked[..3]);
}

#[test]
fn equal_texts_have_equal_vectors_and_an_empty_list_has_none() {
    let model = embedder("tiny-embedding", "cpu", "auto");
    let twice = model.encode(["same", "other one", "same"], &EncodeOptions::default()).unwrap();
    assert_eq!(twice[0], twice[2]);
    assert_ne!(twice[0].vector, twice[1].vector);
    assert!(model.encode(Vec::<&str>::new(), &EncodeOptions::default()).unwrap().is_empty());
}
