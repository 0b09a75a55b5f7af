//! A full-size checkpoint against outputs of Transformers, where both are at hand.

use e2e::{cosine, json, options, shared};
use qwen3_engine::{Embedder, EncodeOptions};
use serde_json::Value;
use std::env;

/// Least cosine, by dtype. The project's bounds; measured 1 − 1e-7 and better
/// in float32 and in bfloat16, whose weights are widened to float32.
const MIN_COSINE: [(&str, f64); 2] = [("f32", 0.99999), ("bf16", 0.999)];

/// Vectors of a NumPy file of float32 rows.
fn npy(bytes: &[u8], columns: usize) -> Vec<Vec<f32>> {
    let header = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    let numbers = bytes[10 + header..].chunks_exact(4);
    let numbers: Vec<f32> = numbers.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    numbers.chunks(columns).map(<[f32]>::to_vec).collect()
}

#[test]
fn a_full_size_checkpoint_agrees() {
    let reference = shared("reference/qwen3-0.6b.embeddings.json");
    let (Some(checkpoint), Some(reference)) = (env::var_os("QWEN3_CHECKPOINT"), reference) else {
        eprintln!("skipped: needs QWEN3_CHECKPOINT and the references beside the repository");
        return;
    };
    let checkpoint = checkpoint.into_string().unwrap();
    let vectors = std::fs::read(reference.with_extension("npy")).unwrap();
    let reference: Value = json(&reference);
    let list = reference["texts"].as_array().unwrap();
    let texts: Vec<&str> = list.iter().map(|entry| entry["text"].as_str().unwrap()).collect();
    for (dtype, min_cosine) in MIN_COSINE {
        // Every text alone, and all of them together.
        for max_batch_tokens in [1, 4096] {
            let max_batch_tokens = Some(max_batch_tokens);
            let options = options("cpu", dtype).max_batch_tokens(max_batch_tokens);
            let model = Embedder::load(&checkpoint, &options).unwrap();
            let found = model.encode(&texts, &EncodeOptions::default()).unwrap();
            let expected = npy(&vectors, model.host().max_dimensions());
            for ((text, found), expected) in list.iter().zip(found).zip(expected) {
                assert_eq!(found.tokens, text["ids"].as_array().unwrap().len(), "{text}");
                let cosine = cosine(&expected, &found.vector);
                println!("{dtype} 1 - cosine {:.1e}", 1.0 - cosine);
                assert!(cosine >= min_cosine, "{dtype}: {cosine} for {text}");
            }
        }
    }
}
