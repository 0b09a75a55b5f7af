//! Tables in, tables out: `qwen3 embed` and `qwen3 rerank` on files of rows.
//!
//! Rows go from thread to thread, a batch at a time: one reads, one tokenizes, this one computes,
//! one writes. What is finished stays, whatever ends the run, and the same command goes on from it.

mod embed;
mod error;
mod input;
mod pieces;
mod pipeline;
mod progress;
mod read;
mod rerank;
mod run;
mod step;
mod target;
mod write;

pub use embed::embed;
pub use error::TablesError;
pub use rerank::rerank;

use crate::args::{InputArgs, OutputArgs};
use qwen3_tables::{OutputFormat, is_table};

/// Whether these files mean rows of tables, not lines of text.
pub fn are_meant(input: &InputArgs, output: &OutputArgs) -> bool {
    // As ever: the field of each line is a text.
    if input.field.is_some() {
        return false;
    }
    let is_table_of_results = output.output.as_ref().is_some_and(|path| {
        let format = OutputFormat::of(path);
        path.is_dir() || matches!(format, Some(OutputFormat::Parquet | OutputFormat::Arrow))
    });
    let tables = input.input.iter().any(|path| is_table(path));
    tables || (is_table_of_results && !input.input.is_empty())
}
