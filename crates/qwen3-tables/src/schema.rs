//! One schema of several files.

use crate::error::TableError;
use crate::read::Table;
use arrow_array::RecordBatch;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// The columns of these names, in this order, with a type that holds what each file has in them.
/// Any of them may lack values.
///
/// # Errors
/// If a file lacks a column, or two files have types that don't go together.
pub fn common_schema(tables: &[Table], columns: &[String]) -> Result<SchemaRef, TableError> {
    let mut fields: Vec<Field> = vec![];
    for (at, table) in tables.iter().enumerate() {
        for (place, name) in columns.iter().enumerate() {
            let found = table.field(name)?.data_type();
            if at == 0 {
                fields.push(Field::new(name, found.clone(), true));
                continue;
            }
            let expected = fields[place].data_type();
            let both = both(expected, found).ok_or_else(|| TableError::Type {
                path: table.path().to_owned(),
                column: name.clone(),
                found: Box::new(found.clone()),
                expected: Box::new(expected.clone()),
            })?;
            fields[place] = Field::new(name, both, true);
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// A type for the values of two types.
fn both(left: &DataType, right: &DataType) -> Option<DataType> {
    let is_text = |it: &DataType| texts_of(it).is_some();
    match (left, right) {
        _ if left == right => Some(left.clone()),
        (DataType::Null, other) | (other, DataType::Null) => Some(other.clone()),
        _ if is_text(left) && is_text(right) => Some(DataType::LargeUtf8),
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

/// The columns of a schema from a batch that has them, with the types of the schema.
///
/// # Errors
/// If a value doesn't fit.
pub(crate) fn project(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = CastOptions { safe: false, ..Default::default() };
    let columns = schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name()).ok_or_else(|| {
            ArrowError::SchemaError(format!("a batch lacks the column `{}`", field.name()))
        })?;
        match column.data_type() == field.data_type() {
            true => Ok(Arc::clone(column)),
            false => cast_with_options(column, field.data_type(), &options),
        }
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}
