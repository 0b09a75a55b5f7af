//! Which files there are to read.

use crate::error::TableError;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// A file of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Where it is.
    pub path: PathBuf,
    /// How it is read.
    pub format: TableFormat,
}

/// Formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableFormat {
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, as a file or as a stream.
    Arrow,
    /// Values between this character, with a line of names first. All of them are strings.
    Csv {
        /// `,` or a tab.
        delimiter: u8,
    },
    /// A JSON object a line.
    JsonLines,
    /// A text a line, in a column `text`.
    Lines,
}

impl TableFormat {
    /// By a file's ending.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match ending.as_str() {
            "parquet" | "pq" => Self::Parquet,
            "arrow" | "arrows" | "ipc" | "feather" => Self::Arrow,
            "csv" => Self::Csv { delimiter: b',' },
            "tsv" | "tab" => Self::Csv { delimiter: b'\t' },
            "jsonl" | "ndjson" => Self::JsonLines,
            "txt" => Self::Lines,
            _ => return None,
        })
    }
}

/// Whether a path means a table, or several, wherever lines of text would be taken too: lines of
/// text alone don't.
pub fn is_table(path: &Path) -> bool {
    let is_pattern = !path.exists() && path.to_string_lossy().contains(['*', '?', '[']);
    let by_ending = TableFormat::of(path).is_some_and(|format| format != TableFormat::Lines);
    path.is_dir() || is_pattern || by_ending
}

/// The files of paths, folders and patterns such as `data/*.parquet`, each once: in the order of
/// the paths, and by name within a folder or pattern. Names that begin with a dot or an underscore
/// are passed over in folders.
///
/// # Errors
/// If a path leads to no file, or a file's ending doesn't tell its format.
pub fn find(paths: &[PathBuf]) -> Result<Vec<InputFile>, TableError> {
    let mut found: Vec<InputFile> = vec![];
    for path in paths {
        for path in files_of(path)? {
            let format = TableFormat::of(&path);
            let format = format.ok_or(TableError::UnknownFormat { path: path.clone() })?;
            if !found.iter().any(|file| file.path == path) {
                found.push(InputFile { path, format });
            }
        }
    }
    Ok(found)
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, TableError> {
    let none = |hint| Err(TableError::NoInput { path: path.to_owned(), hint });
    if path.is_dir() {
        let found = in_folder(path)?;
        return match found.is_empty() {
            true => none("the folder has no file that ends in .parquet, .arrow, .csv or .jsonl"),
            false => Ok(found),
        };
    }
    let pattern = path.to_string_lossy();
    if path.exists() || !pattern.contains(['*', '?', '[']) {
        return match path.exists() {
            true => Ok(vec![path.to_owned()]),
            false => none("check the path"),
        };
    }
    let wrong = |reason: glob::PatternError| TableError::Pattern {
        pattern: pattern.clone().into_owned(),
        reason: reason.msg.to_owned(),
    };
    let mut found = vec![];
    for entry in glob::glob(&pattern).map_err(wrong)? {
        let path = entry.map_err(|error| {
            let path = error.path().to_owned();
            TableError::Read { path, source: error.into() }
        })?;
        if path.is_file() {
            found.push(path);
        }
    }
    if found.is_empty() { none("nothing matches the pattern") } else { Ok(found) }
}

/// All tables in a folder and the folders in it.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, TableError> {
    let is_shown = |entry: &DirEntry| {
        entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with(['.', '_'])
    };
    let mut found = vec![];
    for entry in WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(is_shown)
    {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_owned();
            TableError::Read { path, source: error.into() }
        })?;
        // A folder of tables has other things in it: a card, a licence in a text file.
        let is_table = TableFormat::of(entry.path()).is_some_and(|it| it != TableFormat::Lines);
        if entry.file_type().is_file() && is_table {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}
