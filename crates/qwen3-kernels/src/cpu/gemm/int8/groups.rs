//! Blocks of two strips of 16 weight rows, side by side: what products in 8 bits read.

use super::NUMBERS;
use super::lanes::Lanes;
use crate::cpu::gemm::output::Source;
use crate::cpu::gemm::widen::Widen;
use burn::tensor::f16;
use bytemuck::{Pod, Zeroable};
use qwen3_dtypes::{Dtype, strips};
use std::ops::Range;

/// Rows of a strip.
pub(super) const STRIP: usize = strips::ROWS / 2;
/// Numbers of a row beside each other: of one sum of products.
pub(super) const QUAD: usize = 4;
/// Blocks of a row that are multiplied at a time: two strips of them are 17 KiB, which stay in
/// the first-level cache.
pub(super) const BLOCKS: usize = 16;

/// Four codes of each row of a strip.
pub(super) type Quad = [u8; STRIP * QUAD];
/// The codes of a block of each row of a strip.
pub(super) type Quads = [Quad; NUMBERS / QUAD];

/// A block of each row of two strips, a byte for each code: what rows are packed into, and
/// as [`qwen3_dtypes::strips`] has q8_0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct ByteGroup {
    /// With what the instructions add to them.
    pub codes: [Quads; 2],
    pub scales: [[f16; STRIP]; 2],
}

/// A block of each row of two strips, half a byte for each code: as [`qwen3_dtypes::strips`]
/// has q4_0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct NibbleGroup {
    /// 8 too large. Those of the first 16 numbers are in the lower halves.
    codes: [[Quad; NUMBERS / QUAD / 2]; 2],
    scales: [[f16; STRIP]; 2],
}

/// 32 numbers of each row of two strips that are `scale · code − minimum`, of codes from 0 to 31:
/// what rows of `q4_k` and `q5_k` are packed into.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct MinimumGroup {
    pub codes: [Quads; 2],
    pub scales: [[f32; STRIP]; 2],
    pub minima: [[f32; STRIP]; 2],
}

/// 32 numbers of each row of two strips with a scale for each 16: what rows of `q6_k` are packed
/// into.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct HalvesGroup {
    /// From -32 to 31, with what the instructions add to them.
    pub codes: [Quads; 2],
    /// Of the first 16 and of the others.
    pub scales: [[[f32; STRIP]; 2]; 2],
}

/// A block of each row of two strips.
pub(super) trait Group {
    type Scale: Widen;
    /// In how many parts numbers have scales.
    const PARTS: usize = 1;

    /// A register of a quad of codes, from byte `first` on.
    ///
    /// # Safety
    /// The processor has the instructions of `L`.
    unsafe fn quad<L: Lanes>(&self, strip: usize, quad: usize, first: usize) -> L;

    /// Of a part of each row of a strip.
    fn scales(&self, strip: usize, part: usize) -> &[Self::Scale; STRIP];

    /// Of each row of a strip, where numbers have one.
    #[inline(always)]
    fn minima(&self, _strip: usize) -> Option<&[f32; STRIP]> {
        None
    }
}

impl Group for ByteGroup {
    type Scale = f16;

    /// # Safety
    /// See [`Group`].
    #[inline(always)]
    unsafe fn quad<L: Lanes>(&self, strip: usize, quad: usize, first: usize) -> L {
        // Safety: by the caller.
        unsafe { L::load_all(&self.codes[strip][quad][first..]) }
    }

    #[inline(always)]
    fn scales(&self, strip: usize, _: usize) -> &[f16; STRIP] {
        &self.scales[strip]
    }
}

impl Group for NibbleGroup {
    type Scale = f16;

    /// # Safety
    /// See [`Group`].
    #[inline(always)]
    unsafe fn quad<L: Lanes>(&self, strip: usize, quad: usize, first: usize) -> L {
        let quads = &self.codes[strip];
        // Safety: by the caller.
        unsafe {
            let bytes = L::load_all(&quads[quad % quads.len()][first..]);
            let codes = if quad < quads.len() { bytes } else { bytes.right() };
            codes.and(L::each([15; 16]))
        }
    }

    #[inline(always)]
    fn scales(&self, strip: usize, _: usize) -> &[f16; STRIP] {
        &self.scales[strip]
    }
}

impl Group for MinimumGroup {
    type Scale = f32;

    /// # Safety
    /// See [`Group`].
    #[inline(always)]
    unsafe fn quad<L: Lanes>(&self, strip: usize, quad: usize, first: usize) -> L {
        // Safety: by the caller.
        unsafe { L::load_all(&self.codes[strip][quad][first..]) }
    }

    #[inline(always)]
    fn scales(&self, strip: usize, _: usize) -> &[f32; STRIP] {
        &self.scales[strip]
    }

    #[inline(always)]
    fn minima(&self, strip: usize) -> Option<&[f32; STRIP]> {
        Some(&self.minima[strip])
    }
}

impl Group for HalvesGroup {
    type Scale = f32;
    const PARTS: usize = 2;

    /// # Safety
    /// See [`Group`].
    #[inline(always)]
    unsafe fn quad<L: Lanes>(&self, strip: usize, quad: usize, first: usize) -> L {
        // Safety: by the caller.
        unsafe { L::load_all(&self.codes[strip][quad][first..]) }
    }

    #[inline(always)]
    fn scales(&self, strip: usize, part: usize) -> &[f32; STRIP] {
        &self.scales[strip][part]
    }
}

/// A group with a byte for each code.
pub(super) trait ByteCodes: Group {
    fn quads(&self, strip: usize) -> &Quads;
    fn quads_mut(&mut self, strip: usize) -> &mut Quads;
}

macro_rules! byte_codes {
    ($($Group:ty),*) => {
        $(impl ByteCodes for $Group {
            #[inline(always)]
            fn quads(&self, strip: usize) -> &Quads {
                &self.codes[strip]
            }

            #[inline(always)]
            fn quads_mut(&mut self, strip: usize) -> &mut Quads {
                &mut self.codes[strip]
            }
        })*
    };
}

byte_codes!(ByteGroup, MinimumGroup, HalvesGroup);

/// Some blocks of two strips, one after the other.
#[derive(Clone, Copy)]
pub(super) enum Groups<'a> {
    /// Of a dtype.
    Bytes(Dtype, &'a [ByteGroup]),
    Nibbles(&'a [NibbleGroup]),
    Minima(&'a [MinimumGroup]),
    Halves(&'a [HalvesGroup]),
}

/// The quads of a part of a group.
#[inline(always)]
pub(super) fn quads_of<G: Group>(part: usize) -> Range<usize> {
    const ALL: usize = NUMBERS / QUAD;
    part * ALL / G::PARTS..(part + 1) * ALL / G::PARTS
}

impl Groups<'_> {
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(_, groups) => groups.len(),
            Self::Nibbles(groups) => groups.len(),
            Self::Minima(groups) => groups.len(),
            Self::Halves(groups) => groups.len(),
        }
    }
}

/// Some lines of the cache that are asked for with each group, so that the next groups are there
/// when their turn comes.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    from: *const u8,
    lines: usize,
}

impl Ahead {
    /// Bytes of a line.
    const LINE: usize = 64;

    /// The part of a tile, of so many, of what follows some groups of a weight. Rows that are
    /// packed have been asked for.
    pub fn new(weight: &Source<i8>, groups: Groups, [tile, tiles]: [usize; 2]) -> Self {
        let bytes: &[u8] = match (weight, groups) {
            (Source::Strips(..), Groups::Bytes(_, groups)) => bytemuck::cast_slice(groups),
            (Source::Strips(..), Groups::Nibbles(groups)) => bytemuck::cast_slice(groups),
            _ => &[],
        };
        let lines = bytes.len().div_ceil(Self::LINE * BLOCKS * tiles);
        let before = tile * lines * BLOCKS * Self::LINE;
        Self { from: bytes.as_ptr_range().end.wrapping_add(before), lines }
    }

    /// With the group at `at`.
    ///
    /// # Safety
    /// The processor has the instructions of `L`.
    #[inline(always)]
    pub unsafe fn fetch<L: Lanes>(self, at: usize) {
        for line in 0..self.lines {
            let bytes = (at * self.lines + line) * Self::LINE;
            // Safety: by the caller.
            unsafe { L::fetch(self.from.wrapping_add(bytes)) };
        }
    }
}
