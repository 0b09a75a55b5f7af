//! How a product ends: what is done with its sums, and where they go.

use super::bf16::nearest_bf16;
use crate::cpu::destination::Destination;
use crate::cpu::softmax::silu;
use burn::tensor::bf16;
use std::marker::PhantomData;

/// Where gated sums go: in float32, or rounded for a product that rounds its input.
pub(crate) enum GatedOut<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
}

/// What is done with the sums of one output, `[m, n]`.
pub(crate) struct Epilogue<'a> {
    step: Step,
    /// Elements of the output.
    len: usize,
    out: PhantomData<&'a mut [f32]>,
}

enum Step {
    Store(Destination),
    Add(Destination),
    SwiGlu(Destination),
    SwiGluBf16(Destination<bf16>),
}

impl<'a> Epilogue<'a> {
    pub fn store(out: &'a mut [f32], columns: usize) -> Self {
        Self { len: out.len(), step: Step::Store(Destination::new(out, columns)), out: PhantomData }
    }

    pub fn add(out: &'a mut [f32], columns: usize) -> Self {
        Self { len: out.len(), step: Step::Add(Destination::new(out, columns)), out: PhantomData }
    }

    pub fn swiglu(out: GatedOut<'a>, columns: usize) -> Self {
        let (len, step) = match out {
            GatedOut::F32(out) => (out.len(), Step::SwiGlu(Destination::new(out, columns))),
            GatedOut::Bf16(out) => (out.len(), Step::SwiGluBf16(Destination::new(out, columns))),
        };
        Self { len, step, out: PhantomData }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Takes sums of one row, from `column` on; `up` are those of a gated
    /// output's second weight.
    ///
    /// # Safety
    /// The output is alive, and nobody else uses this row and these columns.
    #[inline(always)]
    pub unsafe fn row(&self, row: usize, column: usize, sums: &[f32], up: &[f32]) {
        let n = sums.len();
        // Loops, no closures: those may be compiled on their own, without the instructions.
        // Safety: by the caller.
        unsafe {
            match self.step {
                Step::Store(out) => out.row(row, column, n).copy_from_slice(sums),
                Step::Add(out) => {
                    let to = out.row(row, column, n);
                    for (to, sum) in to.iter_mut().zip(sums) {
                        *to += sum;
                    }
                }
                Step::SwiGlu(out) => {
                    let to = out.row(row, column, n);
                    for (to, (gate, up)) in to.iter_mut().zip(sums.iter().zip(up)) {
                        *to = silu(*gate) * up;
                    }
                }
                Step::SwiGluBf16(out) => {
                    let to = out.row(row, column, n);
                    for (to, (gate, up)) in to.iter_mut().zip(sums.iter().zip(up)) {
                        *to = nearest_bf16(silu(*gate) * up);
                    }
                }
            }
        }
    }
}
