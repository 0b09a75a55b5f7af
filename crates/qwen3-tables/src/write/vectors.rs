//! Vectors in NumPy's file format.

use crate::npy::{HEADER_BYTES, header};
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use std::io::{self, Seek, SeekFrom, Write};

/// A file whose header is written last, when the number of rows is known.
pub(super) struct VectorFile<W: Write + Seek> {
    file: W,
    descr: &'static str,
    rows: usize,
    columns: usize,
}

impl<W: Write + Seek> VectorFile<W> {
    /// `None`: the schema has another column than one of vectors.
    pub fn new(mut file: W, schema: &SchemaRef) -> Option<io::Result<Self>> {
        let [column] = &schema.fields()[..] else { return None };
        let DataType::FixedSizeList(item, width) = column.data_type() else { return None };
        let descr = match item.data_type() {
            DataType::Float32 => "<f4",
            DataType::Float16 => "<f2",
            DataType::Int8 => "|i1",
            DataType::UInt8 => "|u1",
            _ => return None,
        };
        let begun = file.write_all(&[0; HEADER_BYTES]);
        Some(begun.map(|()| Self { file, descr, rows: 0, columns: *width as usize }))
    }

    pub fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let vectors = batch.column(0).as_fixed_size_list();
        let numbers = vectors.values().to_data();
        let width = numbers.data_type().primitive_width().unwrap_or(1);
        let first = numbers.offset() * width;
        let bytes = vectors.len() * self.columns * width;
        self.rows += vectors.len();
        // Arrow's numbers are little-endian on every machine that Arrow builds for.
        self.file.write_all(&numbers.buffers()[0][first..first + bytes])
    }

    pub fn finish(mut self) -> io::Result<W> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(self.descr, self.rows, self.columns))?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(self.file)
    }
}
