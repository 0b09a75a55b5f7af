//! Small results to standard output.

use crate::args::TextFormat;
use crate::error::Error;
use crate::terminal::escaped_json;
use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// Writes all of `text`.
pub fn print(text: &str) -> Result<(), Error> {
    let written = io::stdout().write_all(text.as_bytes());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Error::BrokenPipe,
        _ => Error::Stdout(error),
    })
}

/// Writes `value`: as it is, or as a table, which is what people get on a terminal.
pub fn print_value(
    asked: Option<TextFormat>,
    value: &Value,
    table: impl FnOnce() -> String,
) -> Result<(), Error> {
    let is_terminal = io::stdout().is_terminal();
    let line = |value: &Value| escaped_json(&format!("{value}\n"));
    print(&match asked.unwrap_or(if is_terminal { TextFormat::Table } else { TextFormat::Json }) {
        TextFormat::Table => table(),
        TextFormat::Json => escaped_json(&format!("{value:#}\n")),
        TextFormat::Jsonl => match value {
            Value::Array(objects) => objects.iter().map(line).collect(),
            object => line(object),
        },
    })
}
