//! Causal attention over packed sequences of different lengths.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
#[cfg(all(feature = "cpu", feature = "autodiff"))]
pub(crate) mod cpu_gradient;
#[cfg(feature = "autodiff")]
pub mod gradient;
pub mod reference;
mod shared_prefix;

use crate::MatmulStrategy;
use burn::tensor::{DType, Tensor, backend::Backend};
pub use shared_prefix::SharedPrefix;

/// What [`crate::Kernels::varlen_attention`] computes from.
#[derive(Clone, Debug)]
pub struct VarlenAttention<'a, B: Backend> {
    /// `[Tq, H, D]`, float32
    pub q: Tensor<B, 3>,
    /// `[Tk, K, D]`, float32
    pub k: Tensor<B, 3>,
    /// `[Tk, K, D]`, float32
    pub v: Tensor<B, 3>,
    /// The sequences' bounds in `Tq` and `Tk`.
    pub layout: &'a VarlenLayout,
    /// What scores are multiplied with before the softmax.
    pub scale: f64,
    /// What queries, keys, values and attention weights may be rounded to before
    /// they are multiplied, as inputs of a linear layer are to the weight's
    /// dtype; with float32 nothing is.
    pub round_to: DType,
    /// How the device multiplies: as in [`crate::Kernels::linears`].
    pub strategy: MatmulStrategy,
}

impl<B: Backend> VarlenAttention<'_, B> {
    /// # Panics
    /// If the layout doesn't cover `q` and `k`, or `k` and `v` differ in shape.
    pub(crate) fn assert_shapes(&self) {
        let VarlenLayout { cu_seqlens_q, cu_seqlens_k, .. } = self.layout;
        assert_eq!(cu_seqlens_q.last(), Some(&self.q.dims()[0]), "the layout must cover q");
        assert_eq!(cu_seqlens_k.last(), Some(&self.k.dims()[0]), "the layout must cover k and v");
        assert_eq!(self.k.dims(), self.v.dims(), "varlen_attention: a value for every key");
    }
}

/// Where each sequence of a packed batch begins and ends, for queries and for
/// keys. The last query of a sequence stands at its last key.
#[derive(Clone, Debug)]
pub struct VarlenLayout {
    cu_seqlens_q: Vec<usize>,
    cu_seqlens_k: Vec<usize>,
    /// What GPUs make of it, for all layers.
    #[cfg(feature = "gpu")]
    on_device: gpu::OnDevice,
}

/// One sequence of a [`VarlenLayout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First row of the sequence in `q`.
    pub first_query: usize,
    /// Rows of the sequence in `q`.
    pub n_queries: usize,
    /// First row of the sequence in `k` and `v`.
    pub first_key: usize,
    /// Rows of the sequence in `k` and `v`.
    pub n_keys: usize,
}

impl VarlenLayout {
    /// From the running sums of the lengths, each beginning with 0 (`[B+1]`).
    ///
    /// # Panics
    /// If the two differ in length, don't rise, or if a sequence has more
    /// queries than keys.
    pub fn new(cu_seqlens_q: Vec<usize>, cu_seqlens_k: Vec<usize>) -> Self {
        assert_eq!(cu_seqlens_q.len(), cu_seqlens_k.len(), "as many query as key sequences");
        assert_eq!((cu_seqlens_q[0], cu_seqlens_k[0]), (0, 0), "running sums begin with 0");
        for (q, k) in cu_seqlens_q.windows(2).zip(cu_seqlens_k.windows(2)) {
            assert!(q[0] < q[1] && k[0] < k[1], "a sequence without tokens");
            assert!(q[1] - q[0] <= k[1] - k[0], "more queries than keys");
        }
        Self {
            cu_seqlens_q,
            cu_seqlens_k,
            #[cfg(feature = "gpu")]
            on_device: gpu::OnDevice::default(),
        }
    }

    /// The sequences in order.
    pub fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        self.cu_seqlens_q.windows(2).zip(self.cu_seqlens_k.windows(2)).map(|(q, k)| Span {
            first_query: q[0],
            n_queries: q[1] - q[0],
            first_key: k[0],
            n_keys: k[1] - k[0],
        })
    }
}
