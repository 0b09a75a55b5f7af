//! `y = x · weightᵀ` on the CPU from weights as the checkpoint stores them:
//! `[out, in]`, row after row, in float32, float16 or bfloat16.
//!
//! Every number of `y` is one dot product of a row of `x` and a row of the
//! weight, summed in one fixed order whatever else is computed beside it. So a
//! text's vector doesn't depend on its batch, to the last bit, and nothing has
//! to be packed: a mapped file is computed from in place.
//!
//! ```text
//!            4 rows of the weight
//!           ┌───┬───┬───┬───┐
//!  M rows   │ a │ a │ a │ a │   a: a register of partial sums over the columns
//!  of x     │ a │ a │ a │ a │      k, k + LANES, k + 2·LANES, …
//!           └───┴───┴───┴───┘
//! ```
//!
//! A task is a panel of weight rows that stays in the second-level cache while
//! all rows of `x` pass by; a tile of `x` stays in the first-level cache. The
//! numbers of a few rows gather in a [`Strip`] there. What becomes of them is
//! their [`Part`]'s affair: they are stored, added to what is there, or gate
//! each other.
//!
//! With AVX2's 16 registers such tiles are too small, and float32 weights and rows
//! fill the caches: there `x` is turned first (`turned.rs`).

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) mod amx;
mod block;
mod finish;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod outer;
pub(crate) mod pairs;
mod portable;
mod tasks;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod turned;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::buffers::Buffer;
use crate::destination::Destination;
use crate::isa::{Isa, vectorized};
use block::{Block, TILE_COLUMNS};
use burn::tensor::{bf16, f16};
use finish::Finish;
pub(crate) use finish::Numbers;
#[cfg(target_arch = "aarch64")]
use neon::Load as Number;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use portable::Wide as Number;
use rayon::prelude::*;
use tasks::tasks;
#[cfg(target_arch = "x86_64")]
use turned::Turned;
#[cfg(target_arch = "x86_64")]
use x86::Load as Number;

/// Rows of numbers inside of a slice.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    pub data: &'a [T],
    /// Numbers from the start of a row to that of the next one.
    pub stride: usize,
}

impl<T> Rows<'_, T> {
    /// Whether there are so many rows and columns.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || (rows - 1) * self.stride + columns <= self.data.len()
    }
}

/// `out += p · v` in float32 on this thread; `p` is `[m, k]`, `v` `[k, n]`.
///
/// # Safety
/// `out` outlives the call, and nobody else uses its `m` rows of `n` columns.
///
/// # Panics
/// If the slices are smaller.
pub(crate) unsafe fn add_weighted_rows(
    isa: Isa,
    shape: [usize; 3],
    p: Rows<f32>,
    v: Rows<f32>,
    out: Destination,
) {
    // Safety: the processor has the instructions (`Isa`), and by the caller.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::AmxBf16 | Isa::Avx512Bf16 | Isa::Avx512 | Isa::Avx2 => {
                x86::add_weighted_rows(isa != Isa::Avx2, shape, p, v, out);
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon | Isa::NeonBf16 => neon::add_weighted_rows(shape, p, v, out),
            _ => portable::add_weighted_rows(shape, p, v, out),
        }
    }
}

/// The numbers of a weight, `[n, k]`.
#[derive(Clone, Copy)]
pub(crate) enum Weight<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
    F16(&'a [f16]),
}

impl Weight<'_> {
    fn len(&self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::Bf16(numbers) => numbers.len(),
            Self::F16(numbers) => numbers.len(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::F32(numbers) => size_of_val(*numbers),
            Self::Bf16(numbers) => size_of_val(*numbers),
            Self::F16(numbers) => size_of_val(*numbers),
        }
    }

    /// Whether the path's products round their inputs to bfloat16.
    pub fn rounds_inputs(&self, isa: Isa) -> bool {
        isa.has_bf16_products() && matches!(self, Self::Bf16(_))
    }
}

/// The left side of a product, `[m, k]`.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    F32(&'a [f32]),
    /// Where the weight's products round their inputs; anything else panics.
    Bf16(&'a [bf16]),
    /// As [`turned::Turned`] has it; only [`products`] makes it.
    #[cfg(target_arch = "x86_64")]
    Turned(&'a [f32]),
}

impl Input<'_> {
    fn len(&self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::Bf16(numbers) => numbers.len(),
            #[cfg(target_arch = "x86_64")]
            Self::Turned(numbers) => numbers.len(),
        }
    }
}

impl<'a> Input<'a> {
    /// Float32 numbers, as they are or turned.
    fn in_f32(self) -> &'a [f32] {
        match self {
            Self::F32(numbers) => numbers,
            #[cfg(target_arch = "x86_64")]
            Self::Turned(numbers) => numbers,
            Self::Bf16(_) => panic!("rounded numbers for products that don't round"),
        }
    }
}

/// One of several products of the same `x`.
pub(crate) struct Part<'a> {
    weight: Weight<'a>,
    /// The second weight of a gated product.
    up: Weight<'a>,
    n: usize,
    finish: Finish<'a>,
}

impl<'a> Part<'a> {
    /// `out = x · weightᵀ`, `[m, n]`
    pub fn store(weight: Weight<'a>, n: usize, out: &'a mut [f32]) -> Self {
        Self { weight, up: weight, n, finish: Finish::store(out, n) }
    }

    /// `out += x · weightᵀ`, `[m, n]`
    pub fn add(weight: Weight<'a>, n: usize, out: &'a mut [f32]) -> Self {
        Self { weight, up: weight, n, finish: Finish::add(out, n) }
    }

    /// `out = silu(x · gateᵀ) · (x · upᵀ)`, `[m, n]`
    pub fn swiglu(gate: Weight<'a>, up: Weight<'a>, n: usize, out: Numbers<'a>) -> Self {
        Self { weight: gate, up, n, finish: Finish::swiglu(out, n) }
    }

    /// Weights that stand behind each column.
    fn weights(&self) -> usize {
        if self.finish.is_gated() { 2 } else { 1 }
    }
}

/// The products of `x`, `[m, k]`, with each part's weight.
///
/// # Panics
/// If a slice is not of its shape.
pub(crate) fn products(isa: Isa, [m, k]: [usize; 2], x: Input, parts: &[Part]) {
    assert!(m * k == x.len(), "x is not [{m}, {k}]");
    for Part { weight, up, n, finish } in parts {
        let right = n * k == weight.len() && n * k == up.len() && m * n == finish.len();
        assert!(right, "[{m}, {k}, {n}]");
    }
    let rounds = parts.iter().any(|part| part.weight.rounds_inputs(isa));
    match x {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        _ if rounds && isa == Isa::AmxBf16 => amx::run([m, k], x, parts),
        Input::F32(x) if rounds => {
            let mut buffer = Buffer::new(size_of_val(x));
            round(isa, x, buffer.numbers_mut(x.len()));
            run(isa, [m, k], Input::Bf16(buffer.numbers(x.len())), parts);
        }
        #[cfg(target_arch = "x86_64")]
        Input::F32(x) if turned::is_best(isa, parts) => {
            // Safety: the processor has the instructions (`Isa`).
            let x = unsafe { Turned::new(isa, [m, k], x) };
            run(isa, [m, k], Input::Turned(x.numbers()), parts);
        }
        _ => run(isa, [m, k], x, parts),
    }
}

/// Runs all parts in parallel, block by block.
fn run(isa: Isa, [m, k]: [usize; 2], x: Input, parts: &[Part]) {
    let tile = match x {
        #[cfg(target_arch = "x86_64")]
        Input::Turned(_) => [turned::width(isa), turned::TILE],
        _ => [1, TILE_COLUMNS],
    };
    tasks(parts, m, tile).for_each(|task| {
        // Safety: the processor has the instructions (`Isa`), no two tasks share
        // a row and a column, and a part's output lives as long as the part.
        unsafe {
            match (task.part.weight, task.part.up, x) {
                #[cfg(target_arch = "x86_64")]
                (Weight::Bf16(w), Weight::Bf16(up), Input::Bf16(x)) if isa == Isa::Avx512Bf16 => {
                    x86::avx512_bf16(&task.block(k, x, [w, up]));
                }
                #[cfg(target_arch = "aarch64")]
                (Weight::Bf16(w), Weight::Bf16(up), Input::Bf16(x)) if isa == Isa::NeonBf16 => {
                    neon::bf16_products(&task.block(k, x, [w, up]));
                }
                (Weight::F32(w), Weight::F32(up), _) => {
                    kernel(isa, x)(&task.block(k, x.in_f32(), [w, up]));
                }
                (Weight::Bf16(w), Weight::Bf16(up), _) => {
                    kernel(isa, x)(&task.block(k, x.in_f32(), [w, up]));
                }
                (Weight::F16(w), Weight::F16(up), _) => {
                    kernel(isa, x)(&task.block(k, x.in_f32(), [w, up]));
                }
                _ => panic!("weights of different dtypes in one product"),
            }
        }
    });
}

/// Computes one block; its safety is that of [`block::block`].
type Kernel<X, W> = unsafe fn(&Block<X, W>);

/// The kernel with float32 products.
fn kernel<W: Number>(isa: Isa, x: Input) -> Kernel<f32, W> {
    match (isa, x) {
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, Input::Turned(_)) => turned::in_256::<W>,
        #[cfg(target_arch = "x86_64")]
        (_, Input::Turned(_)) => turned::in_512::<W>,
        #[cfg(target_arch = "x86_64")]
        (Isa::AmxBf16 | Isa::Avx512Bf16 | Isa::Avx512, _) => x86::in_512::<W>,
        #[cfg(target_arch = "aarch64")]
        (Isa::Neon | Isa::NeonBf16, _) => neon::in_128::<W>,
        _ => portable::block::<W>,
    }
}

/// `x` rounded to bfloat16, to the nearest, ties to even, in parallel.
fn round(isa: Isa, x: &[f32], rounded: &mut [bf16]) {
    const TASK: usize = 32 * 1024;
    rounded.par_chunks_mut(TASK).zip(x.par_chunks(TASK)).for_each(|(rounded, x)| {
        round_numbers(isa, x, rounded);
    });
}

vectorized! {
    fn round_numbers(x: &[f32], rounded: &mut [bf16]) {
        for (rounded, &x) in rounded.iter_mut().zip(x) {
            *rounded = nearest_bf16(x);
        }
    }
}

/// To the nearest bfloat16, ties to even.
#[inline(always)]
fn nearest_bf16(x: f32) -> bf16 {
    let bits = x.to_bits();
    // Wraps for some NaN, and could carry others over into infinity.
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    bf16::from_bits(if x.is_nan() { 0x7fc0 } else { nearest as u16 })
}
