//! Checkpoints of random weights: for checking a device before there is a
//! model, and for measuring speed without a download. Their vectors mean nothing.

use crate::error::Error;
use qwen3::Config;
use safetensors::tensor::View;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fs;
use std::path::Path;

/// Sizes by name: hidden and intermediate size, layers, heads. All but the
/// first are published.
const SIZES: [(&str, [usize; 4]); 4] = [
    ("tiny", [64, 128, 2, 8]),
    ("0.6b", [1024, 3072, 28, 16]),
    ("4b", [2560, 9728, 36, 32]),
    ("8b", [4096, 12288, 36, 32]),
];
/// Rows of the published embedding tables, and the end token in them.
const VOCAB_SIZE: usize = 151_669;
const EOS_TOKEN_ID: usize = 151_643;

/// Writes a folder with random bfloat16 weights in the shape of a published
/// model, `0.6b`, `4b` or `8b`, or `tiny`. Its tokenizer knows ids only.
///
/// # Errors
/// If there is no such size, or the folder can't be written.
pub fn random_checkpoint(size: &str, folder: &Path) -> Result<(), Error> {
    let Some((_, shape)) = SIZES.iter().find(|(name, _)| *name == size) else {
        let known: Vec<&str> = SIZES.iter().map(|(name, _)| *name).collect();
        return Err(Error::UnknownSize { size: size.to_owned(), known: known.join(", ") });
    };
    let failed = |source| Error::Write { path: folder.to_owned(), source };
    fs::create_dir_all(folder.join("1_Pooling")).map_err(failed)?;
    let config = config(*shape, VOCAB_SIZE);
    let parsed = Config::from_json(config.to_string().as_bytes(), &folder.join("config.json"))?;
    let weights = folder.join("model.safetensors");
    safetensors::serialize_to_file(tensors(&parsed), None, &weights)
        .map_err(|source| Error::Model(qwen3::Error::Safetensors { path: weights, source }))?;
    let modules = [
        ("", "sentence_transformers.models.Transformer"),
        ("1_Pooling", "sentence_transformers.models.Pooling"),
        ("2_Normalize", "sentence_transformers.models.Normalize"),
    ];
    let modules = modules.into_iter().enumerate().map(|(index, (path, class))| {
        json!({"idx": index, "name": index.to_string(), "path": path, "type": class})
    });
    let pooling = json!({
        "word_embedding_dimension": parsed.hidden_size, "pooling_mode_cls_token": false,
        "pooling_mode_mean_tokens": false, "pooling_mode_lasttoken": true, "include_prompt": true,
    });
    let tokenizer_config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>", "padding_side": "left",
    });
    for (name, content) in [
        ("tokenizer.json", tokenizer()),
        ("tokenizer_config.json", tokenizer_config),
        ("modules.json", Value::from_iter(modules)),
        ("1_Pooling/config.json", pooling),
        // The last: a folder without it is no model's.
        ("config.json", config),
    ] {
        fs::write(folder.join(name), content.to_string()).map_err(failed)?;
    }
    Ok(())
}

/// `config.json` of a network like the published ones.
pub(crate) fn config([hidden, intermediate, layers, heads]: [usize; 4], vocab: usize) -> Value {
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

/// A word for each id, and no way to make two of one.
fn tokenizer() -> Value {
    let word = |id| match id {
        EOS_TOKEN_ID => "<|endoftext|>".to_owned(),
        id => format!("t{id}"),
    };
    let vocab = Value::from_iter((0..VOCAB_SIZE).map(|id| (word(id), json!(id))));
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
                  "continuing_subword_prefix": null, "end_of_word_suffix": null,
                  "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                  "vocab": vocab, "merges": []},
    })
}

/// Every tensor of the network in bfloat16, made when it is read.
pub(crate) fn tensors(config: &Config) -> Vec<(String, RandomTensor)> {
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
pub(crate) struct RandomTensor {
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
pub(crate) struct Random(u32);

impl Random {
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
    fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}
