//! Rows of a file, a batch at a time.

mod chunks;
mod columns;
mod csv;
mod json;
mod json_types;
mod lines;

use crate::causes::ColumnProblem;
use crate::error::{Reason, TableError};
use crate::input::{InputFile, TableFormat};
use crate::schema::project;
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Field, SchemaRef};
use chunks::Chunks;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// A file of rows, of which only the description has been read.
pub struct Table {
    file: InputFile,
    schema: SchemaRef,
    /// What a Parquet file says of itself.
    parquet: Option<ArrowReaderMetadata>,
    row_groups: Option<Vec<u64>>,
    /// Columns that can't be read.
    problems: Problems,
    is_blank: bool,
}

/// Batches as they are read.
type Read = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;
/// Why columns of these names can't be read.
type Problems = BTreeMap<String, ColumnProblem>;

/// Rows of text that are read at a time.
const ROWS: usize = 512;

impl Table {
    /// Reads a file's description; of a file of JSON all lines, as only all of them tell the types.
    ///
    /// # Errors
    /// If the file can't be read, or isn't of its format.
    pub fn open(file: &InputFile) -> Result<Self, TableError> {
        let file = file.clone();
        let (path, what) = (&file.path, name_of(file.format));
        let broken = |source: ArrowError| broken(path, what, source);
        let (mut parquet, mut problems, mut is_blank) = (None, Problems::new(), false);
        let schema = match file.format {
            TableFormat::Parquet => {
                let metadata = parquet.insert(columns::parquet_metadata(path)?);
                problems = columns::parquet_problems(metadata);
                SchemaRef::clone(metadata.schema())
            }
            TableFormat::Arrow => columns::arrow_schema(path)?.map_err(broken)?,
            TableFormat::Csv { delimiter } => {
                let schema = csv::schema(path, delimiter)?;
                is_blank = schema.fields().is_empty();
                schema
            }
            TableFormat::JsonLines => {
                let (schema, wrong, has_rows) = json::schema(path)?;
                (problems, is_blank) = (wrong, !has_rows);
                schema
            }
            TableFormat::Lines => lines::schema(path)?,
        };
        let row_groups = parquet.as_ref().map(|parquet| {
            let groups = parquet.metadata().row_groups().iter();
            groups.map(|group| group.num_rows().unsigned_abs()).collect()
        });
        Ok(Self { file, schema, parquet, row_groups, problems, is_blank })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows of each row group; `None`: the file must be read to know how many there are.
    pub fn row_groups(&self) -> Option<&[u64]> {
        self.row_groups.as_deref()
    }

    /// Whether nothing is in the file, not even names of columns.
    pub fn is_blank(&self) -> bool {
        self.is_blank
    }

    /// Whether rows may lack a column, as objects of JSON do where it has no value.
    pub(crate) fn may_lack_columns(&self) -> bool {
        self.file.format == TableFormat::JsonLines
    }

    /// The column of a name.
    ///
    /// # Errors
    /// If there is none, or it can't be read.
    pub fn field(&self, column: &str) -> Result<&Field, TableError> {
        let path = || self.file.path.clone();
        if let Some(problem) = self.problems.get(column) {
            let (column, problem) = (column.to_owned(), problem.clone());
            return Err(TableError::Column { path: path(), column, problem });
        }
        self.schema.field_with_name(column).map_err(|_| TableError::NoColumn {
            path: path(),
            column: column.to_owned(),
            columns: self.schema.fields().iter().map(|field| field.name().clone()).collect(),
        })
    }

    /// Its rows, or those of a range, with the columns and types of `schema`. A batch has at most
    /// 4,096 rows, fewer of long ones; the same ones come in each run.
    ///
    /// # Errors
    /// If the file can't be opened, or a column can't be read; later, if rows are broken.
    pub fn batches(
        &self,
        rows: Option<Range<u64>>,
        schema: &SchemaRef,
    ) -> Result<Batches, TableError> {
        let path = &self.file.path;
        let wanted = self.wanted(schema);
        wanted.fields().iter().try_for_each(|field| self.field(field.name()).map(drop))?;
        let first = rows.as_ref().map_or(0, |rows| rows.start);
        let read = match (self.file.format, &self.parquet) {
            (TableFormat::Parquet, Some(metadata)) => {
                let all = 0..self.row_groups.iter().flatten().sum();
                columns::parquet_rows(path, metadata, rows.unwrap_or(all), schema)
            }
            _ if self.is_blank => Ok(Box::new(std::iter::empty()) as Read),
            (TableFormat::Csv { delimiter }, _) => csv::rows(path, delimiter, wanted),
            (TableFormat::JsonLines, _) => json::rows(path, wanted),
            (TableFormat::Lines, _) => lines::rows(path, &self.schema),
            (TableFormat::Arrow | TableFormat::Parquet, _) => columns::arrow_rows(path),
        };
        let read = Chunks::new(read?);
        Ok(Batches { read, file: self.file.clone(), schema: SchemaRef::clone(schema), row: first })
    }

    /// This table's columns of those names: JSON is read as the types that were seen in it.
    fn wanted(&self, schema: &SchemaRef) -> SchemaRef {
        let own = self.schema.fields().iter();
        let wanted = own.filter(|field| schema.column_with_name(field.name()).is_some());
        SchemaRef::new(arrow_schema::Schema::new(wanted.cloned().collect::<Vec<_>>()))
    }
}

/// The rows of a table in order.
pub struct Batches {
    read: Chunks,
    file: InputFile,
    schema: SchemaRef,
    /// Of the file: the next one that is read.
    row: u64,
}

impl Batches {
    /// Where they are read from.
    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.read.next()?.and_then(|batch| project(&batch, &self.schema));
        let batch = batch.map_err(|source| match TableError::wrapped(source) {
            Ok(error) if !matches!(error, TableError::Number { .. }) => error,
            source => TableError::Rows {
                path: self.file.path.clone(),
                row: self.row,
                source: source.map_or_else(Reason::from, Reason::from),
            },
        });
        self.row += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Some(batch)
    }
}

fn broken(path: &Path, what: &'static str, source: impl Into<Reason>) -> TableError {
    TableError::Broken { path: path.to_owned(), what, source: source.into() }
}

fn name_of(format: TableFormat) -> &'static str {
    match format {
        TableFormat::Parquet => "Parquet file",
        TableFormat::Arrow => "Arrow file",
        TableFormat::Csv { .. } => "table of CSV",
        TableFormat::JsonLines => "file of JSON objects",
        TableFormat::Lines => "file of lines",
    }
}
