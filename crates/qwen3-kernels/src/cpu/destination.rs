//! Where kernels write from several threads: rows inside of one buffer.

/// Rows of contiguous columns inside of a larger buffer.
#[derive(Clone, Copy)]
pub(crate) struct Destination<T = f32> {
    start: *mut T,
    row_stride: usize,
    /// Elements from `start` to the end of the buffer.
    elements: usize,
}

// Safety: a destination is a promise of exclusive access to its rows and
// columns, given by whoever calls its unsafe methods.
unsafe impl<T: Send> Send for Destination<T> {}
unsafe impl<T: Send> Sync for Destination<T> {}

impl<T: Copy> Destination<T> {
    pub fn new(buffer: &mut [T], row_stride: usize) -> Self {
        Self { start: buffer.as_mut_ptr(), row_stride, elements: buffer.len() }
    }

    /// What of it is from a row and a column on.
    ///
    /// # Panics
    /// If that is beyond the buffer.
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    pub fn from(self, row: usize, column: usize) -> Self {
        let at = row * self.row_stride + column;
        assert!(at <= self.elements, "{at} elements");
        // Safety: inside the buffer or at its end, by the assertion.
        let start = unsafe { self.start.add(at) };
        Self { start, elements: self.elements - at, ..self }
    }

    /// Numbers from the start of a row to that of the next one.
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    pub fn row_stride(self) -> usize {
        self.row_stride
    }

    /// Where `columns` numbers of a row begin, from `column` on.
    ///
    /// # Safety
    /// The buffer must be alive, and nobody else may use these elements now.
    #[inline(always)]
    pub unsafe fn at(self, row: usize, column: usize, columns: usize) -> *mut T {
        let at = row * self.row_stride + column;
        assert!(at + columns <= self.elements, "{at} + {columns} elements");
        // Safety: inside the buffer, by the assertion.
        unsafe { self.start.add(at) }
    }

    /// `columns` numbers of a row, from `column` on.
    ///
    /// # Safety
    /// As [`Destination::at`], as long as the slice lives.
    #[inline(always)]
    pub unsafe fn row<'a>(self, row: usize, column: usize, columns: usize) -> &'a mut [T] {
        // Safety: inside the buffer by `at`; exclusive, by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.at(row, column, columns), columns) }
    }
}
