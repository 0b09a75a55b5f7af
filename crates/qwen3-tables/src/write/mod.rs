//! Rows to a file.

mod vectors;

use crate::error::{Reason, TableError};
use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_json::LineDelimitedWriter;
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use vectors::VectorFile;

/// Formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// Apache Parquet, compressed with zstd.
    Parquet,
    /// Arrow IPC as a file, not compressed, so that it can be mapped.
    Arrow,
    /// A JSON object a line.
    JsonLines,
    /// NumPy's file format, with the vectors alone.
    Npy,
}

/// A row group has as many rows as fit into this, so that a reader's memory is bounded.
const GROUP_BYTES: usize = 64 << 20;
const LEAST_GROUP_ROWS: usize = 1_024;

impl OutputFormat {
    /// How its files end.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::JsonLines => "jsonl",
            Self::Npy => "npy",
        }
    }

    /// By a file's ending.
    pub fn of(path: &Path) -> Option<Self> {
        let all = [Self::Parquet, Self::Arrow, Self::JsonLines, Self::Npy];
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        all.into_iter().find(|format| format.ending() == ending)
    }
}

/// Writes rows into a file of a format.
pub struct TableWriter<W: Write + Seek + Send> {
    form: Form<W>,
    path: PathBuf,
}

enum Form<W: Write + Seek + Send> {
    Parquet(Box<ArrowWriter<W>>),
    Arrow(Box<FileWriter<BufWriter<W>>>),
    JsonLines(Box<LineDelimitedWriter<BufWriter<W>>>),
    Npy(VectorFile<BufWriter<W>>),
}

impl<W: Write + Seek + Send> TableWriter<W> {
    /// Begins a table; `path` is told in errors. The metadata of the schema is the file's.
    ///
    /// # Errors
    /// If the format can't hold such a table, or it can't be written.
    pub fn new(
        file: W,
        path: &Path,
        format: OutputFormat,
        schema: &SchemaRef,
    ) -> Result<Self, TableError> {
        let failed = |source: Reason| TableError::write(path)(source);
        let buffered = |file| BufWriter::with_capacity(1 << 18, file);
        let form = match format {
            OutputFormat::Parquet => {
                let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties(schema)));
                Form::Parquet(Box::new(writer.map_err(|error| failed(error.into()))?))
            }
            OutputFormat::Arrow => {
                let writer = FileWriter::try_new(buffered(file), schema);
                Form::Arrow(Box::new(writer.map_err(|error| failed(error.into()))?))
            }
            OutputFormat::JsonLines => {
                Form::JsonLines(Box::new(LineDelimitedWriter::new(buffered(file))))
            }
            OutputFormat::Npy => {
                let writer =
                    VectorFile::new(buffered(file), schema).ok_or(TableError::OnlyVectors)?;
                Form::Npy(writer.map_err(|error| failed(error.into()))?)
            }
        };
        Ok(Self { form, path: path.to_owned() })
    }

    /// Writes the rows of a batch of the schema.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        let written: Result<(), Reason> = match &mut self.form {
            Form::Parquet(writer) => writer.write(batch).map_err(Into::into),
            Form::Arrow(writer) => writer.write(batch).map_err(Into::into),
            Form::JsonLines(writer) => writer.write(batch).map_err(Into::into),
            Form::Npy(writer) => writer.write(batch).map_err(Into::into),
        };
        written.map_err(TableError::write(&self.path))
    }

    /// Writes what belongs at the end, and gives the file back, with all in it.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn finish(self) -> Result<W, TableError> {
        let finished: Result<W, Reason> = match self.form {
            Form::Parquet(writer) => writer.into_inner().map_err(Into::into),
            Form::Arrow(writer) => writer
                .into_inner()
                .map_err(Reason::from)
                .and_then(|file| file.into_inner().map_err(|error| error.into_error().into())),
            Form::JsonLines(mut writer) => writer.finish().map_err(Reason::from).and_then(|()| {
                writer.into_inner().into_inner().map_err(|error| error.into_error().into())
            }),
            Form::Npy(writer) => writer
                .finish()
                .and_then(|file| file.into_inner().map_err(std::io::IntoInnerError::into_error))
                .map_err(Into::into),
        };
        finished.map_err(TableError::write(&self.path))
    }
}

/// Vectors have no dictionary and no statistics: their numbers hardly repeat, and nobody looks for
/// one.
fn properties(schema: &SchemaRef) -> WriterProperties {
    use parquet::file::properties::EnabledStatistics;
    let metadata = schema.metadata().iter();
    let metadata = metadata.map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(metadata));
    let mut row_bytes = 1;
    for field in schema.fields() {
        if let DataType::FixedSizeList(item, width) = field.data_type() {
            let path = ColumnPath::from(vec![
                field.name().clone(),
                "list".to_owned(),
                item.name().clone(),
            ]);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path, EnabledStatistics::None);
            row_bytes += *width as usize * item.data_type().primitive_width().unwrap_or(1);
        }
    }
    let rows = (GROUP_BYTES / row_bytes).clamp(LEAST_GROUP_ROWS, crate::units::PART_ROWS as usize);
    properties.set_max_row_group_row_count(Some(rows)).build()
}
