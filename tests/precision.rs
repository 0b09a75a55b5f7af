//! Half-precision weights: close to float32, and never out of range.

use e2e::{cosine, devices_here, embedder, fixture, json, options};
use qwen3_engine::{Embedder, EncodeOptions, Stage, devices};
use safetensors::SafeTensors;
use serde_json::Value;

/// Least cosine to Transformers in float32. Measured: CPU 1 − 2e-12 (its
/// arithmetic is float32), software Vulkan in float16 1 − 1.2e-6, and 1 − 3.7e-6
/// where the residual stream leaves float16's range.
const MIN_COSINE: f64 = 0.9995;

struct Expected {
    ids: Vec<Vec<u32>>,
    embeddings: Vec<Vec<f32>>,
    similarity: Vec<f32>,
}

fn expected(name: &str) -> Expected {
    let folder = fixture(name);
    let reference: Value = json(&folder.join("reference.json"));
    let bytes = std::fs::read(folder.join("reference.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |name: &str| -> Vec<f32> {
        let bytes = tensors.tensor(name).unwrap().data().chunks_exact(4);
        bytes.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let texts = reference["texts"].as_array().unwrap();
    Expected {
        ids: texts
            .iter()
            .map(|text| serde_json::from_value(text["input_ids"].clone()).unwrap())
            .collect(),
        embeddings: (0..texts.len()).map(|index| tensor(&format!("embedding.{index}"))).collect(),
        similarity: tensor("similarity"),
    }
}

/// The devices here with the 16-bit dtypes that each can hold.
fn half_precisions() -> Vec<(&'static str, String)> {
    let names = devices_here();
    let (found, _) = devices();
    let of_device = |name: &'static str| {
        let device = found.iter().find(|device| device.id.name() == name).unwrap();
        let dtypes = device.dtypes.iter().map(|dtype| format!("{dtype:?}").to_lowercase());
        dtypes.filter(|dtype| dtype != "f32").map(move |dtype| (name, dtype))
    };
    names.into_iter().flat_map(of_device).collect()
}

fn check(name: &str) {
    let expected = expected(name);
    for (device, dtype) in half_precisions() {
        // Bfloat16 has three bits less than these float16 weights.
        if name == "tiny-embedding-overflow" && dtype == "bf16" {
            continue;
        }
        let model = embedder(name, device, &dtype);
        let found = model.encode(&expected.ids, &EncodeOptions::default()).unwrap();
        for (index, (expected, found)) in expected.embeddings.iter().zip(&found).enumerate() {
            let cosine = cosine(expected, &found.vector);
            println!("{name} {device} {dtype} text {index}: 1 - cosine {:.1e}", 1.0 - cosine);
            assert!(cosine >= MIN_COSINE, "{name} {device} {dtype} text {index}: {cosine}");
        }
        // The same ranking of the two documents for each query.
        let similar = model.similarity(&found[..2], &found[2..4]).unwrap();
        for (row, expected) in similar.iter().zip(expected.similarity.chunks(2)) {
            assert_eq!(row[0] > row[1], expected[0] > expected[1], "{device} {dtype}");
        }
    }
}

#[test]
fn half_precision_weights_are_close_to_float32() {
    check("tiny-embedding");
}

#[test]
fn float16_is_right_where_the_residual_stream_leaves_its_range() {
    // The premise: hidden states beyond 65,504.
    let expected = expected("tiny-embedding-overflow");
    let model = embedder("tiny-embedding-overflow", "cpu", "f16");
    let stages = model.stages(&expected.ids[3]).unwrap();
    let (stage, hidden) = &stages[1];
    assert_eq!(*stage, Stage::Layer(0));
    let largest = hidden.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    assert!(largest > 2.0 * 65504.0, "{largest}");
    check("tiny-embedding-overflow");
}

#[test]
fn auto_keeps_the_dtype_of_the_file_where_the_device_can() {
    let dtype = |name| format!("{:?}", embedder(name, "cpu", "auto").dtype());
    assert_eq!(dtype("tiny-embedding"), "Bf16");
    assert_eq!(dtype("tiny-embedding-variant"), "F16");
    assert_eq!(format!("{:?}", embedder("tiny-embedding", "ndarray", "auto").dtype()), "F32");
}

#[test]
fn a_dtype_that_the_device_lacks_is_an_error() {
    let folder = fixture("tiny-embedding");
    let error =
        Embedder::load(folder.to_str().unwrap(), &options("ndarray", "bf16")).err().unwrap();
    assert_eq!(error.to_string(), "device `ndarray` can't hold bf16 weights, only f32");
}
