//! One schema of several files.

use crate::error::TableError;
use crate::read::Table;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_cast::display::array_value_to_string;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, Metadata, Schema, SchemaRef};
use std::sync::Arc;

/// How pandas keeps an index, categories and time zones in a schema. Of what else stands there,
/// nothing is known to be true of a table with other columns.
const PANDAS: &str = "pandas";

/// The columns of these names, in this order, with a type that holds what each file has in them,
/// and the metadata that all files agree in. Any of them may lack values.
///
/// # Errors
/// If a file lacks a column, or two files have types that don't go together.
pub fn common_schema(tables: &[Table], columns: &[String]) -> Result<SchemaRef, TableError> {
    let tables: Vec<&Table> = tables.iter().filter(|table| !table.is_blank()).collect();
    let fields = columns.iter().map(|name| common_field(&tables, name));
    let fields: Vec<Field> = fields.collect::<Result<_, _>>()?;
    let is_of_all = |field: &Field| {
        let found = tables.iter().map(|table| table.schema().field_with_name(field.name()));
        found.flatten().all(|found| found.data_type() == field.data_type())
    };
    let pandas = tables.first().and_then(|table| table.schema().metadata().get(PANDAS));
    let pandas = pandas.filter(|_| fields.iter().all(is_of_all));
    let metadata: Metadata = pandas.map(|value| (PANDAS, value)).into_iter().collect();
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}

fn common_field(tables: &[&Table], name: &str) -> Result<Field, TableError> {
    let mut common: Option<Field> = None;
    for table in tables {
        let found = match table.field(name) {
            // Unless no file has it.
            Err(TableError::NoColumn { .. }) if table.may_lack_columns() => continue,
            found => found?,
        };
        let Some(before) = &mut common else {
            common = Some(found.clone().with_nullable(true));
            continue;
        };
        let both = both(before.data_type(), found.data_type()).ok_or_else(|| TableError::Type {
            path: table.path().to_owned(),
            column: name.to_owned(),
            found: Box::new(found.data_type().clone()),
            expected: Box::new(before.data_type().clone()),
        })?;
        let mut metadata = before.metadata().clone();
        metadata.retain(|key, value| found.metadata().get(key) == Some(value));
        *before = Field::new(name, both, true).with_metadata(metadata);
    }
    match (common, tables.first()) {
        (Some(field), _) => Ok(field),
        (None, Some(table)) => table.field(name).cloned(),
        (None, None) => Err(TableError::NoRows),
    }
}

/// A type for the values of two types.
fn both(left: &DataType, right: &DataType) -> Option<DataType> {
    let is_text = |it: &DataType| texts_of(it).is_some();
    match (left, right) {
        _ if left == right => Some(left.clone()),
        (DataType::Null, other) | (other, DataType::Null) => Some(other.clone()),
        _ if is_text(left) && is_text(right) => Some(DataType::LargeUtf8),
        // Without a sign where the numbers are too large for one.
        (DataType::UInt64, other) | (other, DataType::UInt64) if other.is_integer() => {
            Some(DataType::UInt64)
        }
        _ if left.is_integer() && right.is_integer() => Some(DataType::Int64),
        _ if left.is_numeric() && right.is_numeric() => Some(DataType::Float64),
        _ => None,
    }
}

/// The type whose values are the texts of a column; `None`: it has none.
pub(crate) fn texts_of(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(data_type),
        DataType::Dictionary(_, values) => texts_of(values),
        _ => None,
    }
}

/// The columns of a schema from a batch that has them, with the types of the schema. A column that
/// isn't in the batch has no values.
///
/// # Errors
/// If a value doesn't fit.
pub(crate) fn project(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) => cast(column, field),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = columns.collect::<Result<_, _>>()?;
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// The same values in the type of a field. A number that would become another one is refused.
fn cast(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions { safe: true, ..Default::default() };
    let changed = cast_with_options(column, field.data_type(), &options)?;
    if !column.data_type().is_numeric() {
        return Ok(changed);
    }
    let back = cast_with_options(&changed, column.data_type(), &options)?;
    if column.as_ref() == back.as_ref() {
        return Ok(changed);
    }
    let differs = |row: &usize| column.slice(*row, 1) != back.slice(*row, 1);
    let row = (0..column.len()).find(differs).unwrap_or_default();
    let (column_name, number) = (field.name().clone(), array_value_to_string(column, row)?);
    let data_type = Box::new(field.data_type().clone());
    Err(TableError::Number { column: column_name, number, data_type }.into())
}
