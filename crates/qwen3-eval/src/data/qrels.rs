//! Judgements in files.

use super::beir::as_id;
use super::files::{no_split, split_of};
use super::lines::Lines;
use super::rows::Rows;
use crate::{Error, Qrels};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The file of judgements of a split, in BEIR's layout or mteb's.
///
/// # Errors
/// [`Error::NoSplit`] with those that are there.
pub(super) fn qrels_path(folder: &Path, split: &str) -> Result<PathBuf, Error> {
    // The hub has judgements as the data of a configuration called `default` or `qrels`.
    let folders = ["qrels", "data", "default"].map(|name| folder.join(name));
    let paths = folders.iter().map(|folder| split_of(folder, split));
    let mut paths = paths.chain([split_of(folder, split)]);
    paths.find_map(|path| path).ok_or_else(|| no_split(&folders[0], split))
}

/// Reads judgements: a query's id, a document's id and a whole number on each line, with tabs
/// between them, perhaps below a line of names. In a file that ends in `.jsonl` or `.parquet` each row is an
/// object with `query-id`, `corpus-id` and `score`.
///
/// # Errors
/// If the file can't be read, has no judgement, a line is something else, or a document is
/// judged twice for a query.
pub fn read_qrels(path: &Path) -> Result<Qrels, Error> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let has_names = matches!(ending, Some("jsonl" | "parquet"));
    let qrels = if has_names { of_json(path)? } else { of_tabs(path)? };
    if qrels.is_empty() { Err(Error::Empty { path: path.to_owned() }) } else { Ok(qrels) }
}

fn of_tabs(path: &Path) -> Result<Qrels, Error> {
    let mut lines = Lines::open(path)?;
    let mut qrels = Qrels::default();
    let mut is_first = true;
    while let Some((line, text)) = lines.next()? {
        let fields: Vec<&str> = text.trim_end_matches(['\n', '\r']).split('\t').collect();
        let relevance = fields.get(2).and_then(|field| whole(field));
        match (&fields[..], relevance) {
            ([query, document, _], Some(relevance))
                if !query.is_empty() && !document.is_empty() =>
            {
                insert(&mut qrels, (query, document, relevance), (path, line))?;
            }
            // A line of names; a number that is not whole is no name.
            ([_, _, score], None) if is_first && score.trim().parse::<f64>().is_err() => {}
            _ => {
                let expected = "query-id, corpus-id and a whole number, with tabs between them";
                return Err(Error::Fields { path: path.to_owned(), line, expected });
            }
        }
        is_first = false;
    }
    Ok(qrels)
}

fn of_json(path: &Path) -> Result<Qrels, Error> {
    let mut rows = Rows::open(path)?;
    let mut qrels = Qrels::default();
    while let Some((line, row)) = rows.next_row()? {
        let id = |name| as_id(row.get(name)?);
        let relevance = row.get("score").and_then(|score| whole(&score.to_string()));
        let (Some(query), Some(document), Some(relevance)) =
            (id("query-id"), id("corpus-id"), relevance)
        else {
            let expected = "an object with query-id, corpus-id and a whole number as score";
            return Err(Error::Fields { path: path.to_owned(), line, expected });
        };
        insert(&mut qrels, (&query, &document, relevance), (path, line))?;
    }
    Ok(qrels)
}

fn insert(
    qrels: &mut Qrels,
    (query, document, relevance): (&str, &str, i64),
    (path, line): (&Path, usize),
) -> Result<(), Error> {
    qrels.insert(query, document, relevance).map_err(|_| Error::DuplicateId {
        place: format!("line {line} of `{}`, for the query `{query}`,", path.display()),
        id: document.to_owned(),
    })
}

/// Documents that belong to a query.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// Where it stands in its file, from 1.
    pub line: usize,
    /// The query's id.
    pub query: String,
    /// The documents' ids, each once.
    pub documents: Vec<String>,
}

/// Reads a list of documents for each query: lines with `query-id` and `corpus-ids`.
///
/// # Errors
/// If the file can't be read, has no line, a line is something else, a query stands twice, or a document
/// twice in a list.
pub fn read_lists(path: &Path) -> Result<Vec<List>, Error> {
    let mut rows = Rows::open(path)?;
    let (mut lists, mut seen) = (vec![], HashSet::new());
    while let Some((line, row)) = rows.next_row()? {
        let query = row.get("query-id").and_then(as_id);
        let ids = row.get("corpus-ids").and_then(|ids| ids.as_array());
        let ids: Option<Vec<String>> = ids.and_then(|ids| ids.iter().map(as_id).collect());
        let (Some(query), Some(documents)) = (query, ids) else {
            let expected = "an object with query-id and corpus-ids, a list";
            return Err(Error::Fields { path: path.to_owned(), line, expected });
        };
        let mut of_list = HashSet::new();
        let twice = documents.iter().find(|id| !of_list.insert(id.as_str())).cloned();
        let twice = twice.or_else(|| (!seen.insert(query.clone())).then(|| query.clone()));
        if let Some(id) = twice {
            let place = format!("line {line} of `{}`", path.display());
            return Err(Error::DuplicateId { place, id });
        }
        lists.push(List { line, query, documents });
    }
    if lists.is_empty() { Err(Error::Empty { path: path.to_owned() }) } else { Ok(lists) }
}

/// A whole number, also as `1.0`, which tables are often saved with.
fn whole(field: &str) -> Option<i64> {
    let field = field.trim();
    let digits = field.split_once('.').map_or(field, |(whole, rest)| {
        if rest.bytes().all(|digit| digit == b'0') { whole } else { field }
    });
    digits.parse().ok()
}
