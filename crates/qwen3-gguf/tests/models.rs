//! Whole models: the tiny checkpoints as `make_gguf.py` of the fixtures wrote them, compared
//! with the checkpoints; and what is refused.

mod support;

use qwen3_gguf::{
    Description, Dtype, Error, GgufFile, Pooling, Purpose, Tensor, checkpoint_name, ggml_name,
    weights,
};
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use support::*;

const EMBEDDING: &str = "gguf/tiny-embedding-q8_0.gguf";
const RERANKER: &str = "gguf/tiny-reranker-mixed.gguf";

fn model(name: &str) -> (GgufFile, Description) {
    let file = GgufFile::open(&fixture(name)).unwrap();
    let model = Description::of(&file).unwrap();
    (file, model)
}

fn describe(change: impl FnOnce(&mut Writer)) -> Result<Description, Error> {
    let mut writer = Writer::model();
    change(&mut writer);
    Description::of(&open(writer.bytes())?)
}

/// The numbers of a checkpoint in bfloat16, by names with `model.`.
fn checkpoint(folder: &str) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let content = content(&format!("{folder}/model.safetensors"));
    let tensors = SafeTensors::deserialize(&content).unwrap();
    let named = tensors.iter().map(|(name, tensor)| {
        let number = |bytes: &[u8]| f32::from_le_bytes([0, 0, bytes[0], bytes[1]]);
        let numbers = tensor.data().chunks_exact(2).map(number).collect();
        (format!("model.{}", name.trim_start_matches("model.")), (tensor.shape().to_vec(), numbers))
    });
    named.collect()
}

/// How far a number may be off, of the largest one in its block.
fn tolerance(dtype: Dtype) -> f32 {
    match dtype {
        Dtype::F32 | Dtype::Bf16 => 0.0,
        Dtype::F16 => 1.0 / 2048.0,
        // Half a step, and the rounding of the scale.
        Dtype::Q8_0 => 0.5 / 127.0 + 1.0 / 2048.0,
        Dtype::Q5_0 => 1.0 / 16.0 + 1.0 / 2048.0,
        Dtype::Q5_1 => 1.0 / 31.0 + 3.0 / 2048.0,
        Dtype::Q4_0 => 1.0 / 8.0 + 1.0 / 2048.0,
        Dtype::Q4_1 => 1.0 / 15.0 + 3.0 / 2048.0,
        other => panic!("no {other} in the fixtures"),
    }
}

fn check_numbers(file: &GgufFile, tensor: &Tensor, expected: &[f32]) {
    let blocks = tensor.widened(file);
    for (found, expected) in blocks.chunks(32).zip(expected.chunks(32)) {
        let largest = expected.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
        for (x, y) in found.iter().zip(expected) {
            let bound = largest * tolerance(tensor.dtype) * 1.001;
            assert!((x - y).abs() <= bound, "{}: {x} for {y}", tensor.name);
        }
    }
}

#[test]
fn every_tensor_has_the_numbers_of_the_checkpoint() {
    for (name, folder, heads) in [
        (EMBEDDING, "tiny-embedding", &[][..]),
        (RERANKER, "tiny-reranker-tied", &["yes_no.weight"]),
    ] {
        let (file, model) = model(name);
        let mut found = weights(&file, &model).unwrap();
        for head in heads {
            assert!(found.remove(*head).is_some(), "{head}");
        }
        let expected = checkpoint(folder);
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (key, (shape, numbers)) in &expected {
            assert_eq!(&found[key].shape, shape, "{key}");
            check_numbers(&file, &found[key], numbers);
        }
    }
}

#[test]
fn matrices_that_are_one_in_the_file_are_rows_of_it() {
    let (file, model) = model(RERANKER);
    let fused = file.tensor("blk.1.attn_qkv.weight").unwrap();
    assert_eq!((&fused.shape[..], fused.dtype), (&[64 + 32 + 32, 32][..], Dtype::Q4_0));
    let weights = weights(&file, &model).unwrap();
    let part = |part| &weights[&format!("model.layers.1.self_attn.{part}_proj.weight")];
    assert_eq!(part("q").bytes.start, fused.bytes.start);
    assert_eq!(part("q").bytes.end, part("k").bytes.start);
    assert_eq!(part("k").bytes.end, part("v").bytes.start);
    assert_eq!(part("v").bytes.end, fused.bytes.end);
}

#[test]
fn the_rows_of_yes_and_no_are_those_of_the_table() {
    let (file, model) = model(RERANKER);
    let (_, table) = &checkpoint("tiny-reranker-tied")["model.embed_tokens.weight"];
    let row = |id: usize| &table[32 * id..][..32];
    let yes_no = &weights(&file, &model).unwrap()["yes_no.weight"];
    assert_eq!(yes_no.shape, [2, 32]);
    assert_eq!(yes_no.widened(&file), [row(265), row(261)].concat());
}

#[test]
fn the_config_is_that_of_the_checkpoint() {
    for (name, folder) in [(EMBEDDING, "tiny-embedding"), (RERANKER, "tiny-reranker-tied")] {
        let found: Value = serde_json::from_slice(&model(name).1.config_json()).unwrap();
        let expected = content(&format!("{folder}/config.json"));
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        for (key, found) in found.as_object().unwrap() {
            // The checkpoint's class of an embedding model is that of a language model, too.
            assert_eq!(found.as_f64(), expected[key].as_f64(), "{key}");
            assert!(found.is_number() || *found == expected[key], "{key}: {found}");
        }
    }
}

#[test]
fn a_file_says_what_it_is_for() {
    let (_, embedding) = model(EMBEDDING);
    assert_eq!(embedding.name.as_deref(), Some("tiny-embedding"));
    let is = |model: &Description| (model.pooling, model.purpose);
    assert_eq!(is(&embedding), (Some(Pooling::Last), Some(Purpose::Embedding)));
    assert_eq!(is(&model(RERANKER).1), (Some(Pooling::Rank), Some(Purpose::Reranker)));

    let silent = describe(|writer| writer.remove("qwen3.pooling_type")).unwrap();
    assert_eq!(is(&silent), (None, None), "as conversions of rerankers that say nothing");
    let language_model = describe(|writer| writer.set("qwen3.pooling_type", u32(0))).unwrap();
    assert_eq!(is(&language_model), (Some(Pooling::None), None));
    let classifier = describe(|writer| writer.tensor("cls.output.weight", &[32, 1])).unwrap();
    assert_eq!(classifier.purpose, Some(Purpose::SequenceClassification));
    let config = String::from_utf8(classifier.config_json()).unwrap();
    assert!(config.contains("Qwen3ForSequenceClassification"), "{config}");
}

#[test]
fn sizes_are_those_of_the_file_and_not_of_a_model() {
    let model = describe(|writer| {
        writer.set("qwen3.rope.freq_base", f32(3.5e6));
        writer.tensor("output.weight", &[32, 4]);
        writer.tensor("blk.0.attn_q.bias", &[64]);
    });
    let config = model.unwrap().config;
    assert_eq!((config.rope_theta, config.rms_norm_eps, config.vocab_size), (3.5e6, 1e-6, 4));
    assert!(config.attention_bias && !config.tie_word_embeddings);
}

fn labelled_no_first(w: &mut Writer) {
    w.tensor("cls.output.weight", &[32, 2]);
    w.set("qwen3.classifier.output_labels", texts(&["no", "yes"]));
}

#[test]
fn what_is_another_network_is_refused() {
    type Change = fn(&mut Writer);
    let changes: [(Change, &str); 29] = [
        (|w| w.set("general.architecture", text("llama")), "`general.architecture`: `llama`"),
        (|w| w.set("general.type", text("adapter")), "`general.type`: `adapter`"),
        (|w| w.set("qwen3.rope.freq_base", f32(f32::NAN)), "freq_base`: `NaN`"),
        (|w| w.set("qwen3.attention.layer_norm_rms_epsilon", f32(-1.0)), "epsilon`: `-1`"),
        (|w| w.remove("general.architecture"), "has no `general.architecture`"),
        (|w| w.set("split.count", u32(3)), "one of the 3 files"),
        (|w| w.set("qwen3.rope.scaling.type", text("yarn")), "scaling.type`: `yarn`"),
        (|w| w.set("qwen3.attention.causal", bool(false)), "causal`: `false`"),
        (|w| w.set("qwen3.attention.sliding_window", u32(9)), "sliding_window`: `9`"),
        (|w| w.set("qwen3.attention.value_length", u32(8)), "value_length`: `8`"),
        (|w| w.set("qwen3.rope.dimension_count", u32(8)), "dimension_count`: `8`"),
        (|w| w.set("qwen3.pooling_type", u32(1)), "pooling_type`: `mean`"),
        (|w| w.set("qwen3.rope.scaling.factor", f32(4.0)), "scaling.factor`: `4`"),
        (|w| w.set("qwen3.rope.scale_linear", f32(2.0)), "scale_linear`: `2`"),
        (|w| w.set("qwen3.rope.scaling.attn_factor", f32(0.5)), "attn_factor`: `0.5`"),
        (|w| w.set("qwen3.attention.scale", f32(0.1)), "attention.scale`: `0.1`"),
        (|w| w.set("qwen3.expert_count", u32(8)), "expert_count`: `8`"),
        (|w| w.set("qwen3.any_other", text("on")), "any_other`: `on`"),
        (|w| w.set("qwen3.deepstack_mapping", i32s(&[1, 2])), "mapping`: `an array of 2`"),
        (|w| w.set("qwen3.attention.key_length", u32(0)), "key_length`: `0`"),
        (|w| w.set("qwen3.block_count", value(5, &(-5i32).to_le_bytes())), "block_count`: `-5`"),
        (|w| w.set("qwen3.pooling_type", value(5, &[255; 4])), "pooling_type`: `-1`"),
        (|w| w.set("qwen3.embedding_length", u32(0)), "embedding_length`: `0`"),
        (|w| w.set("qwen3.block_count", text("many")), "is a text, expected a whole number"),
        (|w| w.remove("qwen3.attention.key_length"), "has no `qwen3.attention.key_length`"),
        (|w| w.remove("qwen3.rope.freq_base"), "has no `qwen3.rope.freq_base`"),
        (|w| w.tensors.clear(), "no tensor `token_embd.weight`"),
        (|w| w.tensors[0].dimensions = vec![16, 8], "shape [8, 16], expected [_, 32]"),
        (labelled_no_first, "output_labels`: `no, yes`"),
    ];
    for (change, expected) in changes {
        let found = describe(change).unwrap_err().to_string();
        assert!(found.contains(expected), "`{found}` has `{expected}`");
    }
}

#[test]
fn what_says_that_there_is_no_such_thing_is_taken() {
    let model = describe(|w| {
        w.set("qwen3.rope.scaling.type", text("none"));
        w.set("qwen3.rope.scaling.factor", f32(1.0));
        w.set("qwen3.rope.scaling.attn_factor", f32(1.0));
        w.set("qwen3.rope.scaling.original_context_length", u32(64));
        w.set("qwen3.rope.dimension_count", u32(16));
        w.set("qwen3.vocab_size", u32(4));
        w.set("qwen3.attention.causal", bool(true));
        w.set("qwen3.attention.sliding_window", u32(0));
        w.set("qwen3.expert_count", u32(0));
        w.set("qwen3.use_parallel_residual", bool(false));
        // Of another architecture, and of what doesn't compute.
        w.set("llama.rope.scaling.factor", f32(4.0));
        w.set("general.file_type", u32(7));
    });
    assert_eq!(model.unwrap(), describe(|_| {}).unwrap());
}

#[test]
fn tensors_without_a_place_are_told() {
    let found = |name: &str, dimensions: &[u64]| {
        let mut writer = Writer::model();
        writer.tensor(name, dimensions);
        writer.tensor("blk.0.attn_q.weight", &[32, 64]);
        let file = open(writer.bytes()).unwrap();
        weights(&file, &Description::of(&file).unwrap()).unwrap_err().to_string()
    };
    for (name, dimensions, expected) in [
        ("rope_freqs.weight", &[32][..], "`rope_freqs.weight` of `model.gguf` has no place"),
        ("cls.output.weight", &[32, 3], "shape [3, 32]"),
        ("blk.0.attn_qkv.weight", &[32, 127], "shape [127, 32]"),
        ("blk.0.attn_qkv.weight", &[32, 128], "q_proj.weight` twice"),
    ] {
        let found = found(name, dimensions);
        assert!(found.contains(expected), "`{found}` has `{expected}`");
    }
}

#[test]
fn names_are_those_of_the_checkpoint() {
    for (name, expected) in [
        ("output.weight", Some("lm_head.weight")),
        ("blk.27.attn_output.weight", Some("model.layers.27.self_attn.o_proj.weight")),
        ("blk.0.attn_k.bias", Some("model.layers.0.self_attn.k_proj.bias")),
        ("blk.0.ffn_norm.weight", Some("model.layers.0.post_attention_layernorm.weight")),
        ("blk.0.attn_norm.bias", None),
        ("blk.0.attn_q.scale", None),
        ("blk.00.attn_q.weight", None),
        ("blk.+1.attn_q.weight", None),
        ("blk.99999999999999999999.attn_q.weight", None),
        ("blk.0.attn_q.weight.x", None),
        ("token_embd.bias", None),
    ] {
        assert_eq!(checkpoint_name(name).as_deref(), expected, "{name}");
        let back = expected.map(|expected| ggml_name(expected).unwrap());
        assert!(back.is_none_or(|back| back == name), "{name}");
    }
}
