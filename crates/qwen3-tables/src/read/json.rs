//! Files of a JSON object a line.

use super::chunks::CHUNK_BYTES;
use super::json_types::Columns;
use super::lines::Lines;
use super::{Problems, ROWS, Read, broken};
use crate::causes::WrongLine;
use crate::error::TableError;
use arrow_array::RecordBatch;
use arrow_json::ReaderBuilder;
use arrow_json::reader::Decoder;
use arrow_schema::{ArrowError, SchemaRef};
use std::path::Path;

/// The columns that all lines together show, what is wrong with some of them, and whether there is
/// any line.
pub(super) fn schema(path: &Path) -> Result<(SchemaRef, Problems, bool), TableError> {
    let (mut columns, mut has_rows) = (Columns::default(), false);
    let mut lines = Lines::open(path)?;
    while let Some(line) = lines.next()? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        has_rows = true;
        let line = line.to_owned();
        let seen = columns.see(&line, lines.number());
        seen.map_err(|error| lines.wrong(WrongLine::json(&error)))?;
    }
    let (schema, problems) = columns.schema();
    Ok((schema, problems, has_rows))
}

/// Columns that aren't in the schema are passed over.
pub(super) fn rows(path: &Path, schema: SchemaRef) -> Result<Read, TableError> {
    let decoder = ReaderBuilder::new(schema).with_batch_size(ROWS + 1).with_coerce_primitive(true);
    let decoder =
        decoder.build_decoder().map_err(|source| broken(path, "file of JSON objects", source))?;
    Ok(Box::new(Rows { lines: Lines::open(path)?, decoder }))
}

struct Rows {
    lines: Lines,
    decoder: Decoder,
}

impl Rows {
    fn batch(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let mut bytes = 0;
        while self.decoder.len() < ROWS
            && bytes < CHUNK_BYTES
            && let Some(line) = self.lines.next()?
        {
            bytes += line.len();
            let decoded = self.decoder.decode(line.as_bytes());
            decoded.map_err(|error| self.lines.wrong(WrongLine::arrow(error)))?;
            if self.decoder.has_partial_record() {
                return Err(self.lines.wrong(WrongLine::Open).into());
            }
        }
        self.decoder.flush()
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}
