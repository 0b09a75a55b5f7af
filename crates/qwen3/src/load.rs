//! From named tensors to the modules of [`crate::model`]: one line per field,
//! with the shape that `config.json` implies.

use crate::config::Config;
use crate::dtype::Dtype;
use crate::error::Error;
use crate::model::{Attention, DecoderLayer, Embedding, Linear, Mlp, Qwen3, RmsNorm};
use crate::names::HEADS;
use crate::weights::{Storage, Weights};
use burn::module::Param;
use burn::tensor::{Tensor, TensorData, backend::Backend};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Called before each tensor with the number of those loaded and of all; may stop the loading.
pub type OnTensor<'a> = &'a mut dyn FnMut(usize, usize) -> ControlFlow<()>;

impl<B: Backend> Qwen3<B> {
    /// Reads the network tensor by tensor: linear layers and embeddings in
    /// the dtype of `storage`, norms and biases in float32.
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or left over, doesn't fit the dtype, or
    /// if `on_tensor` stops it ([`Error::Stopped`]).
    pub fn load(
        weights: &Weights,
        config: &Config,
        storage: Storage,
        device: &B::Device,
        on_tensor: OnTensor,
    ) -> Result<Self, Error> {
        // Heads are read on the host ([`crate::ScoreHead`]), tied or untied, or not at all.
        let known = HEADS.map(str::to_owned).into();
        let mut loader = Loader { weights, config, storage, device, on_tensor, loaded: 0, known };
        let model = loader.qwen3()?;
        weights.all_in(&loader.known)?;
        Ok(model)
    }
}

struct Loader<'a, B: Backend> {
    weights: &'a Weights,
    config: &'a Config,
    storage: Storage,
    device: &'a B::Device,
    on_tensor: OnTensor<'a>,
    loaded: usize,
    /// Names of the tensors that are somebody's.
    known: BTreeSet<String>,
}

impl<B: Backend> Loader<'_, B> {
    fn qwen3(&mut self) -> Result<Qwen3<B>, Error> {
        let Config { hidden_size, num_hidden_layers, .. } = *self.config;
        let embed_tokens = self.embedding("embed_tokens")?;
        let layers = (0..num_hidden_layers).map(|index| self.layer(&format!("layers.{index}")));
        Ok(Qwen3 {
            embed_tokens,
            layers: layers.collect::<Result<_, _>>()?,
            norm: self.norm("norm", hidden_size)?,
            config: self.config.clone(),
        })
    }

    fn embedding(&mut self, path: &str) -> Result<Embedding<B>, Error> {
        let Config { vocab_size, hidden_size, .. } = *self.config;
        let Storage { dtype, max_tensor_bytes, .. } = self.storage;
        let name = format!("{path}.weight");
        self.before_tensor(&name)?;
        let row_bytes = (hidden_size * dtype.size_bytes()) as u64;
        let block_rows = usize::try_from(max_tensor_bytes / row_bytes).unwrap_or(usize::MAX).max(1);
        let weight = (0..vocab_size).step_by(block_rows.min(vocab_size)).map(|first| {
            let rows = first..vocab_size.min(first.saturating_add(block_rows));
            let data = self.weights.rows(&name, [vocab_size, hidden_size], rows, dtype)?;
            Ok(self.param(data, dtype))
        });
        Ok(Embedding { weight: weight.collect::<Result<_, Error>>()? })
    }

    fn layer(&mut self, path: &str) -> Result<DecoderLayer<B>, Error> {
        let hidden_size = self.config.hidden_size;
        Ok(DecoderLayer {
            input_layernorm: self.norm(&format!("{path}.input_layernorm"), hidden_size)?,
            self_attn: self.attention(&format!("{path}.self_attn"))?,
            post_attention_layernorm: self
                .norm(&format!("{path}.post_attention_layernorm"), hidden_size)?,
            mlp: self.mlp(&format!("{path}.mlp"))?,
        })
    }

    fn attention(&mut self, path: &str) -> Result<Attention<B>, Error> {
        let Config { hidden_size, head_dim, attention_bias: bias, .. } = *self.config;
        let queries = self.config.num_attention_heads * head_dim;
        let keys = self.config.num_key_value_heads * head_dim;
        Ok(Attention {
            q_proj: self.linear(&format!("{path}.q_proj"), [queries, hidden_size], bias)?,
            k_proj: self.linear(&format!("{path}.k_proj"), [keys, hidden_size], bias)?,
            v_proj: self.linear(&format!("{path}.v_proj"), [keys, hidden_size], bias)?,
            o_proj: self.linear(&format!("{path}.o_proj"), [hidden_size, queries], bias)?,
            q_norm: self.norm(&format!("{path}.q_norm"), head_dim)?,
            k_norm: self.norm(&format!("{path}.k_norm"), head_dim)?,
        })
    }

    fn mlp(&mut self, path: &str) -> Result<Mlp<B>, Error> {
        let Config { hidden_size, intermediate_size, .. } = *self.config;
        let up = [intermediate_size, hidden_size];
        let down = [hidden_size, intermediate_size];
        Ok(Mlp {
            gate_proj: self.linear(&format!("{path}.gate_proj"), up, false)?,
            up_proj: self.linear(&format!("{path}.up_proj"), up, false)?,
            down_proj: self.linear(&format!("{path}.down_proj"), down, false)?,
        })
    }

    fn linear(&mut self, path: &str, shape: [usize; 2], bias: bool) -> Result<Linear<B>, Error> {
        let weight = self.tensor(&format!("{path}.weight"), shape, self.storage.dtype)?;
        let bias = match bias {
            true => Some(self.tensor(&format!("{path}.bias"), [shape[0]], Dtype::F32)?),
            false => None,
        };
        Ok(Linear { weight, bias, strategy: self.storage.strategy })
    }

    fn norm(&mut self, path: &str, width: usize) -> Result<RmsNorm<B>, Error> {
        let weight = self.tensor(&format!("{path}.weight"), [width], Dtype::F32)?;
        Ok(RmsNorm { weight, epsilon: self.config.rms_norm_eps })
    }

    fn tensor<const N: usize>(
        &mut self,
        name: &str,
        shape: [usize; N],
        dtype: Dtype,
    ) -> Result<Param<Tensor<B, N>>, Error> {
        self.before_tensor(name)?;
        let data = self.weights.tensor(name, &shape, dtype)?;
        Ok(self.param(data, dtype))
    }

    fn before_tensor(&mut self, name: &str) -> Result<(), Error> {
        if (self.on_tensor)(self.loaded, self.weights.len()).is_break() {
            return Err(Error::Stopped);
        }
        self.loaded += 1;
        self.known.insert(name.to_owned());
        Ok(())
    }

    fn param<const N: usize>(&self, data: TensorData, dtype: Dtype) -> Param<Tensor<B, N>> {
        Param::from_tensor(Tensor::from_data(data, (self.device, dtype.burn())))
    }
}
