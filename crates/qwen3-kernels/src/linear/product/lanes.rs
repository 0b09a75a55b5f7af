//! What a product needs of a processor: registers of partial sums.

use super::TILE_COLUMNS;

/// Numbers that are multiplied and added at the same time. `MAX_ROWS` rows of
/// [`TILE_COLUMNS`] sums fit the registers beside what they are made of.
///
/// # Safety
/// Implementations read no more numbers than [`Lanes::STEP`], or than they are
/// told; their methods are called only where the processor has their instructions.
pub(super) unsafe trait Lanes<const MAX_ROWS: usize> {
    /// Numbers of the left side as they are in memory.
    type X: Copy;
    /// Numbers of the weight as they are in memory.
    type W: Copy;
    /// [`Lanes::STEP`] numbers in a register.
    type Numbers: Copy;
    /// Partial sums in a register.
    type Sums: Copy;
    /// Numbers of one step.
    const STEP: usize;

    /// # Safety
    /// The processor has the instructions, for this and all that follow.
    unsafe fn zero() -> Self::Sums;
    /// # Safety
    /// [`Lanes::STEP`] numbers can be read.
    unsafe fn load_x(from: *const Self::X) -> Self::Numbers;
    /// # Safety
    /// [`Lanes::STEP`] numbers can be read.
    unsafe fn load_w(from: *const Self::W) -> Self::Numbers;
    /// Zeros after the first `n`.
    ///
    /// # Safety
    /// `n` numbers can be read, fewer than [`Lanes::STEP`].
    unsafe fn load_x_part(from: *const Self::X, n: usize) -> Self::Numbers;
    /// Zeros after the first `n`.
    ///
    /// # Safety
    /// `n` numbers can be read, fewer than [`Lanes::STEP`].
    unsafe fn load_w_part(from: *const Self::W, n: usize) -> Self::Numbers;
    /// # Safety
    /// See [`Lanes::zero`].
    unsafe fn add_product(sums: Self::Sums, x: Self::Numbers, w: Self::Numbers) -> Self::Sums;
    /// Asks the cache for what is there; any address will do.
    ///
    /// # Safety
    /// See [`Lanes::zero`].
    #[inline(always)]
    unsafe fn fetch<T>(_from: *const T) {}
    /// The sum over the lanes of each.
    ///
    /// # Safety
    /// See [`Lanes::zero`].
    unsafe fn sum(sums: [Self::Sums; TILE_COLUMNS]) -> [f32; TILE_COLUMNS];
}

/// A copy of the first `n` of `STEP` numbers with zeros behind.
///
/// # Safety
/// `n` numbers can be read, at most `STEP`.
#[inline(always)]
pub(super) unsafe fn padded<T: Copy, const STEP: usize>(
    from: *const T,
    n: usize,
    zero: T,
) -> [T; STEP] {
    let mut numbers = [zero; STEP];
    assert!(n <= STEP, "{n} of {STEP}");
    // Safety: by the caller, and by the assertion.
    unsafe { std::ptr::copy_nonoverlapping(from, numbers.as_mut_ptr(), n) };
    numbers
}
