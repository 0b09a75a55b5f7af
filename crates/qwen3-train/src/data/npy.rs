//! NumPy's files of vectors, mapped into memory: a row is read when it is wanted.

use super::DataFile;
use crate::error::Error;
use half::f16;
use qwen3_sys::MappedFile;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// No header of two numbers is longer.
const MAX_HEADER_BYTES: usize = 1 << 16;
/// Rows that are looked at together.
const BLOCK_ROWS: usize = 4_096;

/// A matrix `[rows, width]` of float16 or float32 in a file.
#[derive(Debug)]
pub(crate) struct Matrix {
    path: PathBuf,
    file: MappedFile,
    start: usize,
    dtype: NumberType,
    rows: usize,
    width: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum NumberType {
    F16,
    F32,
}

impl NumberType {
    fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

impl Matrix {
    /// Maps a file whose format is version 1, 2 or 3 of `numpy.lib.format`.
    ///
    /// # Errors
    /// If it can't be read, is no matrix of such numbers, or has more than `max` columns.
    pub fn open(path: &Path, max: usize) -> Result<Self, Error> {
        let file = MappedFile::open(path);
        let file = file.map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let wrong = |what: String| Error::Npy { path: path.to_owned(), what };
        let (header, start) = header(&file).map_err(wrong)?;
        let (dtype, [rows, width]) = fields(&header).map_err(wrong)?;
        let bytes = rows.checked_mul(width).and_then(|numbers| numbers.checked_mul(dtype.bytes()));
        let found = file.len() - start;
        if bytes != Some(found) {
            let what = format!("it says [{rows}, {width}] and has {found} bytes of numbers");
            return Err(wrong(what));
        }
        if rows == 0 || width == 0 {
            return Err(Error::Empty { path: path.to_owned() });
        }
        if width > max {
            return Err(Error::TargetWidth { path: path.to_owned(), width, max });
        }
        Ok(Self { path: path.to_owned(), file, start, dtype, rows, width })
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A row scaled to length 1, behind what is in `into`.
    pub fn unit_row(&self, row: u32, into: &mut Vec<f32>) {
        let numbers = into.len();
        self.numbers(row as usize, into);
        let row = &mut into[numbers..];
        let squares: f64 = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        let scale = squares.sqrt().recip();
        row.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
    }

    /// Looks at every number once.
    ///
    /// # Errors
    /// If one is NaN or infinite, or a row is nothing but zeros.
    pub fn checked(&self, role: &'static str) -> Result<DataFile, Error> {
        let mut hash = Xxh3::new();
        let mut row_numbers = Vec::with_capacity(self.width);
        for first in (0..self.rows).step_by(BLOCK_ROWS) {
            let block = first..self.rows.min(first + BLOCK_ROWS);
            for row in block.clone() {
                row_numbers.clear();
                self.numbers(row, &mut row_numbers);
                let is_bad = row_numbers.iter().any(|x| !x.is_finite());
                let what = if is_bad { "NaN or infinity" } else { "nothing but zeros" };
                if is_bad || row_numbers.iter().all(|x| *x == 0.0) {
                    return Err(Error::TargetValue { path: self.path.clone(), row, what });
                }
            }
            let bytes = self.bytes_of(block.start).start..self.bytes_of(block.end - 1).end;
            hash.update(&self.file[bytes.clone()]);
            self.file.release(bytes);
        }
        let checksum = format!("{:016x}", hash.digest());
        Ok(DataFile { path: self.path.clone(), role, rows: self.rows, checksum })
    }

    fn numbers(&self, row: usize, into: &mut Vec<f32>) {
        let bytes = &self.file[self.bytes_of(row)];
        match self.dtype {
            NumberType::F16 => {
                let numbers = bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]));
                into.extend(numbers.map(f16::to_f32));
            }
            NumberType::F32 => into.extend(
                bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            ),
        }
    }

    fn bytes_of(&self, row: usize) -> std::ops::Range<usize> {
        let row_bytes = self.width * self.dtype.bytes();
        let start = self.start + row * row_bytes;
        start..start + row_bytes
    }
}

/// The dictionary, and where the numbers begin.
fn header(file: &[u8]) -> Result<(String, usize), String> {
    let no_array = || "it is no array that NumPy saved".to_owned();
    let version =
        *file.strip_prefix(b"\x93NUMPY").and_then(|rest| rest.first()).ok_or_else(no_array)?;
    let (length, start) = match version {
        1 => (file.get(8..10).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]]))), 10),
        2 | 3 => {
            let length = file.get(8..12);
            (length.map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize), 12)
        }
        _ => return Err(format!("its format has version {version}, known are 1 to 3")),
    };
    let length = length.filter(|length| *length <= MAX_HEADER_BYTES).ok_or_else(no_array)?;
    let header = file.get(start..start + length).ok_or_else(no_array)?;
    Ok((String::from_utf8_lossy(header).into_owned(), start + length))
}

/// What the dictionary says; `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn fields(header: &str) -> Result<(NumberType, [usize; 2]), String> {
    let value = |key: &str| {
        let (_, rest) = header.split_once(&format!("'{key}':"))?;
        Some(rest.trim_start())
    };
    let descr = value("descr").and_then(|rest| rest.strip_prefix('\'')?.split('\'').next());
    let dtype = match descr {
        Some("<f2") => NumberType::F16,
        Some("<f4") => NumberType::F32,
        other => {
            let other = other.unwrap_or("records");
            return Err(format!(
                "its numbers are `{other}`, not `<f2` or `<f4`; save it with `.astype(\"float32\")`"
            ));
        }
    };
    if !value("fortran_order").is_some_and(|rest| rest.starts_with("False")) {
        return Err(
            "its numbers stand column by column; save `numpy.ascontiguousarray` of it".to_owned()
        );
    }
    let shape = value("shape").and_then(|rest| rest.strip_prefix('(')?.split(')').next());
    let shape = shape.unwrap_or_default();
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let sizes: Option<Vec<usize>> = sizes.map(|size| size.parse().ok()).collect();
    match sizes.as_deref() {
        Some([rows, width]) => Ok((dtype, [*rows, *width])),
        _ => Err(format!("its shape is ({shape}), not (rows, width)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    /// A file as NumPy writes it.
    pub fn file(descr: &str, order: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), numbers].concat()
    }

    fn opened(content: &[u8]) -> Result<Matrix, Error> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.npy");
        fs::write(&path, content).unwrap();
        Matrix::open(&path, 1_024)
    }

    #[test]
    fn rows_of_both_formats_have_length_1() {
        let halves: Vec<u8> = [3.0, 4.0, 0.0, -2.0]
            .into_iter()
            .flat_map(|x| f16::from_f32(x).to_le_bytes())
            .collect();
        let floats: Vec<u8> =
            [3.0f32, 4.0, 0.0, -2.0].into_iter().flat_map(f32::to_le_bytes).collect();
        for (descr, numbers) in [("<f2", halves), ("<f4", floats)] {
            let matrix = opened(&file(descr, "False", "(2, 2)", &numbers)).unwrap();
            let mut rows = vec![];
            matrix.unit_row(1, &mut rows);
            matrix.unit_row(0, &mut rows);
            assert_eq!(rows, [0.0, -1.0, 0.6, 0.8]);
            assert_eq!(matrix.checked("targets").unwrap().rows, 2);
        }
    }

    #[test]
    fn what_is_no_such_matrix_is_told() {
        for (content, expected) in [
            (b"text".to_vec(), "no array"),
            (file("<f8", "False", "(1, 1)", &[0; 8]), "`<f8`"),
            (file("<f4", "True", "(1, 1)", &[0; 4]), "column by column"),
            (file("<f4", "False", "(1,)", &[0; 4]), "(1,)"),
            (file("<f4", "False", "(1, 1, 1)", &[0; 4]), "(1, 1, 1)"),
            (file("<f4", "False", "(2, 1)", &[0; 4]), "4 bytes"),
            (file("<f4", "False", "(99999999999999999999, 1)", &[0; 4]), "shape"),
            (file("<f4", "False", "(0, 4)", &[]), "no row"),
        ] {
            let error = opened(&content).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} without {expected}");
        }
    }

    #[test]
    fn numbers_that_no_vector_has_are_named_by_row() {
        for (bad, expected) in [(f32::NAN, "NaN"), (f32::INFINITY, "NaN"), (0.0, "zeros")] {
            let numbers: Vec<u8> = [1.0, bad].into_iter().flat_map(f32::to_le_bytes).collect();
            let matrix = opened(&file("<f4", "False", "(2, 1)", &numbers)).unwrap();
            let error = matrix.checked("targets").unwrap_err().to_string();
            assert!(error.starts_with("row 1 of") && error.contains(expected), "{error}");
        }
    }
}
