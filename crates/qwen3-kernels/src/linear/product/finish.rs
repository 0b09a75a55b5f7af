//! What becomes of the numbers of a product.

use super::nearest_bf16;
use crate::destination::Destination;
use crate::softmax::silu;
use burn::tensor::bf16;
use std::marker::PhantomData;

/// Float32 numbers, or the same rounded for a product that rounds its inputs.
pub(crate) enum Numbers<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
}

/// How a product ends: what is done with its numbers, and where they go.
pub(super) struct Finish<'a> {
    end: End,
    /// Numbers of the output.
    len: usize,
    out: PhantomData<&'a mut [f32]>,
}

enum End {
    Store(Destination),
    Add(Destination),
    SwiGlu(Destination),
    SwiGluBf16(Destination<bf16>),
}

impl<'a> Finish<'a> {
    pub fn store(out: &'a mut [f32], columns: usize) -> Self {
        Self { len: out.len(), ..Self::to(Destination::new(out, columns)) }
    }

    /// Stored where the caller of the product says that nobody else writes.
    pub fn to(out: Destination) -> Self {
        Self { end: End::Store(out), len: 0, out: PhantomData }
    }

    pub fn add(out: &'a mut [f32], columns: usize) -> Self {
        let end = End::Add(Destination::new(out, columns));
        Self { end, len: out.len(), out: PhantomData }
    }

    pub fn swiglu(out: Numbers<'a>, columns: usize) -> Self {
        let (end, len) = match out {
            Numbers::F32(out) => (End::SwiGlu(Destination::new(out, columns)), out.len()),
            Numbers::Bf16(out) => (End::SwiGluBf16(Destination::new(out, columns)), out.len()),
        };
        Self { end, len, out: PhantomData }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the sums of two weights meet.
    #[inline(always)]
    pub fn is_gated(&self) -> bool {
        matches!(self.end, End::SwiGlu(_) | End::SwiGluBf16(_))
    }

    /// Takes sums of one row, from `column` on; `second` are those of a gated
    /// product's second weight.
    ///
    /// # Safety
    /// The output is alive, and nobody else uses this row and these columns.
    #[inline(always)]
    pub unsafe fn row(&self, row: usize, column: usize, sums: &[f32], second: &[f32]) {
        let n = sums.len();
        let gated = sums.iter().zip(second).map(|(&gate, &up)| silu(gate) * up);
        // Safety: by the caller.
        unsafe {
            match self.end {
                End::Store(out) => out.row(row, column, n).copy_from_slice(sums),
                End::Add(out) => {
                    let to = out.row(row, column, n);
                    to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
                }
                End::SwiGlu(out) => {
                    let to = out.row(row, column, n);
                    to.iter_mut().zip(gated).for_each(|(to, gated)| *to = gated);
                }
                End::SwiGluBf16(out) => {
                    let to = out.row(row, column, n);
                    to.iter_mut().zip(gated).for_each(|(to, gated)| *to = nearest_bf16(gated));
                }
            }
        }
    }
}
