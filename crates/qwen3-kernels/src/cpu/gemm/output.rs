//! What a product takes and gives.

use super::epilogue::{Epilogue, GatedOut};
use burn::tensor::bf16;
use qwen3_dtypes::{Dtype, Layout};

/// The left side of a product, `[m, k]`.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    F32(&'a [f32]),
    /// For weights whose path rounds its input ([`super::rounds_input`]), and no others.
    Bf16(&'a [bf16]),
}

impl<'a> Input<'a> {
    pub fn len(&self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::Bf16(x) => x.len(),
        }
    }

    /// # Panics
    /// If it is rounded, for a path that doesn't round.
    pub fn in_f32(self) -> &'a [f32] {
        match self {
            Self::F32(x) => x,
            Self::Bf16(_) => panic!("a rounded input for products that don't round"),
        }
    }
}

/// A weight, `[n, k]`, row after row.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a, W> {
    /// What is multiplied.
    Numbers(&'a [W]),
    /// What it is made of, a panel at a time.
    Blocks(Dtype, &'a [u8]),
    /// Blocks whose rows lie side by side: for products in 8 bits alone.
    Strips(Dtype, &'a [u8]),
}

impl<W> Source<'_, W> {
    fn has_shape(&self, [n, k]: [usize; 2]) -> bool {
        let are = |dtype: Dtype, blocks: &[u8]| {
            k.is_multiple_of(dtype.block_len()) && blocks.len() == dtype.bytes_of(n * k)
        };
        match *self {
            Self::Numbers(numbers) => numbers.len() == n * k,
            Self::Blocks(dtype, blocks) => are(dtype, blocks),
            Self::Strips(dtype, blocks) => {
                Layout::Strips.takes(dtype, [n, k]) && are(dtype, blocks)
            }
        }
    }
}

impl<'a, W> From<&'a [W]> for Source<'a, W> {
    fn from(numbers: &'a [W]) -> Self {
        Self::Numbers(numbers)
    }
}

/// The weights of one output, `[n, k]` each.
#[derive(Clone, Copy)]
pub(crate) enum Weights<'a, W> {
    One([Source<'a, W>; 1]),
    /// A gate, and what it gates.
    Gated([Source<'a, W>; 2]),
}

impl<'a, W> Weights<'a, W> {
    pub fn each(&self) -> &[Source<'a, W>] {
        match self {
            Self::One(weight) => weight,
            Self::Gated(both) => both,
        }
    }
}

/// One of several products of the same `x`.
pub(crate) struct Output<'a, W> {
    weights: Weights<'a, W>,
    n: usize,
    epilogue: Epilogue<'a>,
}

impl<'a, W> Output<'a, W> {
    /// `out = x · weightᵀ`, `[m, n]`
    pub fn store(weight: impl Into<Source<'a, W>>, n: usize, out: &'a mut [f32]) -> Self {
        Self { weights: Weights::One([weight.into()]), n, epilogue: Epilogue::store(out, n) }
    }

    /// `out += x · weightᵀ`, `[m, n]`
    pub fn add(weight: impl Into<Source<'a, W>>, n: usize, out: &'a mut [f32]) -> Self {
        Self { weights: Weights::One([weight.into()]), n, epilogue: Epilogue::add(out, n) }
    }

    /// `out = silu(x · gateᵀ) · (x · upᵀ)`, `[m, n]`
    pub fn swiglu(gate_up: [impl Into<Source<'a, W>>; 2], n: usize, out: GatedOut<'a>) -> Self {
        Self {
            weights: Weights::Gated(gate_up.map(Into::into)),
            n,
            epilogue: Epilogue::swiglu(out, n),
        }
    }

    /// Columns.
    pub fn n(&self) -> usize {
        self.n
    }

    pub fn weights(&self) -> &Weights<'a, W> {
        &self.weights
    }

    pub fn epilogue(&self) -> &Epilogue<'a> {
        &self.epilogue
    }

    /// # Panics
    /// If a slice is not of its shape.
    pub fn assert_shape(&self, [m, k]: [usize; 2]) {
        let n = self.n;
        let right = self.weights.each().iter().all(|weight| weight.has_shape([n, k]));
        assert!(right && m * n == self.epilogue.len(), "[{m}, {k}, {n}]");
    }
}
