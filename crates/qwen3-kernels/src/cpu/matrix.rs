//! What kernels read: a matrix inside of a slice.

/// Rows of contiguous columns.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub data: &'a [T],
    /// Elements from the start of a row to that of the next one.
    pub stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Whether there are so many rows and columns.
    pub fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || (rows - 1) * self.stride + columns <= self.data.len()
    }

    /// What of it is from a row and a column on.
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    pub fn from(&self, row: usize, column: usize) -> Self {
        Self { data: &self.data[row * self.stride + column..], stride: self.stride }
    }
}
