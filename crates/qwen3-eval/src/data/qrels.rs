//! Judgements in files.

use super::beir::as_id;
use super::files::{ending, no_split, split_of};
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

/// Reads judgements: a query's id, a document's id and a whole number on each line, with tabs between them,
/// perhaps below a line of names. If these are mteb's, they say where what stands. In a file that ends in
/// `.jsonl` or `.parquet` each row is an object with `query-id`, `corpus-id` and `score`.
///
/// # Errors
/// If the file can't be read, has no judgement, a line is something else, or a document is
/// judged twice for a query.
pub fn read_qrels(path: &Path) -> Result<Qrels, Error> {
    let has_names = matches!(ending(path), "jsonl" | "parquet");
    let qrels = if has_names { of_json(path)? } else { of_tabs(path)? };
    if qrels.is_empty() { Err(Error::Empty { path: path.to_owned() }) } else { Ok(qrels) }
}

fn of_tabs(path: &Path) -> Result<Qrels, Error> {
    let mut lines = Lines::open(path)?;
    let mut qrels = Qrels::default();
    let mut columns = None;
    while let Some((line, text)) = lines.next()? {
        let fields: Vec<&str> = text.trim_end_matches(['\n', '\r']).split('\t').collect();
        let is_first = columns.is_none();
        let columns = columns.get_or_insert_with(|| Columns::of(&fields));
        match columns.judgement(&fields) {
            Some(judgement) => insert(&mut qrels, judgement, (path, line))?,
            None if is_first && is_names(&fields) => {}
            None => {
                let expected = "query-id, corpus-id and a whole number, with tabs between them";
                return Err(Error::Fields { path: path.to_owned(), line, expected });
            }
        }
    }
    Ok(qrels)
}

/// How many fields a line has, and where a query, a document and its relevance stand.
struct Columns {
    fields: usize,
    places: [usize; 3],
}

impl Columns {
    fn of(first: &[&str]) -> Self {
        Self::named(first).unwrap_or(Self { fields: 3, places: [0, 1, 2] })
    }

    /// By mteb's names, if all of them are there.
    fn named(names: &[&str]) -> Option<Self> {
        let place = |name| names.iter().position(|other| other.trim() == name);
        let places = [place("query-id")?, place("corpus-id")?, place("score")?];
        Some(Self { fields: names.len(), places })
    }

    fn judgement<'a>(&self, fields: &[&'a str]) -> Option<(&'a str, &'a str, i64)> {
        let [query, document, relevance] = self.places.map(|at| fields.get(at).copied());
        let (query, document, relevance) = (query?, document?, whole(relevance?)?);
        let is_whole = fields.len() == self.fields && !query.is_empty() && !document.is_empty();
        is_whole.then_some((query, document, relevance))
    }
}

/// Whether fields are names. A number that is not whole is no name.
fn is_names(fields: &[&str]) -> bool {
    let is_name = |field: &str| field.trim().parse::<f64>().is_err();
    Columns::named(fields).is_some() || fields.len() == 3 && is_name(fields[2])
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
