//! Where kernels write from several threads: rows inside of one buffer.

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

    /// Where `columns` numbers of a row begin, from `column` on.
    ///
    /// # Safety
    /// As [`Destination::write`].
    #[inline(always)]
    pub unsafe fn at(self, row: usize, column: usize, columns: usize) -> *mut f32 {
        let at = row * self.row_stride + column;
        assert!(at + columns <= self.elements, "{at} + {columns} elements");
        // Safety: inside the buffer, by the assertion.
        unsafe { self.start.add(at) }
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
