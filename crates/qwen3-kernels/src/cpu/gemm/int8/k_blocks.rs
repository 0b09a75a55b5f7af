//! Rows of blocks of 256 numbers as strips: of `q4_k` and `q5_k`, with a scale and a minimum for
//! each 32 numbers, and of `q6_k`, with a scale for each 16.

use super::groups::{ByteCodes, HalvesGroup, MinimumGroup, STRIP};
use super::lanes::{Codes, FETCHED_AHEAD, Lanes, Order, nibbles};
use super::strips::BlockRows;
use crate::cpu::blocks::{halves_scales, steps_and_minima};
use qwen3_dtypes::Dtype;

/// Groups of a block.
const GROUPS: usize = 8;

/// As [`super::Instructions::pack_minima`], in an order.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn pack_minima<L: Lanes, O: Order<L>>(
    rows: &BlockRows,
    groups: &mut [MinimumGroup],
    strip: usize,
) {
    let put_scales = |row: usize, block: &[u8], groups: &mut [MinimumGroup; GROUPS]| {
        let (scales, minima) = steps_and_minima(block);
        for (group, (scale, minimum)) in groups.iter_mut().zip(scales.into_iter().zip(minima)) {
            group.scales[strip][row] = scale;
            group.minima[strip][row] = minimum;
        }
    };
    let blocks = groups.as_chunks_mut().0;
    // Safety: by the caller.
    unsafe {
        match rows.dtype {
            Dtype::Q4_K => pack::<L, O, _, _, 0>(Q4K, (rows, blocks), strip, put_scales),
            Dtype::Q5_K => pack::<L, O, _, _, 0>(Q5K, (rows, blocks), strip, put_scales),
            other => panic!("minima of {other}"),
        }
    }
}

/// As [`super::Instructions::pack_halves`], in an order, with `ADD` added to each code.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn pack_halves<L: Lanes, O: Order<L>, const ADD: u8>(
    rows: &BlockRows,
    groups: &mut [HalvesGroup],
    strip: usize,
) {
    let put_scales = |row: usize, block: &[u8], groups: &mut [HalvesGroup; GROUPS]| {
        for (group, [first, last]) in groups.iter_mut().zip(halves_scales(block)) {
            group.scales[strip][0][row] = first;
            group.scales[strip][1][row] = last;
        }
    };
    // Safety: by the caller.
    unsafe { pack::<L, O, _, _, ADD>(Q6K, (rows, groups.as_chunks_mut().0), strip, put_scales) }
}

/// The codes of all groups, after `put_scales` of each row and block.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn pack<L: Lanes, O: Order<L>, C: Codes, G: ByteCodes, const ADD: u8>(
    of_group: fn(usize) -> C,
    (rows, blocks): (&BlockRows, &mut [[G; GROUPS]]),
    strip: usize,
    put_scales: impl Fn(usize, &[u8], &mut [G; GROUPS]),
) {
    assert!(rows.row(0).len() == blocks.len() * C::BYTES, "{} blocks", blocks.len());
    let ahead = FETCHED_AHEAD * rows.row_bytes();
    let rows: [&[u8]; STRIP] = std::array::from_fn(|row| rows.row(row));
    for (block, groups) in blocks.iter_mut().enumerate() {
        let mut starts = [std::ptr::null(); STRIP];
        for (row, (bytes, start)) in rows.iter().zip(&mut starts).enumerate() {
            let bytes = &bytes[block * C::BYTES..];
            *start = bytes.as_ptr();
            // Safety: by the caller.
            unsafe { fetch::<L, C>(start.wrapping_add(ahead)) };
            put_scales(row, bytes, groups);
        }
        for (index, group) in groups.iter_mut().enumerate() {
            let at = |row: usize| starts[row];
            // Safety: each row has this block, by the assertion; by the caller.
            unsafe { O::put(of_group(index), at, ADD, group.quads_mut(strip)) };
        }
    }
}

/// Asks for a block.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn fetch<L: Lanes, C: Codes>(at: *const u8) {
    for line in (0..C::BYTES).step_by(64) {
        // Safety: by the caller.
        unsafe { L::fetch(at.wrapping_add(line)) };
    }
}

#[derive(Clone, Copy)]
struct Q4K(usize);
#[derive(Clone, Copy)]
struct Q5K(usize);
#[derive(Clone, Copy)]
struct Q6K(usize);

// Safety: 16 bytes and 128, of which a pair of groups has 32.
unsafe impl Codes for Q4K {
    const BYTES: usize = 144;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, at: impl Fn(usize) -> *const u8, _: u8) -> [L; 2] {
        // Safety: by the caller.
        unsafe { halves(16 + 32 * (self.0 / 2), self.0 % 2, at) }
    }
}

// Safety: 16 bytes, 32 of upper bits and 128 as of `Q4K`.
unsafe impl Codes for Q5K {
    const BYTES: usize = 176;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, at: impl Fn(usize) -> *const u8, _: u8) -> [L; 2] {
        // Safety: by the caller.
        unsafe {
            let mut codes: [L; 2] = halves(48 + 32 * (self.0 / 2), self.0 % 2, &at);
            let bit = L::each([1 << self.0; 16]);
            // As 16 where the bit is set.
            let sixteens = L::each([0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            for (codes, first) in codes.iter_mut().zip([16, 32]) {
                let upper = L::load(|lane| at(lane).add(first));
                *codes = codes.add(sixteens.shuffle(upper.and(bit).min(L::each([1; 16]))));
            }
            codes
        }
    }
}

// Safety: twice 64 bytes of lower codes, of which a group has 32; twice 32 of upper ones, of
// which it has two bits of each; 16 and 2.
unsafe impl Codes for Q6K {
    const BYTES: usize = 210;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, at: impl Fn(usize) -> *const u8, add: u8) -> [L; 2] {
        let (half, group) = (self.0 / 4, self.0 % 4);
        // Safety: by the caller.
        unsafe {
            let mut codes: [L; 2] = halves(64 * half + 32 * (group % 2), group / 2, &at);
            // Two bits, of which the upper half of a byte has been moved down, as 16 times them.
            let (bits, places) = if group % 2 == 0 { (3, 1) } else { (12, 4) };
            let mut sixteens = [0; 16];
            (1..4).for_each(|code| sixteens[code * places] = 16 * code as u8);
            let add = L::each([add.wrapping_sub(32); 16]);
            let first = 128 + 32 * half;
            for (codes, first) in codes.iter_mut().zip([first, first + 16]) {
                let upper = L::load(|lane| at(lane).add(first));
                let upper = if group < 2 { upper } else { upper.right() };
                let upper = L::each(sixteens).shuffle(upper.and(L::each([bits; 16])));
                *codes = codes.add(upper).add(add);
            }
            codes
        }
    }
}

/// The lower or the upper halves of 32 bytes from `first` on. (No closure: it would be compiled
/// without the instructions.)
///
/// # Safety
/// As [`Codes::codes`].
#[inline(always)]
unsafe fn halves<L: Lanes>(first: usize, which: usize, at: impl Fn(usize) -> *const u8) -> [L; 2] {
    // Safety: by the caller.
    unsafe {
        let a = nibbles::<L>(|lane| at(lane).add(first));
        let b = nibbles::<L>(|lane| at(lane).add(first + 16));
        [a[which], b[which]]
    }
}
