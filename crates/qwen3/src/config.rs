//! `config.json`: every size and constant of the network, and a clear refusal
//! of what this crate does not compute.

use crate::error::Error;
use crate::files;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// What the network needs from `config.json`, names unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Class names, such as `Qwen3ForCausalLM`.
    pub architectures: Vec<String>,
    /// Whether the four attention projections have a bias.
    pub attention_bias: bool,
    /// Width of one attention head; not `hidden_size / num_attention_heads`.
    pub head_dim: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP.
    pub intermediate_size: usize,
    /// Longest sequence in tokens.
    pub max_position_embeddings: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Decoder layers.
    pub num_hidden_layers: usize,
    /// Key and value heads.
    pub num_key_value_heads: usize,
    /// Added to the mean square before the root.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Whether the output head is the embedding table.
    pub tie_word_embeddings: bool,
    /// Rows of the embedding table.
    pub vocab_size: usize,
}

/// The file as it is written, before anything is checked.
#[derive(Deserialize)]
struct RawConfig {
    model_type: String,
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    attention_bias: bool,
    head_dim: usize,
    hidden_act: String,
    hidden_size: usize,
    intermediate_size: usize,
    is_causal: Option<bool>,
    layer_types: Option<Vec<String>>,
    max_position_embeddings: usize,
    max_window_layers: Option<usize>,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    num_key_value_heads: usize,
    quantization_config: Option<Value>,
    rms_norm_eps: f64,
    rope_parameters: Option<RopeParameters>,
    rope_scaling: Option<RopeParameters>,
    rope_theta: Option<f64>,
    sliding_window: Option<usize>,
    #[serde(default)]
    tie_word_embeddings: bool,
    use_bidirectional_attention: Option<bool>,
    #[serde(default)]
    use_sliding_window: bool,
    vocab_size: usize,
}

/// `rope_parameters` of Transformers 5, and `rope_scaling` of those before.
#[derive(Deserialize)]
struct RopeParameters {
    rope_theta: Option<f64>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
}

impl Config {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// If the file can't be read or is not such a file, or asks for something
    /// that is not supported; the error names the key and the value.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        Self::from_json(&files::read(path)?, path)
    }

    /// The same from the file's content; `path` is for messages.
    ///
    /// # Errors
    /// As [`Config::from_file`].
    pub fn from_json(json: &[u8], path: &Path) -> Result<Self, Error> {
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| Error::ConfigSyntax { path: path.to_owned(), source: error.into() })?;
        // Before the other keys: another model lacks some of them.
        if let Some(model_type) = value.get("model_type").and_then(Value::as_str) {
            supported("model_type", model_type, model_type == "qwen3")?;
        }
        let raw = RawConfig::deserialize(value)
            .map_err(|error| Error::ConfigSyntax { path: path.to_owned(), source: error.into() })?;
        raw.check()
    }

    /// The network of the unit tests.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self {
            architectures: vec![],
            attention_bias: false,
            head_dim: 8,
            hidden_size: 16,
            intermediate_size: 24,
            max_position_embeddings: 64,
            num_attention_heads: 4,
            num_hidden_layers: 2,
            num_key_value_heads: 2,
            rms_norm_eps: 1e-6,
            rope_theta: 1e6,
            tie_word_embeddings: true,
            vocab_size: 32,
        }
    }
}

impl RawConfig {
    fn check(self) -> Result<Config, Error> {
        supported("model_type", &self.model_type, self.model_type == "qwen3")?;
        supported("hidden_act", &self.hidden_act, self.hidden_act == "silu")?;
        supported("quantization_config", "set", self.quantization_config.is_none())?;
        supported("is_causal", false, self.is_causal != Some(false))?;
        let is_bidirectional = self.use_bidirectional_attention == Some(true);
        supported("use_bidirectional_attention", true, !is_bidirectional)?;
        self.check_window()?;
        let rope_theta = self.rope_theta()?;
        for (key, value) in [
            ("head_dim", self.head_dim),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("num_attention_heads", self.num_attention_heads),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_key_value_heads", self.num_key_value_heads),
            ("vocab_size", self.vocab_size),
        ] {
            // Products of two of them must stay far from overflow, and ids fit 31 bits.
            supported(key, value, value > 0 && value < 1 << 31)?;
        }
        supported("head_dim", self.head_dim, self.head_dim.is_multiple_of(2))?;
        let grouped = self.num_attention_heads.is_multiple_of(self.num_key_value_heads);
        supported("num_key_value_heads", self.num_key_value_heads, grouped)?;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        supported("rms_norm_eps", self.rms_norm_eps, positive(self.rms_norm_eps))?;
        supported("rope_theta", rope_theta, positive(rope_theta))?;
        Ok(Config {
            architectures: self.architectures,
            attention_bias: self.attention_bias,
            head_dim: self.head_dim,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            max_position_embeddings: self.max_position_embeddings,
            num_attention_heads: self.num_attention_heads,
            num_hidden_layers: self.num_hidden_layers,
            num_key_value_heads: self.num_key_value_heads,
            rms_norm_eps: self.rms_norm_eps,
            rope_theta,
            tie_word_embeddings: self.tie_word_embeddings,
            vocab_size: self.vocab_size,
        })
    }

    /// A sliding window is refused if any layer would use it.
    fn check_window(&self) -> Result<(), Error> {
        for layer_type in self.layer_types.iter().flatten() {
            supported("layer_types", layer_type, layer_type == "full_attention")?;
        }
        let first_windowed_layer = self.max_window_layers.unwrap_or(0);
        let used = self.use_sliding_window && first_windowed_layer < self.num_hidden_layers;
        match self.sliding_window {
            Some(window) if used => supported("sliding_window", window, false),
            _ => Ok(()),
        }
    }

    fn rope_theta(&self) -> Result<f64, Error> {
        for (key, rope) in
            [("rope_parameters", &self.rope_parameters), ("rope_scaling", &self.rope_scaling)]
        {
            let rope_type = rope.as_ref().and_then(|rope| rope.rope_type.as_deref());
            if let Some(rope_type) = rope_type {
                supported(&format!("{key}.rope_type"), rope_type, rope_type == "default")?;
            }
        }
        let in_parameters = self.rope_parameters.as_ref().and_then(|rope| rope.rope_theta);
        in_parameters.or(self.rope_theta).ok_or(Error::ConfigKey { key: "rope_theta" })
    }
}

fn supported(key: &str, value: impl ToString, is: bool) -> Result<(), Error> {
    if is {
        Ok(())
    } else {
        Err(Error::Unsupported { key: key.to_owned(), value: value.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(changes: Value) -> Result<Config, String> {
        let mut config = json!({
            "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "attention_bias": false,
            "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "intermediate_size": 3072,
            "max_position_embeddings": 32768, "max_window_layers": 28, "num_attention_heads": 16,
            "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-6,
            "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
            "tie_word_embeddings": true, "use_sliding_window": false, "vocab_size": 151669,
        });
        for (key, value) in changes.as_object().unwrap() {
            if value == "absent" {
                config.as_object_mut().unwrap().remove(key);
            } else {
                config[key] = value.clone();
            }
        }
        Config::from_json(config.to_string().as_bytes(), Path::new("config.json"))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_published_0_6b_config_is_read() {
        let config = parse(json!({})).unwrap();
        assert_eq!((config.head_dim, config.hidden_size, config.rope_theta), (128, 1024, 1e6));
        assert!(config.tie_word_embeddings && !config.attention_bias);
    }

    #[test]
    fn both_spellings_of_rope_theta_are_read() {
        let new = json!({"rope_theta": "absent",
            "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}});
        assert_eq!(parse(new).unwrap().rope_theta, 5e5);
        let neither = parse(json!({"rope_theta": "absent"})).unwrap_err();
        assert!(neither.contains("`rope_theta`"), "{neither}");
    }

    #[test]
    fn a_window_that_no_layer_uses_is_fine() {
        assert!(parse(json!({"sliding_window": 4096})).is_ok());
        let all_full = json!({"sliding_window": 4096, "use_sliding_window": true});
        assert!(parse(all_full).is_ok(), "max_window_layers equals num_hidden_layers");
    }

    #[test]
    fn what_is_not_supported_is_named_with_its_value() {
        for (changes, key, value) in [
            (json!({"model_type": "qwen2"}), "model_type", "qwen2"),
            (json!({"model_type": "bert", "head_dim": "absent"}), "model_type", "bert"),
            (json!({"hidden_act": "gelu"}), "hidden_act", "gelu"),
            (
                json!({"rope_scaling": {"type": "yarn", "factor": 4.0}}),
                "rope_scaling.rope_type",
                "yarn",
            ),
            (
                json!({"rope_parameters": {"rope_type": "linear", "rope_theta": 1e6}}),
                "rope_parameters.rope_type",
                "linear",
            ),
            (
                json!({"use_sliding_window": true, "sliding_window": 4096, "max_window_layers": 4}),
                "sliding_window",
                "4096",
            ),
            (json!({"layer_types": ["sliding_attention"]}), "layer_types", "sliding_attention"),
            (json!({"head_dim": 127}), "head_dim", "127"),
            (json!({"num_key_value_heads": 3}), "num_key_value_heads", "3"),
            (json!({"vocab_size": 0}), "vocab_size", "0"),
            (json!({"hidden_size": u64::MAX >> 1}), "hidden_size", "9223372036854775807"),
            (json!({"rms_norm_eps": -1.0}), "rms_norm_eps", "-1"),
            (json!({"quantization_config": {"bits": 4}}), "quantization_config", "set"),
            (json!({"is_causal": false}), "is_causal", "false"),
            (json!({"use_bidirectional_attention": true}), "use_bidirectional_attention", "true"),
        ] {
            let error = parse(changes).unwrap_err();
            let expected = format!("`{key}`: `{value}`");
            assert!(error.contains(&expected), "{error} names {expected}");
        }
    }
}
