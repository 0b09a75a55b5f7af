//! NumPy's file format for vectors whose number is known only at the end.

use crate::error::Error;
use crate::output::{Output, little_endian};
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};

/// A multiple of 64 bytes that has room for the largest numbers.
const HEADER_BYTES: usize = 128;

/// A file of float32 rows; nothing is held in memory. Its header goes first, and
/// is put right at the end. Where that can't be, rows go to a temporary file first.
pub struct Npy {
    spool: Option<BufWriter<File>>,
    n_rows: usize,
    columns: usize,
}

impl Npy {
    pub fn new(output: &mut Output) -> Result<Self, Error> {
        let spool = match output.is_rewritable() {
            true => {
                output.write(&header(0, 0))?;
                None
            }
            false => Some(BufWriter::new(tempfile::tempfile().map_err(spool_failed)?)),
        };
        Ok(Self { spool, n_rows: 0, columns: 0 })
    }

    pub fn push(&mut self, output: &mut Output, row: &[f32]) -> Result<(), Error> {
        (self.n_rows, self.columns) = (self.n_rows + 1, row.len());
        match &mut self.spool {
            None => output.write(&little_endian(row)),
            Some(spool) => spool.write_all(&little_endian(row)).map_err(spool_failed),
        }
    }

    /// The header, and what waits for it.
    pub fn finish(self, output: &mut Output) -> Result<(), Error> {
        let header = header(self.n_rows, self.columns);
        let Some(spool) = self.spool else { return output.rewrite_start(&header) };
        output.write(&header)?;
        let mut rows = spool.into_inner().map_err(|error| spool_failed(error.into_error()))?;
        rows.rewind().map_err(spool_failed)?;
        output.copy(&mut rows)
    }
}

fn spool_failed(source: io::Error) -> Error {
    Error::Spool { folder: std::env::temp_dir(), source }
}

/// Format version 1.0: magic number, header length, a Python dictionary padded
/// so that the data begins at a multiple of 64 (numpy.lib.format).
fn header(rows: usize, columns: usize) -> Vec<u8> {
    let fields =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    let length = HEADER_BYTES - header.len() - size_of::<u16>();
    header.extend((length as u16).to_le_bytes());
    header.extend(fields.bytes());
    header.resize(HEADER_BYTES - 1, b' ');
    header.push(b'\n');
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_as_long_whatever_the_numbers_and_says_so() {
        for (rows, columns) in [(0, 0), (3, 1024), (usize::MAX, usize::MAX)] {
            let header = header(rows, columns);
            assert_eq!(header.len(), HEADER_BYTES);
            let length = u16::from_le_bytes([header[8], header[9]]) as usize;
            assert_eq!(length + 10, header.len());
            let shape = format!("'shape': ({rows}, {columns}), }}");
            assert!(String::from_utf8_lossy(&header[10..]).contains(&shape));
            assert_eq!(header.last(), Some(&b'\n'));
        }
    }
}
