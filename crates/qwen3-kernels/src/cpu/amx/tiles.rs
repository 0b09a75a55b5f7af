//! The one operation on tiles, and what it means in plain Rust.

use super::tile::{SIDE, Tile};
use crate::cpu::destination::Destination;
use crate::cpu::matrix::Matrix;
use burn::tensor::bf16;

/// Numbers of a weight row in a tile.
pub(crate) const STEP: usize = 32;

/// 16 rows of a weight, as tiles take them.
#[derive(Clone, Copy)]
pub(crate) struct Strip<'a> {
    pub rows: Matrix<'a, bf16>,
    /// Numbers from a tile to the next one: [`STEP`] of them where rows lie in memory.
    pub apart: usize,
}

impl<'a> Strip<'a> {
    /// Rows as they lie in memory.
    pub fn in_place(rows: Matrix<'a, bf16>) -> Self {
        Self { rows, apart: STEP }
    }

    /// One tile after the other.
    pub fn packed(tiles: &'a [Tile]) -> Self {
        let data = bytemuck::cast_slice(tiles);
        Self { rows: Matrix { data, stride: STEP }, apart: SIDE * STEP }
    }

    /// Whether so many tiles are inside.
    fn holds(&self, steps: usize) -> bool {
        let last = steps.saturating_sub(1) * self.apart;
        last <= self.rows.data.len()
            && Matrix { data: &self.rows.data[last..], ..self.rows }.holds(SIDE, STEP)
    }
}

/// Tile registers.
pub(crate) trait Tiles {
    /// `c[j][i] = a[i] · b[j]`, the sum over all steps in their order: a tile of each `a`
    /// for each step of `b`. Rows and tiles of both are equally far apart.
    ///
    /// # Panics
    /// If they aren't, or `a` is smaller.
    fn multiply(&mut self, a: [Strip; 2], b: &[[Tile; 2]], c: &mut [[Tile; 2]; 2]);

    /// `c[i] = a[i] · b`, the sum over all steps in their order, of the first tile of each step
    /// of `b`: 16 rows where there are no more.
    ///
    /// # Panics
    /// As [`Tiles::multiply`].
    fn multiply_first(&mut self, a: [Strip; 4], b: &[[Tile; 2]], c: &mut [Tile; 4]);

    /// `c[i] += a[i] · b`, of pairs: 16 rows of each `a`, [`SIDE`] pairs for each
    /// step, and 16 columns. The same `a` and `c` may be given twice.
    ///
    /// # Safety
    /// Each `c` is alive, and nobody else uses its 16 rows of 16 columns.
    ///
    /// # Panics
    /// If a side is smaller.
    unsafe fn add(
        &mut self,
        steps: usize,
        a: [Matrix<u32>; 3],
        b: Matrix<u32>,
        c: [Destination; 3],
    );
}

/// Whether so many steps are inside of both, equally far apart.
pub(super) fn hold(a: &[Strip], steps: usize) -> bool {
    let apart = |a: &Strip| (a.rows.stride, a.apart);
    a.iter().all(|strip| apart(strip) == apart(&a[0]) && strip.holds(steps))
}

/// Whether so many steps of pairs are inside of both.
pub(super) fn hold_pairs(a: &[Matrix<u32>; 3], b: &Matrix<u32>, steps: usize) -> bool {
    a.iter().all(|a| a.holds(SIDE, steps * SIDE)) && b.holds(steps * SIDE, SIDE)
}

/// Tiles as Intel's manual defines them (Software Developer's Manual, volume 2,
/// `TDPBF16PS`): the reference of [`super::processor`].
pub(crate) struct Emulated;

impl Tiles for Emulated {
    fn multiply(&mut self, a: [Strip; 2], b: &[[Tile; 2]], c: &mut [[Tile; 2]; 2]) {
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

    fn multiply_first(&mut self, a: [Strip; 4], b: &[[Tile; 2]], c: &mut [Tile; 4]) {
        assert!(hold(&a, b.len()), "{} steps", b.len());
        *c = [Tile::ZERO; 4];
        for (step, [b, _]) in b.iter().enumerate() {
            for (c, a) in c.iter_mut().zip(a) {
                add_dot_products(c, &loaded(a, step), b);
            }
        }
    }

    /// # Safety
    /// As of the trait's.
    unsafe fn add(
        &mut self,
        steps: usize,
        a: [Matrix<u32>; 3],
        b: Matrix<u32>,
        c: [Destination; 3],
    ) {
        assert!(hold_pairs(&a, &b, steps), "{steps} steps");
        // Safety: by the caller. All are read before one is written.
        let row = |c: Destination, row| unsafe { c.row(row, 0, SIDE) };
        let mut sums = c.map(|c| {
            Tile(std::array::from_fn(|r| std::array::from_fn(|column| row(c, r)[column].to_bits())))
        });
        for step in 0..steps {
            let b = loaded_pairs(b, step * SIDE, 0);
            for (sums, a) in sums.iter_mut().zip(a) {
                add_dot_products(sums, &loaded_pairs(a, 0, step * SIDE), &b);
            }
        }
        for (c, sums) in c.into_iter().zip(&sums) {
            for (r, sums) in sums.as_f32().iter().enumerate() {
                row(c, r).copy_from_slice(sums);
            }
        }
    }
}

/// 16 rows of 16 pairs (`TILELOADD`).
fn loaded_pairs(from: Matrix<u32>, row: usize, column: usize) -> Tile {
    Tile(std::array::from_fn(|r| {
        std::array::from_fn(|c| from.data[(row + r) * from.stride + column + c])
    }))
}

/// 16 rows of 32 numbers (`TILELOADD`).
fn loaded(a: Strip, step: usize) -> Tile {
    let number = |row: usize, i: usize| {
        u32::from(a.rows.data[row * a.rows.stride + step * a.apart + i].to_bits())
    };
    Tile(std::array::from_fn(|row| {
        std::array::from_fn(|pair| number(row, 2 * pair) | number(row, 2 * pair + 1) << 16)
    }))
}

/// `c += a · b` (`TDPBF16PS`): products of the first of each pair are summed
/// apart from those of the second. Each step is rounded once, to the nearest,
/// ties to even; denormal numbers are zero when read and when written.
pub(crate) fn add_dot_products(c: &mut Tile, a: &Tile, b: &Tile) {
    for (c, a) in c.0.iter_mut().zip(&a.0) {
        let mut sums = [[0f32; 2]; SIDE];
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
