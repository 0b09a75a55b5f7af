//! The rows that a run reads.

use super::error::TablesError;
use crate::args::{InputArgs, OnNull, TableArgs};
use crate::error::Error;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use qwen3_tables::{
    InputFile, Shard, Source, Table, TableError, TextColumns, Unit, common_schema, find, units,
};
use std::path::Path;
use std::sync::Arc;

/// Opened tables, and which of their columns are needed.
pub struct Input {
    pub files: Vec<InputFile>,
    pub tables: Vec<Table>,
    /// The columns that are read.
    pub schema: SchemaRef,
    /// Those that are in the output too.
    pub kept: Vec<String>,
    /// This run's share.
    pub units: Vec<Unit>,
    pub shard: Shard,
    pub on_null: OnNull,
    pub force: bool,
}

impl Input {
    /// Opens tables. `texts` says which columns have the texts of the first one, `keeps_columns`
    /// whether the output can have any.
    pub fn open(
        input: &InputArgs,
        args: &TableArgs,
        keeps_columns: bool,
        texts: impl FnOnce(&Table) -> Result<Vec<TextColumns>, Error>,
    ) -> Result<Self, Error> {
        match &input.input[..] {
            [] => return Err(TablesError::NoInput.into()),
            paths if paths.iter().any(|path| path == Path::new("-")) => {
                return Err(TablesError::NoInput.into());
            }
            _ if input.field.is_some() => return Err(TablesError::Field.into()),
            _ => {}
        }
        let files = find(&input.input)?;
        let tables = files.iter().map(Table::open).collect::<Result<Vec<_>, _>>()?;
        let first = tables.iter().find(|table| !table.is_blank()).or(tables.first());
        let first = first.expect("no file is an error");
        if first.is_blank() {
            return Err(TableError::NoRows.into());
        }
        let kept = kept(args, first, keeps_columns);
        let texts = texts(first)?;
        let of_texts = texts.iter().flat_map(TextColumns::columns);
        let columns = each_once(kept.iter().cloned().chain(of_texts));
        let schema = common_schema(&tables, &columns)?;
        // Whether they hold texts.
        let no_rows = RecordBatch::new_empty(Arc::clone(&schema));
        texts.iter().try_for_each(|columns| columns.texts(&no_rows).map(drop))?;
        let shard = args.shard.unwrap_or(Shard::ALL);
        let units = shard.of(units(&tables));
        let (on_null, force) = (args.on_null, args.force);
        Ok(Self { files, tables, schema, kept, units, shard, on_null, force })
    }

    /// Rows of this run's share; `None`: only reading tells.
    pub fn rows(&self) -> Option<u64> {
        let rows =
            self.units.iter().map(|unit| unit.rows.as_ref().map(|rows| rows.end - rows.start));
        rows.sum()
    }

    /// What the files are, with a hash of each that is read.
    pub fn sources(&self) -> Result<Vec<Source>, Error> {
        let is_read = |index: usize| self.units.iter().any(|unit| unit.file == index);
        let sources = self.files.iter().enumerate();
        Ok(sources
            .map(|(index, file)| Source::of(file, is_read(index)))
            .collect::<Result<_, _>>()?)
    }
}

/// Columns that are in the output beside the results.
fn kept(args: &TableArgs, first: &Table, keeps_columns: bool) -> Vec<String> {
    let named = args.id_column.iter().chain(args.columns.iter().flatten());
    let is_open = args.id_column.is_none() && args.columns.is_none() && keeps_columns;
    let all = || first.schema().fields().iter().map(|field| field.name().clone());
    if is_open { all().collect() } else { each_once(named.cloned()) }
}

fn each_once(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}
