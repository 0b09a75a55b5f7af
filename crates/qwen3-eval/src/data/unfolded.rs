//! Rows that are lists of rows, as mteb's older data sets have them.

use super::Table;
use super::lines::Row;
use crate::Error;
use serde_json::Value;
use std::collections::HashSet;

impl Table {
    /// The same table with a row for each text of a list. What stands at its place in the lists of
    /// the other columns becomes its own. `columns` are those that are read, texts first.
    ///
    /// # Errors
    /// [`Error::Lists`] if lists of a row have other lengths.
    pub(crate) fn unfolded(mut self, columns: &[&str]) -> Result<Self, Error> {
        if !columns.first().is_some_and(|column| self.has_list(column)) {
            return Ok(self);
        }
        let mut rows = vec![];
        for row in std::mem::take(&mut self.rows) {
            rows.extend(self.rows_of_lists(row, columns)?);
        }
        self.rows = rows;
        if self.rows.is_empty() { Err(Error::Empty { path: self.path }) } else { Ok(self) }
    }

    fn rows_of_lists(&self, (line, row): Row, columns: &[&str]) -> Result<Vec<Row>, Error> {
        let in_file = columns.iter().map(|column| self.in_file(column));
        let cells = in_file.filter_map(|column| Some((column, self.cell(row.get(column)?))));
        let cells: Vec<(&str, Value)> = cells.collect();
        let lists: Option<Vec<(&str, &Vec<Value>)>> =
            cells.iter().map(|(column, cell)| Some((*column, cell.as_array()?))).collect();
        let lengths = |lists: &[(&str, &Vec<Value>)]| {
            lists.iter().map(|(_, list)| list.len()).collect::<HashSet<_>>()
        };
        let Some(lists) = lists.filter(|lists| lengths(lists).len() == 1) else {
            let told = |(column, cell): &(&str, Value)| match cell.as_array() {
                Some(list) => format!("{} in `{column}`", list.len()),
                None => format!("no list in `{column}`"),
            };
            return Err(Error::Lists {
                path: self.path.clone(),
                line,
                found: cells.iter().map(told).collect::<Vec<_>>().join(", "),
                expected: "a row of lists needs as many in each",
            });
        };
        let of = |at: usize| {
            let own = lists.iter().map(|(column, list)| ((*column).to_owned(), list[at].clone()));
            (line, own.collect())
        };
        Ok((0..lists[0].1.len()).map(of).collect())
    }

    /// The same table without rows whose text an earlier one has.
    pub(crate) fn without_repeated(mut self, column: &str) -> Self {
        let column = self.in_file(column).to_owned();
        let mut seen = HashSet::new();
        self.rows.retain(|(_, row)| match row.get(&column) {
            Some(Value::String(text)) => seen.insert(text.clone()),
            _ => true,
        });
        self
    }
}
