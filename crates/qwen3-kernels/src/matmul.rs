//! A float32 matrix product on the CPU over strided slices: the safe face of
//! the `gemm` crate.

use gemm::Parallelism;

/// A matrix inside a slice.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub data: &'a [f32],
    pub row_stride: usize,
    pub column_stride: usize,
}

/// Where a product goes: rows of contiguous columns inside a larger buffer.
#[derive(Clone, Copy)]
pub(crate) struct Destination {
    start: *mut f32,
    row_stride: usize,
    /// Elements from `start` to the end of the buffer.
    elements: usize,
}

// Safety: a destination is a promise of exclusive access to its rows and
// columns, given by whoever calls its unsafe methods.
unsafe impl Send for Destination {}
unsafe impl Sync for Destination {}

impl Destination {
    pub fn new(buffer: &mut [f32], row_stride: usize) -> Self {
        Self { start: buffer.as_mut_ptr(), row_stride, elements: buffer.len() }
    }

    /// Copies `values` to a row, from `column` on.
    ///
    /// # Safety
    /// As [`Destination::write`].
    #[inline(always)]
    pub unsafe fn write_row(self, row: usize, column: usize, values: &[f32]) {
        // Safety: by the caller.
        unsafe { self.write(row * self.row_stride + column, values) };
    }

    /// Copies `values` to element `at`.
    ///
    /// # Safety
    /// The buffer must be alive, and nobody else may use these elements now.
    #[inline(always)]
    pub unsafe fn write(self, at: usize, values: &[f32]) {
        assert!(at + values.len() <= self.elements, "{at} + {} elements", values.len());
        // Safety: inside the buffer, by the assertion; exclusive, by the caller.
        unsafe { self.start.add(at).copy_from_nonoverlapping(values.as_ptr(), values.len()) };
    }
}

/// `out = factor · lhs · rhs`, or `out += factor · lhs · rhs`, for `[m, k] · [k, n]`.
pub(crate) fn matmul(
    [m, k, n]: [usize; 3],
    lhs: Matrix,
    rhs: Matrix,
    out: Destination,
    accumulate: bool,
    factor: f32,
    parallelism: Parallelism,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(k > 0, "a product over nothing");
    assert!(last(lhs, m, k) < lhs.data.len(), "lhs is shorter than [{m}, {k}]");
    assert!(last(rhs, k, n) < rhs.data.len(), "rhs is shorter than [{k}, {n}]");
    assert!((m - 1) * out.row_stride + n - 1 < out.elements, "out is shorter than [{m}, {n}]");
    // Safety: every element that the strides reach lies inside its buffer (the
    // three assertions), and `out` is exclusive (`Destination`).
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.start,
            1,
            out.row_stride as isize,
            accumulate,
            lhs.data.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.data.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            1.0,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}

fn last(matrix: Matrix, rows: usize, columns: usize) -> usize {
    (rows - 1) * matrix.row_stride + (columns - 1) * matrix.column_stride
}
