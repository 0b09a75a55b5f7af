//! The numbers of a tensor, in the dtype and layout that is wanted.

use super::{Entry, Weights};
use crate::dtype::{burn_dtype, convert, words};
use crate::error::Error;
use burn::tensor::{AllocationProperty, TensorData};
use qwen3_dtypes::{Dtype, Layout, strips};
use std::borrow::Cow;
use std::ops::Range;

/// A tensor, or some rows of it.
struct Wanted<'a> {
    name: &'a str,
    entry: &'a Entry,
    shape: &'a [usize],
    dtype: Dtype,
}

impl Weights {
    /// A tensor of exactly this shape in `dtype`: the file's own memory where
    /// that is how it is stored, else converted on the host.
    ///
    /// # Errors
    /// If it is missing, misshapen, not a floating-point number, or if a value
    /// becomes infinite in `dtype`. Blocks are words of 32 bits, row after row.
    ///
    /// # Panics
    /// If rows are no whole blocks of `dtype`, or nothing is brought into it here.
    pub fn tensor(&self, name: &str, shape: &[usize], dtype: Dtype) -> Result<TensorData, Error> {
        let entry = self.entry(name, shape)?;
        let wanted = Wanted { name, entry, shape, dtype };
        match entry.layout() {
            Layout::Rows => self.data(&wanted, entry.bytes.clone()),
            Layout::Strips => self.converted(&wanted, &self.in_rows(name, entry)?),
        }
    }

    /// A matrix of exactly this shape, as [`Weights::tensor`], but in a layout.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    ///
    /// # Panics
    /// As [`Weights::tensor`], and if the layout doesn't take it.
    pub fn matrix(
        &self,
        name: &str,
        shape: [usize; 2],
        dtype: Dtype,
        layout: Layout,
    ) -> Result<TensorData, Error> {
        let entry = self.entry(name, &shape)?;
        if (entry.dtype(name)?, entry.layout()) == (dtype, layout) {
            return self.data(&Wanted { name, entry, shape: &shape, dtype }, entry.bytes.clone());
        }
        let rows = self.tensor(name, &shape, dtype)?;
        match layout {
            Layout::Rows => Ok(rows),
            Layout::Strips => {
                let blocks = &rows.as_bytes()[..dtype.bytes_of(shape[0] * shape[1])];
                Ok(words(strips::of_rows(dtype, shape, blocks)))
            }
        }
    }

    /// Some rows of a matrix of exactly this shape, as [`Weights::tensor`].
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    ///
    /// # Panics
    /// If the matrix has no such rows.
    pub fn rows(
        &self,
        name: &str,
        shape: [usize; 2],
        rows: Range<usize>,
        dtype: Dtype,
    ) -> Result<TensorData, Error> {
        let entry = self.entry(name, &shape)?;
        let [n_rows, columns] = shape;
        assert!(rows.end <= n_rows, "rows {rows:?} of {n_rows}");
        let row_bytes = entry.dtype(name)?.bytes_of(columns);
        let bytes = rows.start * row_bytes..rows.end * row_bytes;
        let wanted = Wanted { name, entry, shape: &[rows.len(), columns], dtype };
        match entry.layout() {
            Layout::Rows => {
                let start = entry.bytes.start;
                self.data(&wanted, start + bytes.start..start + bytes.end)
            }
            Layout::Strips => self.converted(&wanted, &self.in_rows(name, entry)?[bytes]),
        }
    }

    /// One row of a matrix of exactly this shape, in float32.
    ///
    /// # Errors
    /// As [`Weights::tensor`], and if there is no such row, or NaN or infinity in it.
    pub fn row(&self, name: &str, shape: [usize; 2], row: u32) -> Result<Vec<f32>, Error> {
        if row as usize >= shape[0] {
            return Err(Error::TokenId { id: row, vocab_size: shape[0] });
        }
        let row = row as usize;
        let data = self.rows(name, shape, row..row + 1, Dtype::F32)?;
        let row: Vec<f32> = data.into_vec().expect("converted to float32");
        match row.iter().all(|x| x.is_finite()) {
            true => Ok(row),
            false => Err(self.not_finite(name)),
        }
    }

    /// From bytes of the file in the layout that is wanted.
    fn data(&self, wanted: &Wanted, bytes: Range<usize>) -> Result<TensorData, Error> {
        let Wanted { name, entry, shape, dtype } = *wanted;
        let stored = entry.dtype(name)?;
        let file = &self.files[entry.file];
        let values = &file.as_slice()[bytes.clone()];
        let (element, n) = (burn_dtype(dtype), values.len());
        let is_as_wanted = stored == dtype
            && values.as_ptr().addr().is_multiple_of(element.size())
            && n.is_multiple_of(element.size())
            && cfg!(target_endian = "little");
        if let Some(bytes) = file.share(bytes.clone()).filter(|_| is_as_wanted) {
            let bytes = burn::tensor::Bytes::from_shared(bytes, AllocationProperty::File);
            let words = [n / element.size()];
            let shape = if dtype.is_blocks() { &words } else { shape };
            return Ok(TensorData::from_bytes(bytes, shape, element));
        }
        let data = self.converted(wanted, values)?;
        file.release(bytes);
        Ok(data)
    }

    /// From bytes as they are stored, row after row; a copy of blocks in whatever layout.
    fn converted(&self, wanted: &Wanted, values: &[u8]) -> Result<TensorData, Error> {
        let Wanted { name, entry, shape, dtype } = *wanted;
        let lost = |value: f32| match value.is_finite() {
            true => Error::Float16Range { name: entry.told(name).to_owned(), value, dtype },
            false => self.not_finite(name),
        };
        convert(values, entry.dtype(name)?, shape, dtype).map_err(lost)
    }

    /// The bytes of a tensor, row after row.
    pub(super) fn in_rows(&self, name: &str, entry: &Entry) -> Result<Cow<'_, [u8]>, Error> {
        let file = &self.files[entry.file];
        let stored = &file.as_slice()[entry.bytes.clone()];
        match (entry.layout(), &entry.shape[..]) {
            (Layout::Strips, &[rows, columns]) => {
                let rows = strips::to_rows(entry.dtype(name)?, [rows, columns], stored);
                file.release(entry.bytes.clone());
                Ok(Cow::Owned(rows))
            }
            _ => Ok(Cow::Borrowed(stored)),
        }
    }
}
