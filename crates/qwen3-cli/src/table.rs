//! Tables of text for reading.

use crate::terminal::{escaped, is_control};

/// A cell of at most this many characters.
const MAX_CELL: usize = 48;

/// Rows of cells in columns; the first row is the heading. Columns of numbers
/// are aligned on the right.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, column: usize| {
        row.get(column).map(|cell| escaped(cell)).unwrap_or_default()
    };
    let width = |column| rows.iter().map(|row| cell(row, column).chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let is_number = |column: &usize| {
        let mut cells = rows.iter().skip(1).map(|row| cell(row, *column));
        rows.len() > 1 && cells.all(|cell| cell.parse::<f64>().is_ok())
    };
    let numbers: Vec<bool> = (0..columns).map(|column| is_number(&column)).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = (0..columns)
            .map(|column| match numbers[column] {
                true => format!("{:>1$}", cell(row, column), widths[column]),
                false => format!("{:<1$}", cell(row, column), widths[column]),
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A text in one short line.
pub fn shorten(text: &str) -> String {
    let line: String = text.chars().map(|c| if is_control(c) { ' ' } else { c }).collect();
    match line.chars().count() > MAX_CELL {
        true => line.chars().take(MAX_CELL - 1).chain(['…']).collect(),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned_on_the_right() {
        let rows = [["name", "n"], ["a", "1"], ["bc", "12"]];
        let rows: Vec<_> = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        assert_eq!(table(&rows), "name   n\na      1\nbc    12\n");
    }

    #[test]
    fn long_texts_are_cut_and_controls_are_blanks() {
        assert_eq!(shorten("a\nb\u{1b}[31m\u{202e}c"), "a b [31m c");
        assert_eq!(table(&[vec!["a\u{1b}[31m".to_owned()]]), "a\\u{1b}[31m\n");
        assert_eq!(shorten(&"x".repeat(60)).chars().count(), MAX_CELL);
    }
}
