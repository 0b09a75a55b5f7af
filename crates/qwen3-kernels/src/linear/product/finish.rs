//! What becomes of the numbers of a tile.

use super::{GATED_COLUMNS, TILE_COLUMNS, nearest_bf16};
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

    /// Whether a tile holds [`GATED_COLUMNS`] gates and as many values.
    #[inline(always)]
    pub fn is_gated(&self) -> bool {
        matches!(self.end, End::SwiGlu(_) | End::SwiGluBf16(_))
    }

    /// Takes `n` columns of `M` rows.
    ///
    /// # Safety
    /// The output is alive, and nobody else uses these rows and columns.
    #[inline(always)]
    pub unsafe fn tile<const M: usize>(
        &self,
        row: usize,
        column: usize,
        n: usize,
        sums: [[f32; TILE_COLUMNS]; M],
    ) {
        // Safety: by the caller.
        unsafe {
            match self.end {
                End::Store(out) => each_row(out, row, column, n, sums, |_, new| new),
                End::Add(out) => each_row(out, row, column, n, sums, |old, new| old + new),
                End::SwiGlu(out) => each_row(out, row, column, n, gated(sums), |_, new| new),
                End::SwiGluBf16(out) => {
                    let numbers = gated(sums).map(|row| row.map(nearest_bf16));
                    each_row(out, row, column, n, numbers, |_, new| new);
                }
            }
        }
    }
}

/// Replaces `n` numbers of each row by what `take` makes of them and the new ones.
///
/// # Safety
/// As [`Finish::tile`].
#[inline(always)]
unsafe fn each_row<T: Copy, const N: usize, const M: usize>(
    out: Destination<T>,
    row: usize,
    column: usize,
    n: usize,
    numbers: [[T; N]; M],
    take: impl Fn(T, T) -> T,
) {
    for (m, numbers) in numbers.into_iter().enumerate() {
        // Safety: by the caller.
        let to = unsafe { out.row(row + m, column, n) };
        // A whole tile is the rule; its length is known, which saves a call.
        match <&mut [T; N]>::try_from(&mut *to) {
            Ok(to) => {
                *to = std::array::from_fn(|c| take(to[c], numbers[c]));
            }
            Err(_) => to.iter_mut().zip(numbers).for_each(|(to, new)| *to = take(*to, new)),
        }
    }
}

/// `silu(gate) · up` of each row's gates and values, all at the same time.
#[inline(always)]
fn gated<const M: usize>(sums: [[f32; TILE_COLUMNS]; M]) -> [[f32; GATED_COLUMNS]; M] {
    /// As many as the largest tile has, for one or two registers.
    const LANES: usize = 16;
    const { assert!(M * GATED_COLUMNS <= LANES) };
    let (mut gates, mut values) = ([0f32; LANES], [0f32; LANES]);
    for (m, sums) in sums.iter().enumerate() {
        gates[m * GATED_COLUMNS..][..GATED_COLUMNS].copy_from_slice(&sums[..GATED_COLUMNS]);
        values[m * GATED_COLUMNS..][..GATED_COLUMNS].copy_from_slice(&sums[GATED_COLUMNS..]);
    }
    for (gate, value) in gates.iter_mut().zip(values) {
        *gate = silu(*gate) * value;
    }
    std::array::from_fn(|m| std::array::from_fn(|c| gates[m * GATED_COLUMNS + c]))
}
