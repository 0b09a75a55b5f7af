//! What a microkernel needs of a processor: registers, for either way of filling
//! a tile of sums.

/// Columns of a tile of dot products.
pub(super) const DOT_COLUMNS: usize = 4;

/// Registers of partial sums of dot products: the lanes of one belong to one sum.
/// Tiles of up to [`DotRegisters::ROWS`] rows and [`DOT_COLUMNS`] columns fit the
/// registers beside what they are made of.
///
/// # Safety
/// Implementations read no more numbers than [`DotRegisters::STEP`], or than they are
/// told; their methods are called only where the processor has their instructions.
pub(super) unsafe trait DotRegisters {
    /// Numbers of the left side as they are in memory.
    type X: Copy;
    /// Numbers of the weight as they are in memory.
    type W: Copy;
    /// [`DotRegisters::STEP`] numbers in a register.
    type Operand: Copy;
    /// Partial sums in a register.
    type Sums: Copy;
    /// Rows of a tile, at most 6 ([`with_rows`]).
    const ROWS: usize;
    /// Numbers of one step.
    const STEP: usize;

    /// # Safety
    /// The processor has the instructions, for this and all that follow.
    unsafe fn zero() -> Self::Sums;
    /// # Safety
    /// [`DotRegisters::STEP`] numbers can be read.
    unsafe fn load_x(from: *const Self::X) -> Self::Operand;
    /// # Safety
    /// [`DotRegisters::STEP`] numbers can be read.
    unsafe fn load_w(from: *const Self::W) -> Self::Operand;
    /// Zeros after the first `n`.
    ///
    /// # Safety
    /// `n` numbers can be read, fewer than [`DotRegisters::STEP`].
    unsafe fn load_x_part(from: *const Self::X, n: usize) -> Self::Operand;
    /// Zeros after the first `n`.
    ///
    /// # Safety
    /// `n` numbers can be read, fewer than [`DotRegisters::STEP`].
    unsafe fn load_w_part(from: *const Self::W, n: usize) -> Self::Operand;
    /// # Safety
    /// See [`DotRegisters::zero`].
    unsafe fn add_product(sums: Self::Sums, x: Self::Operand, w: Self::Operand) -> Self::Sums;
    /// Asks the cache for what is there; any address will do.
    ///
    /// # Safety
    /// See [`DotRegisters::zero`].
    #[inline(always)]
    unsafe fn fetch<T>(_from: *const T) {}
    /// The sum over the lanes of each.
    ///
    /// # Safety
    /// See [`DotRegisters::zero`].
    unsafe fn sum(sums: [Self::Sums; DOT_COLUMNS]) -> [f32; DOT_COLUMNS];
}

/// A register of float32 sums of outer products: each lane is a sum of its own.
///
/// # Safety
/// Implementations read and write [`OuterRegister::LANES`] numbers; their methods are
/// called only where the processor has their instructions.
pub(super) unsafe trait OuterRegister: Copy {
    /// What is multiplied: a float32 number, or a pair of bfloat16 ones.
    type Element: Copy;
    /// [`OuterRegister::LANES`] of them in a register.
    type Operand: Copy;
    /// Rows of a tile, at most 6 ([`with_rows`]).
    const ROWS: usize;
    /// Sums in a register.
    const LANES: usize;
    /// # Safety
    /// [`OuterRegister::LANES`] numbers can be read.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// [`OuterRegister::LANES`] elements can be read.
    unsafe fn load_operand(from: *const Self::Element) -> Self::Operand;
    /// # Safety
    /// [`OuterRegister::LANES`] numbers can be written.
    unsafe fn store(self, to: *mut f32);
    /// `self + factor · x`
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn add(self, factor: Self::Element, x: Self::Operand) -> Self;
    /// [`OuterRegister::add`] of one lane.
    fn add_one(sum: f32, factor: Self::Element, x: Self::Element) -> f32;
}

/// Evaluates an expression with the constant `$M`, from 1 to 6, that equals a number
/// of rows: the microkernel is compiled for each.
macro_rules! with_rows {
    ($rows:expr, $M:ident => $call:expr) => {
        match $rows {
            1 => with_rows!(@ $M = 1, $call),
            2 => with_rows!(@ $M = 2, $call),
            3 => with_rows!(@ $M = 3, $call),
            4 => with_rows!(@ $M = 4, $call),
            5 => with_rows!(@ $M = 5, $call),
            _ => with_rows!(@ $M = 6, $call),
        }
    };
    (@ $M:ident = $rows:literal, $call:expr) => {{
        const $M: usize = $rows;
        $call
    }};
}
pub(super) use with_rows;

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
