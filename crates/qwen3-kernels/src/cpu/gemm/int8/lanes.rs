//! Blocks as strips, with registers of lanes of 16 bytes.

use super::NUMBERS;
use super::groups::{ByteGroup, QUAD, Quads, STRIP};
use super::strips::BlockRows;
use burn::tensor::f16;
use qwen3_dtypes::Dtype;

/// Rows of which each lane of a register holds four numbers when they are turned.
const SQUARE: usize = 4;
/// From a row to the one that is asked for meanwhile: after two pairs of strips memory has
/// had time to answer.
pub(super) const FETCHED_AHEAD: usize = 4 * STRIP;

/// A register of lanes of 16 bytes each.
///
/// # Safety
/// Implementations read and write [`Lanes::N`] lanes; their methods are called only where the
/// processor has their instructions.
pub(super) unsafe trait Lanes: Copy {
    const N: usize;
    /// A lane from where `at` says.
    ///
    /// # Safety
    /// 16 bytes can be read there; the processor has the instructions, for this and all that
    /// follow.
    unsafe fn load(at: impl Fn(usize) -> *const u8) -> Self;
    /// The first bytes.
    ///
    /// # Safety
    /// See [`Lanes::load`].
    ///
    /// # Panics
    /// If there are fewer.
    unsafe fn load_all(from: &[u8]) -> Self;
    /// # Safety
    /// All lanes can be written.
    unsafe fn store(self, to: *mut u8);
    /// The same in each lane.
    ///
    /// # Safety
    /// See [`Lanes::load`].
    unsafe fn each(lane: [u8; 16]) -> Self;
    /// # Safety
    /// See [`Lanes::load`].
    unsafe fn and(self, other: Self) -> Self;
    /// Of bytes, as all that follow.
    ///
    /// # Safety
    /// See [`Lanes::load`].
    unsafe fn add(self, other: Self) -> Self;
    /// # Safety
    /// See [`Lanes::load`].
    unsafe fn min(self, other: Self) -> Self;
    /// Those of the same lane that `which` says.
    ///
    /// # Safety
    /// See [`Lanes::load`].
    unsafe fn shuffle(self, which: Self) -> Self;
    /// Bits of pairs of bytes to the right, four places.
    ///
    /// # Safety
    /// See [`Lanes::load`].
    unsafe fn right(self) -> Self;
    /// Four rows of four numbers of 32 bits as columns, in each lane.
    ///
    /// # Safety
    /// See [`Lanes::load`].
    unsafe fn transposed(rows: [Self; SQUARE]) -> [Self; SQUARE];
    /// Asks the second-level cache for what is there; any address will do.
    ///
    /// # Safety
    /// See [`Lanes::load`].
    unsafe fn fetch(at: *const u8);
}

/// In which order codes of all rows of a strip follow each other.
///
/// # Safety
/// Implementations read no more than [`Codes::BYTES`] of each row.
pub(super) unsafe trait Order<L: Lanes> {
    /// The codes of a block of each row, with `add` added to each.
    ///
    /// # Safety
    /// The processor has the instructions of `L`, and a block of each row can be read where
    /// `at` says.
    unsafe fn put<C: Codes>(codes: C, at: impl Fn(usize) -> *const u8, add: u8, quads: &mut Quads);
}

/// Four of each row, then the next four.
pub(super) struct InQuads;

// Safety: `Codes::codes` of each row.
unsafe impl<L: Lanes> Order<L> for InQuads {
    #[inline(always)]
    unsafe fn put<C: Codes>(which: C, at: impl Fn(usize) -> *const u8, add: u8, quads: &mut Quads) {
        for first in (0..STRIP).step_by(SQUARE * L::N) {
            // Safety: by the caller.
            unsafe {
                let [mut lower, mut upper] = [[L::each([0; 16]); SQUARE]; 2];
                for (row, (lower, upper)) in lower.iter_mut().zip(&mut upper).enumerate() {
                    let codes = which.codes::<L>(|lane| at(first + SQUARE * lane + row), add);
                    [*lower, *upper] = codes;
                }
                for (half, rows) in [lower, upper].into_iter().enumerate() {
                    for (quad, codes) in L::transposed(rows).into_iter().enumerate() {
                        let to = &mut quads[half * NUMBERS / QUAD / 2 + quad];
                        codes.store(to[first * QUAD..][..SQUARE * L::N * QUAD].as_mut_ptr());
                    }
                }
            }
        }
    }
}

/// As [`super::Instructions::pack`], in an order, with `ADD` added to each code.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn pack<L: Lanes, O: Order<L>, const ADD: u8>(
    rows: &BlockRows,
    groups: &mut [ByteGroup],
    strip: usize,
) {
    // Safety: by the caller.
    unsafe {
        match rows.dtype {
            Dtype::Q8_0 => pack_codes::<L, O, _, ADD>(Q8_0, rows, groups, strip),
            Dtype::Q5_0 => pack_codes::<L, O, _, ADD>(Q5_0, rows, groups, strip),
            Dtype::Q4_0 => pack_codes::<L, O, _, ADD>(Q4_0, rows, groups, strip),
            other => panic!("products in 8 bits of {other}"),
        }
    }
}

/// Blocks of one dtype.
///
/// # Safety
/// Implementations read no more than [`Codes::BYTES`].
pub(super) unsafe trait Codes: Copy {
    /// Bytes of a block, the first two of its scale.
    const BYTES: usize;

    /// The first 16 codes of a block in each lane, and the others, with `add` added to each.
    ///
    /// # Safety
    /// The processor has the instructions of `L`, and a block can be read where `at` says.
    unsafe fn codes<L: Lanes>(self, at: impl Fn(usize) -> *const u8, add: u8) -> [L; 2];
}

#[derive(Clone, Copy)]
struct Q8_0;
#[derive(Clone, Copy)]
struct Q5_0;
#[derive(Clone, Copy)]
struct Q4_0;

// Safety: 2 bytes and 32.
unsafe impl Codes for Q8_0 {
    const BYTES: usize = 34;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, at: impl Fn(usize) -> *const u8, add: u8) -> [L; 2] {
        // Safety: by the caller.
        unsafe {
            let codes = [L::load(|lane| at(lane).add(2)), L::load(|lane| at(lane).add(18))];
            codes.map(|codes| codes.add(L::each([add; 16])))
        }
    }
}

// Safety: 2 bytes, 4 and 16.
unsafe impl Codes for Q5_0 {
    const BYTES: usize = 22;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, at: impl Fn(usize) -> *const u8, add: u8) -> [L; 2] {
        // Safety: by the caller.
        unsafe {
            let upper = L::load(|lane| at(lane).add(2));
            let bit = L::each(std::array::from_fn(|i| 1 << (i % 8)));
            let [first, second] = nibbles::<L>(|lane| at(lane).add(6));
            [(first, 0), (second, 2)].map(|(lower, byte)| {
                let bytes = L::each(std::array::from_fn(|i| byte + i as u8 / 8));
                let upper = upper.shuffle(bytes).and(bit).min(L::each([1; 16]));
                // As 16 where the bit is set.
                let upper =
                    L::each([0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).shuffle(upper);
                lower.add(upper).add(L::each([add.wrapping_sub(16); 16]))
            })
        }
    }
}

// Safety: 2 bytes and 16.
unsafe impl Codes for Q4_0 {
    const BYTES: usize = 18;

    #[inline(always)]
    unsafe fn codes<L: Lanes>(self, at: impl Fn(usize) -> *const u8, add: u8) -> [L; 2] {
        // Safety: by the caller.
        unsafe {
            let add = L::each([add.wrapping_sub(8); 16]);
            nibbles::<L>(|lane| at(lane).add(2)).map(|codes| codes.add(add))
        }
    }
}

/// The lower halves of the bytes, and the upper ones.
///
/// # Safety
/// As [`Lanes::load`].
#[inline(always)]
pub(super) unsafe fn nibbles<L: Lanes>(at: impl Fn(usize) -> *const u8) -> [L; 2] {
    // Safety: by the caller.
    unsafe {
        let bytes = L::load(at);
        let mask = L::each([15; 16]);
        [bytes.and(mask), bytes.right().and(mask)]
    }
}

/// # Safety
/// As [`pack`].
#[inline(always)]
unsafe fn pack_codes<L: Lanes, O: Order<L>, C: Codes, const ADD: u8>(
    codes: C,
    rows: &BlockRows,
    groups: &mut [ByteGroup],
    strip: usize,
) {
    let n = groups.len();
    assert!(rows.row(0).len() == n * C::BYTES, "{n} blocks");
    let ahead = FETCHED_AHEAD * rows.row_bytes();
    let rows: [*const u8; STRIP] = std::array::from_fn(|row| rows.row(row).as_ptr());
    for (block, group) in groups.iter_mut().enumerate() {
        // Safety: each row has this block, by the assertion; by the caller.
        unsafe {
            let at = |row: usize| rows[row].add(block * C::BYTES);
            for (row, scale) in group.scales[strip].iter_mut().enumerate() {
                *scale = at(row).cast::<f16>().read_unaligned();
                // Every second block is in a line of its own. The first-level cache is full of
                // strips.
                if block % 2 == row % 2 {
                    L::fetch(at(row).wrapping_add(ahead));
                }
            }
            O::put(codes, at, ADD, &mut group.codes[strip]);
        }
    }
}
