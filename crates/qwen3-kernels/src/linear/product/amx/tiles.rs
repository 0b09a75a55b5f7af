//! The one operation on tiles, and what it means in plain Rust.

use super::packed::Tile;
use super::{Rows, STRIP};
use burn::tensor::bf16;

/// Numbers of a weight row in a tile.
pub(super) const STEP: usize = 32;

/// Tile registers.
pub(super) trait Tiles {
    /// `c[j][i] = a[i] · b[j]`, the sum over all steps in their order: 16 rows of
    /// each `a`, [`STEP`] columns for each step of `b`.
    ///
    /// # Panics
    /// If `a` is smaller.
    fn multiply(&mut self, a: [Rows<bf16>; 2], b: &[[Tile; 2]], c: &mut [[Tile; 2]; 2]);
}

/// Whether so many steps are inside of both.
pub(super) fn hold(a: &[Rows<bf16>; 2], steps: usize) -> bool {
    a.iter().all(|a| a.holds(STRIP, steps * STEP))
}

/// Tiles as Intel's manual defines them (Software Developer's Manual, volume 2,
/// `TDPBF16PS`): the reference of [`super::processor`].
pub(super) struct Emulated;

impl Tiles for Emulated {
    fn multiply(&mut self, a: [Rows<bf16>; 2], b: &[[Tile; 2]], c: &mut [[Tile; 2]; 2]) {
        assert!(hold(&a, b.len()), "{} steps", b.len());
        *c = [[Tile::ZERO; 2]; 2];
        for (step, b) in b.iter().enumerate() {
            let a = a.map(|a| loaded(a, step));
            for (c, b) in c.iter_mut().zip(b) {
                for (c, a) in c.iter_mut().zip(&a) {
                    add_dot_products(c, a, b);
                }
            }
        }
    }
}

/// 16 rows of 32 numbers (`TILELOADD`).
fn loaded(a: Rows<bf16>, step: usize) -> Tile {
    let number =
        |row: usize, i: usize| u32::from(a.data[row * a.stride + step * STEP + i].to_bits());
    Tile(std::array::from_fn(|row| {
        std::array::from_fn(|pair| number(row, 2 * pair) | number(row, 2 * pair + 1) << 16)
    }))
}

/// `c += a · b` (`TDPBF16PS`): products of the first of each pair are summed
/// apart from those of the second. Each step is rounded once, to the nearest,
/// ties to even; denormal numbers are zero when read and when written.
pub(super) fn add_dot_products(c: &mut Tile, a: &Tile, b: &Tile) {
    for (c, a) in c.0.iter_mut().zip(&a.0) {
        let mut sums = [[0f32; 2]; STRIP];
        for (a, b) in a.iter().zip(&b.0) {
            for (sums, b) in sums.iter_mut().zip(b) {
                for (sum, (a, b)) in sums.iter_mut().zip(wide(*a).into_iter().zip(wide(*b))) {
                    *sum = flushed(flushed(a).mul_add(flushed(b), *sum));
                }
            }
        }
        for (c, [first, second]) in c.iter_mut().zip(sums) {
            let sum = flushed(first + second);
            *c = flushed(flushed(f32::from_bits(*c)) + sum).to_bits();
        }
    }
}

/// The two bfloat16 numbers of a pair.
fn wide(pair: u32) -> [f32; 2] {
    [f32::from_bits(pair << 16), f32::from_bits(pair & 0xffff_0000)]
}

/// Zero of the same sign for a denormal number.
fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}
