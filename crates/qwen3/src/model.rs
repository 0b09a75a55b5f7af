//! *** The model. *** Qwen3, once, for every backend, dtype and head.
//!
//! Fields are named as in the checkpoint, so the path of an attribute is the
//! key of its tensor. Shape letters are those of `qwen3-kernels`: `T` tokens,
//! `R` rows that are asked for, `H` query heads, `K` key and value heads,
//! `D` head_dim, `C` hidden_size, `F` intermediate_size.
//!
//! The residual stream and everything but the weights of the linear layers is
//! float32: activations of real checkpoints exceed float16's range.

use crate::batch::PackedBatch;
use crate::config::Config;
use crate::error::Error;
use crate::rope::RotaryTable;
use crate::stages::{Observer, Stage, Step};
use burn::tensor::{Int, Tensor, backend::Backend};
use qwen3_kernels::{Kernels, MatmulStrategy, RmsNorm, VarlenAttention, VarlenLayout, Weight};

/// The network without a head.
#[derive(Debug)]
pub struct Qwen3<B: Backend> {
    /// Token embeddings.
    pub embed_tokens: Embedding<B>,
    /// Decoder layers, first to last.
    pub layers: Vec<DecoderLayer<B>>,
    /// The final norm.
    pub norm: RmsNorm<B>,
    /// The checkpoint's `config.json`.
    pub config: Config,
}

/// Which rows of the last hidden states are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The last token of each sequence: `R = B`.
    Last,
    /// Every token: `R = T`.
    All,
}

impl<B: Kernels> Qwen3<B> {
    /// Hidden states `[R, C]` of the rows that are asked for, after the final norm.
    ///
    /// # Errors
    /// If `observer`, who sees every [`Stage`], ends the pass.
    pub fn forward(
        &self,
        batch: &PackedBatch,
        rows: Rows,
        observer: &mut Observer<B>,
    ) -> Result<Tensor<B, 2>, Error> {
        let device = self.norm.weight.device();
        let every_row = QueryRows::all(batch);
        let last_rows = QueryRows::new(batch, rows, &device);
        let rotary = RotaryTable::new(&self.config, batch, &device);

        let mut hidden = self.embed_tokens.forward(batch.input_ids_tensor(&device)); // [T, C]
        observer.see(Stage::EmbedTokens, &hidden)?;
        for (index, layer) in self.layers.iter().enumerate() {
            // Rows that nobody reads need not leave the last layer.
            let last = index + 1 == self.layers.len();
            let rows = if last { &last_rows } else { &every_row };
            let pass = Pass { index, rows, rotary: &rotary, config: &self.config };
            hidden = layer.forward(hidden, &pass, observer)?; // [T, C]; last: [R, C]
            observer.see(Stage::Layer(index, Step::Output), &hidden)?;
        }
        let hidden = self.norm.forward(hidden); // [R, C]
        observer.see(Stage::Norm, &hidden)?;
        Ok(hidden)
    }
}

/// What a layer needs to know of the forward pass that it is part of.
struct Pass<'a, B: Backend> {
    /// Which layer it is.
    index: usize,
    rows: &'a QueryRows<B>,
    rotary: &'a RotaryTable<B>,
    config: &'a Config,
}

/// One decoder layer.
#[derive(Debug)]
pub struct DecoderLayer<B: Backend> {
    /// Norm before attention.
    pub input_layernorm: RmsNorm<B>,
    /// Attention.
    pub self_attn: Attention<B>,
    /// Norm before the MLP.
    pub post_attention_layernorm: RmsNorm<B>,
    /// Feed-forward network.
    pub mlp: Mlp<B>,
}

impl<B: Kernels> DecoderLayer<B> {
    fn forward(
        &self,
        hidden: Tensor<B, 2>,
        pass: &Pass<B>,
        observer: &mut Observer<B>,
    ) -> Result<Tensor<B, 2>, Error> {
        let stage = |step| Stage::Layer(pass.index, step);
        let norm = &self.input_layernorm;
        observer.see_made(stage(Step::InputLayernorm), || norm.forward(hidden.clone()))?; // [T, C]
        let hidden = self.self_attn.add_to(hidden, norm, pass, observer)?; // [R, C]
        let norm = &self.post_attention_layernorm;
        observer.see_made(stage(Step::PostAttentionLayernorm), || norm.forward(hidden.clone()))?;
        Ok(self.mlp.add_to(hidden, norm)) // [R, C]
    }
}

/// Grouped-query attention with a norm on each query and key head.
#[derive(Debug)]
pub struct Attention<B: Backend> {
    /// `[H·D, C]`
    pub q_proj: Linear<B>,
    /// `[K·D, C]`
    pub k_proj: Linear<B>,
    /// `[K·D, C]`
    pub v_proj: Linear<B>,
    /// `[C, H·D]`
    pub o_proj: Linear<B>,
    /// Per query head, before the rotation.
    pub q_norm: RmsNorm<B>,
    /// Per key head, before the rotation.
    pub k_norm: RmsNorm<B>,
}

impl<B: Kernels> Attention<B> {
    /// The residual stream's wanted rows `[R, C]`, plus what attention makes of it, normed.
    fn add_to(
        &self,
        hidden: Tensor<B, 2>,
        norm: &RmsNorm<B>,
        pass: &Pass<B>,
        observer: &mut Observer<B>,
    ) -> Result<Tensor<B, 2>, Error> {
        let Pass { rows, config, .. } = *pass;
        let stage = |step| Stage::Layer(pass.index, step);
        let [q, k, v] = self.q_k_v(&hidden, norm, pass); // [R, H·D], [T, K·D]
        let v = split_heads(v, config.num_key_value_heads); // [T, K, D]
        observer.see(stage(Step::VProj), &v)?;

        let q = split_heads(q, config.num_attention_heads); // [R, H, D]
        let k = split_heads(k, config.num_key_value_heads); // [T, K, D]
        let [q, k] = self.rotated([q, k], pass);
        observer.see(stage(Step::QRotary), &q)?;
        observer.see(stage(Step::KRotary), &k)?;

        let scale = (config.head_dim as f64).sqrt().recip();
        // What attention gives goes into `o_proj`, which may round it to its weight's dtype:
        // then attention may round what it multiplies as far.
        let round_to = self.o_proj.weight.round_to();
        let (layout, strategy) = (&rows.layout, self.o_proj.strategy);
        let attention = VarlenAttention { q, k, v, layout, scale, round_to, strategy };
        let attended = B::varlen_attention(attention); // [R, H, D]
        observer.see(stage(Step::Attention), &attended)?;
        Ok(self.o_proj.add_to(rows.of(hidden), attended.flatten(1, 2))) // [R, C]
    }

    fn q_k_v(&self, hidden: &Tensor<B, 2>, norm: &RmsNorm<B>, pass: &Pass<B>) -> [Tensor<B, 2>; 3] {
        let (hidden, Self { q_proj, k_proj, v_proj, .. }) = (hidden.clone(), self);
        match pass.rows.indices {
            None => Linear::norm_forward([q_proj, k_proj, v_proj], hidden, norm),
            Some(_) => {
                let [q] = Linear::norm_forward([q_proj], pass.rows.of(hidden.clone()), norm);
                let [k, v] = Linear::norm_forward([k_proj, v_proj], hidden, norm);
                [q, k, v]
            }
        }
    }

    /// Queries and keys, normed and rotated.
    fn rotated(&self, [q, k]: [Tensor<B, 3>; 2], pass: &Pass<B>) -> [Tensor<B, 3>; 2] {
        let (cos, sin) = (pass.rotary.cos.clone(), pass.rotary.sin.clone()); // [T, D/2]
        match pass.rows.indices {
            None => B::rms_norm_rotary_both([(q, &self.q_norm), (k, &self.k_norm)], cos, sin),
            Some(_) => {
                let of_rows = [&cos, &sin].map(|angles| pass.rows.of(angles.clone()));
                let [cos_of_rows, sin_of_rows] = of_rows;
                let q = self.q_norm.rotary(q, cos_of_rows, sin_of_rows);
                [q, self.k_norm.rotary(k, cos, sin)]
            }
        }
    }
}

/// `[T, heads · D]` as `[T, heads, D]`.
fn split_heads<B: Backend>(x: Tensor<B, 2>, heads: usize) -> Tensor<B, 3> {
    let [tokens, columns] = x.dims();
    x.reshape([tokens, heads, columns / heads])
}

/// SwiGLU feed-forward network (Shazeer 2020, arXiv:2002.05202, eq. 5, with SiLU).
#[derive(Debug)]
pub struct Mlp<B: Backend> {
    /// `[F, C]`
    pub gate_proj: Linear<B>,
    /// `[F, C]`
    pub up_proj: Linear<B>,
    /// `[C, F]`
    pub down_proj: Linear<B>,
}

impl<B: Kernels> Mlp<B> {
    /// The residual stream `[R, C]`, plus what the network makes of it, normed.
    fn add_to(&self, hidden: Tensor<B, 2>, norm: &RmsNorm<B>) -> Tensor<B, 2> {
        let weights = [&self.gate_proj, &self.up_proj, &self.down_proj];
        let weights = weights.map(|linear| linear.weight.clone());
        B::norm_swiglu_mlp(hidden, norm, weights, self.down_proj.strategy) // [R, C]
    }
}

/// `x · weightᵀ + bias`
#[derive(Debug)]
pub struct Linear<B: Backend> {
    /// `[out, in]`, in the dtype the model was loaded with.
    pub weight: Weight<B>,
    /// `[out]`, float32.
    pub bias: Option<Tensor<B, 1>>,
    /// How its device computes it.
    pub strategy: MatmulStrategy,
}

impl<B: Kernels> Linear<B> {
    /// Several layers of the same `x`, normed.
    fn norm_forward<const N: usize>(
        layers: [&Self; N],
        x: Tensor<B, 2>,
        norm: &RmsNorm<B>,
    ) -> [Tensor<B, 2>; N] {
        let weights = layers.map(|layer| layer.weight.clone());
        let mut outputs = B::norm_linears(x, norm, weights, layers[0].strategy).into_iter();
        layers.map(|layer| layer.with_bias(outputs.next().expect("one for each layer")))
    }

    /// `residual + x · weightᵀ + bias`
    fn add_to(&self, residual: Tensor<B, 2>, x: Tensor<B, 2>) -> Tensor<B, 2> {
        self.with_bias(B::linear_add(residual, x, self.weight.clone(), self.strategy))
    }

    fn with_bias(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.bias {
            Some(bias) => x + bias.clone().unsqueeze(),
            None => x,
        }
    }
}

/// A table of vectors.
#[derive(Debug)]
pub struct Embedding<B: Backend> {
    /// `[vocab_size, C]`, in the dtype the model was loaded with; in parts of some
    /// rows each where the device takes no tensor of the whole size.
    pub weight: Vec<Weight<B>>,
}

impl<B: Kernels> Embedding<B> {
    fn forward(&self, ids: Tensor<B, 1, Int>) -> Tensor<B, 2> {
        if let [table] = &self.weight[..] {
            return B::embed_tokens(table.clone(), ids); // [T, C]
        }
        let mut first = 0;
        let parts = self.weight.iter().map(|part| {
            let rows = part.dims()[0] as i64;
            // Tokens of other parts take a row of this one, times 0.
            let nearest = ids.clone().clamp(first, first + rows - 1);
            let is_here = nearest.clone().equal(ids.clone()).float().unsqueeze_dim(1); // [T, 1]
            let found = B::embed_tokens(part.clone(), nearest - first);
            first += rows;
            found * is_here
        });
        parts.reduce(|sum, part| sum + part).expect("a table has a row")
    }
}

/// The rows of the batch that a layer computes queries for.
struct QueryRows<B: Backend> {
    /// Their indices in the batch; `None`: all of them.
    indices: Option<Tensor<B, 1, Int>>,
    layout: VarlenLayout,
}

impl<B: Backend> QueryRows<B> {
    fn all(batch: &PackedBatch) -> Self {
        let bounds = batch.bounds();
        Self { indices: None, layout: VarlenLayout::new(bounds.clone(), bounds) }
    }

    fn new(batch: &PackedBatch, rows: Rows, device: &B::Device) -> Self {
        match rows {
            Rows::All => Self::all(batch),
            Rows::Last => Self {
                indices: Some(batch.last_rows_tensor(device)),
                layout: VarlenLayout::new((0..=batch.n_sequences()).collect(), batch.bounds()),
            },
        }
    }

    /// The wanted rows of `[T, …]`.
    fn of(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.indices {
            None => x,
            Some(indices) => x.select(0, indices.clone()),
        }
    }
}
