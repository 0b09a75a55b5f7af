//! How long a training step takes, on the CPU: `cargo bench -p qwen3-autodiff`.
//!
//! Networks of random weights with a small model's shape, texts of 20 tokens,
//! distillation into random targets. Times are of whole steps: forward, backward, AdamW.

use burn_flex::Flex;
use qwen3::random::{self, Random};
use qwen3::{Config, Dtype, MatmulStrategy, PackedBatch, Weights};
use qwen3_autodiff::{
    AdamW, Distillation, Head, Method, Objective, Plan, StepSettings, open_training,
};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

const TEXTS: usize = 256;
const TOKENS: usize = 20;
const WARM_UP: u32 = 3;
const STEPS: u32 = 10;
const ADAMW: AdamW = AdamW {
    learning_rate: 1e-4,
    beta_1: 0.9,
    beta_2: 0.98,
    epsilon: 1e-8,
    weight_decay: 0.01,
    gradient_scale: 1.0,
    step: 1,
};

fn main() {
    let config = config();
    let weights = random::weights(&config).expect("weights of this shape");
    for dtype in [Dtype::F32, Dtype::Bf16] {
        let seconds = seconds_per_step(&config, &weights, dtype);
        let tokens = (TEXTS * TOKENS) as f64 / seconds;
        println!("{dtype}: {:.0} ms a step, {tokens:.0} tokens/s", seconds * 1e3);
    }
}

fn config() -> Config {
    let json = serde_json::json!({
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": false,
        "eos_token_id": 0, "head_dim": 64, "hidden_act": "silu", "hidden_size": 256,
        "intermediate_size": 768, "max_position_embeddings": 2048, "num_attention_heads": 4,
        "num_hidden_layers": 4, "num_key_value_heads": 4, "rms_norm_eps": 1e-6,
        "rope_theta": 10_000, "tie_word_embeddings": true, "vocab_size": 16_384,
    });
    Config::from_json(json.to_string().as_bytes(), Path::new("config.json"))
        .expect("a config of this shape")
}

fn seconds_per_step(config: &Config, weights: &Weights, dtype: Dtype) -> f64 {
    let plan = Plan {
        method: Method::Full,
        dtype,
        strategy: MatmulStrategy::PlainUnits,
        max_tensor_bytes: u64::MAX,
        head: Head::Embedding,
    };
    let mut trainer = open_training::<Flex>(Default::default())
        .load(weights, config, &plan, &mut |_, _| ControlFlow::Continue(()))
        .expect("a model of this shape");
    let mut random = Random::new(1);
    let sequences: Vec<Vec<u32>> =
        (0..TEXTS).map(|_| (0..TOKENS).map(|_| random.below(16_384)).collect()).collect();
    let batch = PackedBatch::new(&sequences, config).expect("a batch of this shape");
    let targets: Vec<f32> = (0..TEXTS * 256).map(|_| random.unit() / 16.0).collect();
    let objective = Objective::Distillation(Distillation {
        targets: &targets,
        similarity_weight: 2.0,
        ranking_weight: 0.0,
        temperature: 0.05,
        dimensions: &[256, 128, 64],
    });
    let settings = StepSettings { adamw: ADAMW, max_gradient_norm: 1.0 };
    let batches = std::slice::from_ref(&batch);
    let mut step = || {
        trainer.step(batches, &objective, &settings, &|| false).expect("a step");
    };
    (0..WARM_UP).for_each(|_| step());
    let began = Instant::now();
    (0..STEPS).for_each(|_| step());
    began.elapsed().as_secs_f64() / f64::from(STEPS)
}
