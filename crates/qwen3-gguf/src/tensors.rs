//! The table of tensors: what is where, and that it can be.

use crate::error::{Error, Fault};
use crate::file::GgufFile;
use qwen3_dtypes::{Dtype, name_of_number};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

/// A tensor as the header has it.
pub struct RawTensor {
    pub name: String,
    /// The innermost first.
    pub dimensions: Vec<u64>,
    /// ggml's number of it.
    pub format: u32,
    /// From where the tensors' bytes begin.
    pub offset: u64,
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// ggml's name for it.
    pub name: String,
    /// Its shape as PyTorch has it, `[out, in]` for a linear layer: ggml's the other way round.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub dtype: Dtype,
    /// Where its blocks are in the file.
    pub bytes: Range<usize>,
}

impl Tensor {
    /// Numbers of a row.
    pub fn row_len(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    /// Bytes of a row, which is a whole number of blocks.
    pub fn row_bytes(&self) -> usize {
        self.row_len() / self.dtype.block_len() * self.dtype.block_bytes()
    }

    /// Some of its rows, as a tensor.
    ///
    /// # Panics
    /// If it is no matrix with such rows.
    pub fn rows(&self, rows: Range<usize>) -> Self {
        assert!(self.shape.len() == 2 && rows.end <= self.shape[0], "{rows:?} of {:?}", self.shape);
        let at = |row| self.bytes.start + row * self.row_bytes();
        Self {
            name: self.name.clone(),
            shape: vec![rows.len(), self.shape[1]],
            dtype: self.dtype,
            bytes: at(rows.start)..at(rows.end),
        }
    }

    /// Its numbers, row after row. `file` is the one that it is from.
    pub fn widened(&self, file: &GgufFile) -> Vec<f32> {
        let mut numbers = vec![0.0; self.shape.iter().product()];
        self.dtype.widen(&file.bytes()[self.bytes.clone()], &mut numbers);
        numbers
    }
}

/// The tensors in the order of their bytes, none of which is outside of `data` or another's.
pub fn placed(
    tensors: Vec<(RawTensor, Dtype)>,
    data: Range<usize>,
    alignment: usize,
) -> Result<Vec<Tensor>, Fault> {
    let mut names = BTreeSet::new();
    if let Some((twice, _)) = tensors.iter().find(|(tensor, _)| !names.insert(&tensor.name)) {
        return Err(Fault::TensorTwice { name: twice.name.clone() });
    }
    let placed = tensors.into_iter().map(|(tensor, dtype)| tensor.place(dtype, &data, alignment));
    let mut placed = placed.collect::<Result<Vec<Tensor>, Fault>>()?;
    placed.sort_by_key(|tensor| tensor.bytes.start);
    let overlap = placed.array_windows().find(|[a, b]| a.bytes.end > b.bytes.start);
    match overlap {
        None => Ok(placed),
        Some([a, b]) => Err(Fault::Overlap { first: a.name.clone(), second: b.name.clone() }),
    }
}

impl RawTensor {
    /// # Errors
    /// If its dtype isn't read.
    pub fn dtype(&self, path: &Path) -> Result<Dtype, Error> {
        Dtype::from_number(self.format).ok_or_else(|| Error::TensorDtype {
            path: path.to_owned(),
            name: self.name.clone(),
            dtype: name_of_number(self.format),
        })
    }

    fn place(self, dtype: Dtype, data: &Range<usize>, alignment: usize) -> Result<Tensor, Fault> {
        let Some((shape, numbers)) = self.shape() else {
            let shape = self.dimensions.into_iter().rev().collect();
            return Err(Fault::Shape { name: self.name, shape });
        };
        let (row, block) = (shape[shape.len() - 1], dtype.block_len());
        if !row.is_multiple_of(block) {
            return Err(Fault::RowLength { name: self.name, row, block });
        }
        if !self.offset.is_multiple_of(alignment as u64) {
            return Err(Fault::Offset { name: self.name, offset: self.offset, alignment });
        }
        let n_bytes = (numbers / block).checked_mul(dtype.block_bytes());
        let start = usize::try_from(self.offset).ok().and_then(|at| data.start.checked_add(at));
        let end = start.and_then(|start| start.checked_add(n_bytes?));
        match (start, end) {
            (Some(start), Some(end)) if end <= data.end => {
                Ok(Tensor { name: self.name, shape, dtype, bytes: start..end })
            }
            _ => Err(Fault::Outside { name: self.name, file_bytes: data.end }),
        }
    }

    /// The shape, the outermost dimension first, and the product of its numbers.
    fn shape(&self) -> Option<(Vec<usize>, usize)> {
        let shape = self.dimensions.iter().rev().map(|&n| usize::try_from(n).ok());
        let shape = shape.collect::<Option<Vec<usize>>>()?;
        let numbers = shape.iter().try_fold(1, |product: usize, &n| product.checked_mul(n))?;
        (numbers > 0).then_some((shape, numbers))
    }
}
