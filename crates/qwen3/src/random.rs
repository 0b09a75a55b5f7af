//! Networks of random weights: for checking a device before there is a model,
//! and for measuring speed without a download. Their vectors mean nothing.

use crate::config::Config;
use crate::error::Error;
use crate::tensor_file::TensorFile;
use crate::weights::Weights;
use safetensors::tensor::View;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::path::Path;

/// The end token of the published models.
pub const EOS_TOKEN_ID: usize = 151_643;

/// `config.json` of a network like the published ones.
pub fn config([hidden, intermediate, layers, heads]: [usize; 4], vocab: usize) -> Value {
    json!({
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": false,
        "bos_token_id": EOS_TOKEN_ID, "eos_token_id": EOS_TOKEN_ID, "head_dim": 128,
        "hidden_act": "silu", "hidden_size": hidden, "initializer_range": 0.02,
        "intermediate_size": intermediate, "max_position_embeddings": 32768,
        "num_attention_heads": heads, "num_hidden_layers": layers, "num_key_value_heads": 8,
        "rms_norm_eps": 1e-6, "rope_theta": 1_000_000, "tie_word_embeddings": true,
        "torch_dtype": "bfloat16", "vocab_size": vocab,
    })
}

/// Random weights of this shape, in bfloat16: in other dtypes they are the same numbers.
///
/// # Errors
/// If the shape is none that tensors have.
pub fn weights(config: &Config) -> Result<Weights, Error> {
    let bytes = safetensors::serialize(tensors(config), None)
        .expect("the tensors are as large as their shapes say");
    Weights::from_file(&TensorFile::from_bytes(bytes)?)
}

/// The same as a safetensors file.
///
/// # Errors
/// If the file can't be written.
pub fn write_weights(config: &Config, path: &Path) -> Result<(), Error> {
    safetensors::serialize_to_file(tensors(config), None, path)
        .map_err(|error| Error::Safetensors { path: path.to_owned(), source: error.into() })
}

/// Every tensor of the network in bfloat16, made when it is read.
fn tensors(config: &Config) -> Vec<(String, RandomTensor)> {
    let (c, f, d) = (config.hidden_size, config.intermediate_size, config.head_dim);
    let (q, k) = (config.num_attention_heads * d, config.num_key_value_heads * d);
    let mut shapes = vec![("embed_tokens".to_owned(), vec![config.vocab_size, c])];
    for layer in 0..config.num_hidden_layers {
        let parts = [
            ("input_layernorm", vec![c]),
            ("post_attention_layernorm", vec![c]),
            ("self_attn.q_proj", vec![q, c]),
            ("self_attn.k_proj", vec![k, c]),
            ("self_attn.v_proj", vec![k, c]),
            ("self_attn.o_proj", vec![c, q]),
            ("self_attn.q_norm", vec![d]),
            ("self_attn.k_norm", vec![d]),
            ("mlp.gate_proj", vec![f, c]),
            ("mlp.up_proj", vec![f, c]),
            ("mlp.down_proj", vec![c, f]),
        ];
        shapes.extend(parts.map(|(name, shape)| (format!("layers.{layer}.{name}"), shape)));
    }
    shapes.push(("norm".to_owned(), vec![c]));
    let tensors = shapes
        .into_iter()
        .zip(1..)
        .map(|((name, shape), seed)| (format!("{name}.weight"), RandomTensor { shape, seed }));
    tensors.collect()
}

/// Random numbers: norms around 1.5, matrices with outputs about as large as their inputs.
struct RandomTensor {
    shape: Vec<usize>,
    seed: u32,
}

impl RandomTensor {
    fn numbers(&self) -> impl Iterator<Item = f32> {
        let (centre, spread) = match self.shape[..] {
            [_, columns] => (0.0, (3.0 / columns as f32).sqrt()),
            _ => (1.5, 0.5),
        };
        let mut random = Random::new(self.seed);
        let numbers = self.shape.iter().product();
        (0..numbers).map(move |_| centre + spread * random.unit())
    }
}

impl View for RandomTensor {
    fn dtype(&self) -> safetensors::Dtype {
        safetensors::Dtype::BF16
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(self.data_len());
        // The upper half of a float32, which is bfloat16 rounded towards zero.
        self.numbers().for_each(|x| bytes.extend(&x.to_le_bytes()[2..]));
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * 2
    }
}

/// Marsaglia's xorshift, so that every machine generates the same weights.
#[derive(Clone, Debug)]
pub struct Random(u32);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u32) -> Self {
        // Seeds that are close give numbers that are not.
        Self(seed.wrapping_mul(0x9E37_79B9) | 1)
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A whole number less than `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        ((u64::from(self.next()) * u64::from(end)) >> 32) as u32
    }

    /// Between -1 and 1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}
