//! NumPy's file format for vectors whose number is known only at the end.

use crate::error::Error;
use crate::output::{Output, little_endian};
use qwen3_tables::npy::header;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};

/// Float32, little-endian.
const DESCR: &str = "<f4";

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
                output.write(&header(DESCR, 0, 0))?;
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
        let header = header(DESCR, self.n_rows, self.columns);
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
