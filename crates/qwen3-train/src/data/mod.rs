//! Files of training data, read with nothing taken on trust.

mod lines;
mod npy;
mod rows;
mod sequences;

pub(crate) use npy::Matrix;
pub(crate) use rows::{Row, read_rows};
pub(crate) use sequences::Sequences;

use serde::Serialize;
use std::path::PathBuf;

/// A file of data, as logs and cards name it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is for, such as `texts`.
    pub role: &'static str,
    /// Rows in it.
    pub rows: usize,
    /// XXH3 of what was read from it, in hexadecimal.
    pub checksum: String,
}
