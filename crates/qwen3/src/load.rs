//! From named tensors to the modules of [`crate::model`]: one line per field,
//! with the shape that `config.json` implies.

use crate::config::Config;
use crate::dtype::burn_dtype;
use crate::error::Error;
use crate::model::{Attention, DecoderLayer, Embedding, Linear, Mlp, Qwen3};
use crate::names::HEADS;
use crate::storage::Storage;
use crate::weights::Weights;
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use qwen3_dtypes::{Dtype, Layout};
use qwen3_kernels::{Blocks, MatmulStrategy, RmsNorm, Weight};
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

/// Called before each tensor with the number of those loaded and of all; may stop the loading.
pub type OnTensor<'a> = &'a mut dyn FnMut(usize, usize) -> ControlFlow<()>;

/// Where a network's tensors come from, by the checkpoint's names.
pub trait Tensors<B: Backend> {
    /// The embedding table `[vocab_size, C]`, in parts of some rows where need be.
    ///
    /// # Errors
    /// If there is no such tensor.
    fn table(&mut self, name: &str, shape: [usize; 2]) -> Result<Vec<Weight<B>>, Error>;

    /// The weight `[out, in]` of a linear layer.
    ///
    /// # Errors
    /// If there is no such tensor.
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Weight<B>, Error>;

    /// The weight of a norm, or a bias, in float32.
    ///
    /// # Errors
    /// If there is no such tensor.
    fn vector(&mut self, name: &str, width: usize) -> Result<Tensor<B, 1>, Error>;
}

impl<B: Backend> Qwen3<B> {
    /// Reads the network tensor by tensor: linear layers and embeddings as
    /// `storage` says, norms and biases in float32.
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
        let mut stored = FromFile { weights, storage, device, on_tensor, loaded: 0, known };
        let model = Self::assemble(config, storage.strategy, &mut stored)?;
        weights.all_in(&stored.known)?;
        Ok(model)
    }

    /// Puts the network together.
    ///
    /// # Errors
    /// The first one of `tensors`.
    pub fn assemble(
        config: &Config,
        strategy: MatmulStrategy,
        tensors: &mut dyn Tensors<B>,
    ) -> Result<Self, Error> {
        Assembly { config, strategy, tensors }.qwen3()
    }
}

struct Assembly<'a, B: Backend> {
    config: &'a Config,
    strategy: MatmulStrategy,
    tensors: &'a mut dyn Tensors<B>,
}

impl<B: Backend> Assembly<'_, B> {
    fn qwen3(&mut self) -> Result<Qwen3<B>, Error> {
        let Config { vocab_size, hidden_size, num_hidden_layers, .. } = *self.config;
        let table = self.tensors.table("embed_tokens.weight", [vocab_size, hidden_size])?;
        let layers = (0..num_hidden_layers).map(|index| self.layer(&format!("layers.{index}")));
        Ok(Qwen3 {
            embed_tokens: Embedding { weight: table },
            layers: layers.collect::<Result<_, _>>()?,
            norm: self.norm("norm", hidden_size)?,
            config: self.config.clone(),
        })
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
        let weight = self.tensors.matrix(&format!("{path}.weight"), shape)?;
        let bias = match bias {
            true => Some(self.tensors.vector(&format!("{path}.bias"), shape[0])?),
            false => None,
        };
        Ok(Linear { weight, bias, strategy: self.strategy })
    }

    fn norm(&mut self, path: &str, width: usize) -> Result<RmsNorm<B>, Error> {
        let weight = self.tensors.vector(&format!("{path}.weight"), width)?;
        Ok(RmsNorm { weight, epsilon: self.config.rms_norm_eps })
    }
}

/// The tensors of a checkpoint, as [`Storage`] says.
struct FromFile<'a, B: Backend> {
    weights: &'a Weights,
    storage: Storage,
    device: &'a B::Device,
    on_tensor: OnTensor<'a>,
    loaded: usize,
    /// Names of the tensors that are somebody's.
    known: BTreeSet<String>,
}

impl<B: Backend> Tensors<B> for FromFile<'_, B> {
    fn table(&mut self, name: &str, shape: [usize; 2]) -> Result<Vec<Weight<B>>, Error> {
        let [vocab_size, hidden_size] = shape;
        self.before_tensor(name)?;
        let row_bytes = self.dtype(name, hidden_size)?.bytes_of(hidden_size) as u64;
        let most = self.storage.max_tensor_bytes / row_bytes;
        let part_rows = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let parts = (0..vocab_size).step_by(part_rows.min(vocab_size)).map(|first| {
            let rows = first..vocab_size.min(first.saturating_add(part_rows));
            self.rows(name, shape, rows)
        });
        parts.collect()
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Weight<B>, Error> {
        self.before_tensor(name)?;
        let dtype = self.dtype(name, shape[1])?;
        let layout = self.storage.layout_of(&self.weights.stored(name)?, dtype);
        let data = self.weights.matrix(name, shape, dtype, layout)?;
        Ok(on_device(data, (dtype, layout), shape, self.device))
    }

    fn vector(&mut self, name: &str, width: usize) -> Result<Tensor<B, 1>, Error> {
        self.before_tensor(name)?;
        let data = self.weights.tensor(name, &[width], Dtype::F32)?;
        Ok(uploaded(data, Dtype::F32, self.device))
    }
}

impl<B: Backend> FromFile<'_, B> {
    fn dtype(&self, name: &str, columns: usize) -> Result<Dtype, Error> {
        Ok(self.storage.dtype_of(self.weights.dtype_of(name)?, columns))
    }

    fn rows(&self, name: &str, shape: [usize; 2], rows: Range<usize>) -> Result<Weight<B>, Error> {
        let dtype = self.dtype(name, shape[1])?;
        let part = [rows.len(), shape[1]];
        let data = self.weights.rows(name, shape, rows, dtype)?;
        Ok(on_device(data, (dtype, Layout::Rows), part, self.device))
    }

    fn before_tensor(&mut self, name: &str) -> Result<(), Error> {
        if (self.on_tensor)(self.loaded, self.weights.len()).is_break() {
            return Err(Error::Stopped);
        }
        self.loaded += 1;
        self.known.insert(name.to_owned());
        Ok(())
    }
}

/// A matrix on its device, from numbers or from words of blocks.
pub(crate) fn on_device<B: Backend>(
    data: TensorData,
    (dtype, layout): (Dtype, Layout),
    shape: [usize; 2],
    device: &B::Device,
) -> Weight<B> {
    match dtype.is_blocks() {
        true => {
            let words = to_stay::<B, _>(data, device, |data| {
                Tensor::<B, 1, Int>::from_data(data, (device, burn_dtype(dtype)))
            });
            Weight::Blocks(Blocks::new(dtype, shape, words).laid(layout))
        }
        false => Weight::Float(uploaded(data, dtype, device)),
    }
}

fn uploaded<B: Backend, const N: usize>(
    data: TensorData,
    dtype: Dtype,
    device: &B::Device,
) -> Tensor<B, N> {
    to_stay::<B, _>(data, device, |data| Tensor::from_data(data, (device, burn_dtype(dtype))))
}

/// What `upload` makes, in memory of its size. A GPU's would be cut from a page for what comes and
/// goes, of up to a quarter of all memory.
fn to_stay<B: Backend, T: Send>(
    data: TensorData,
    device: &B::Device,
    upload: impl Fn(TensorData) -> T + Send,
) -> T {
    B::memory_persistent_allocations(device, data, upload)
}
