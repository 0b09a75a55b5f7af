//! A folder of retrieval data in the layout of BEIR.

use super::files::rows_called;
use super::qrels::{qrels_path, read_qrels};
use super::rows::Rows;
use super::table::said;
use crate::{Error, Qrels};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A query or a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// What qrels call it.
    pub id: String,
    /// What is embedded, put together as by mteb: of a document its title and its text.
    pub text: String,
}

/// Retrieval data: `corpus.jsonl`, `queries.jsonl`, and `qrels/SPLIT.tsv` or `.jsonl`, or each of
/// them in Parquet, as the hub has it.
#[derive(Clone, Debug)]
pub struct Beir {
    corpus: PathBuf,
    queries_path: PathBuf,
    qrels_path: PathBuf,
    /// The ids of all queries, also those without a judgement.
    pub query_ids: HashSet<String>,
    /// The queries that have a judgement, in the order of the file; mteb asks no others.
    pub queries: Vec<Text>,
    /// The judgements.
    pub qrels: Qrels,
}

impl Beir {
    /// Reads queries and judgements; the documents are read when [`documents`](Self::documents)
    /// asks.
    ///
    /// # Errors
    /// If a file can't be read, a row is something else, an id stands twice, or a judgement is
    /// of an unknown query.
    pub fn open(folder: &Path, split: &str) -> Result<Self, Error> {
        let queries_path = rows_called(folder, "queries");
        let mut queries = read_queries(&queries_path)?;
        let qrels_path = qrels_path(folder, split)?;
        let qrels = read_qrels(&qrels_path)?;
        let query_ids: HashSet<String> = queries.iter().map(|query| query.id.clone()).collect();
        if let Some((id, _)) = qrels.queries().find(|(id, _)| !query_ids.contains(*id)) {
            return Err(unknown(&qrels_path, id, &queries_path));
        }
        queries.retain(|query| qrels.of(&query.id).is_some());
        let corpus = rows_called(folder, "corpus");
        Ok(Self { corpus, queries_path, qrels_path, query_ids, queries, qrels })
    }

    /// The documents, one at a time.
    ///
    /// # Errors
    /// If the file can't be opened.
    pub fn documents(&self) -> Result<Documents, Error> {
        Documents::open(&self.corpus)
    }

    /// The file of documents.
    pub fn corpus_path(&self) -> &Path {
        &self.corpus
    }

    /// The file of queries.
    pub fn queries_path(&self) -> &Path {
        &self.queries_path
    }

    /// The file of judgements.
    pub fn qrels_path(&self) -> &Path {
        &self.qrels_path
    }

    /// Checks that every judged document is in the corpus.
    ///
    /// # Errors
    /// [`Error::UnknownId`] with the first that isn't.
    pub fn check_judged(&self, documents: &HashSet<&str>) -> Result<(), Error> {
        let judged = self.qrels.queries().flat_map(|(_, judged)| judged.keys());
        match { judged }.find(|id| !documents.contains(id.as_str())) {
            Some(id) => Err(unknown(&self.qrels_path, id, &self.corpus)),
            None => Ok(()),
        }
    }
}

fn unknown(path: &Path, id: &str, among: &Path) -> Error {
    let place = format!("`{}`", path.display());
    Error::UnknownId { place, id: id.to_owned(), among: among.display().to_string() }
}

/// The rows of `corpus.jsonl` as they are read. Only their ids stay in memory, to find one that
/// stands twice.
#[derive(Debug)]
pub struct Documents(Texts);

impl Documents {
    /// Opens a file with a row a line: `_id` (or `id`), `text`, and perhaps `title`.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self(Texts::open(path)?))
    }

    fn read(&mut self) -> Result<Option<Text>, Error> {
        let Some((Text { id, text }, title)) = self.0.next("title")? else { return Ok(None) };
        let text = if title.is_empty() { text } else { format!("{title} {text}") };
        Ok(Some(Text { id, text: text.trim().to_owned() }))
    }
}

impl Iterator for Documents {
    type Item = Result<Text, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// mteb puts a query's own instruction behind it.
fn read_queries(path: &Path) -> Result<Vec<Text>, Error> {
    let mut rows = Texts::open(path)?;
    let mut queries = vec![];
    while let Some((mut query, instruction)) = rows.next("instruction")? {
        if !instruction.is_empty() {
            query.text = format!("{} {instruction}", query.text);
        }
        queries.push(query);
    }
    if queries.is_empty() { Err(Error::Empty { path: path.to_owned() }) } else { Ok(queries) }
}

/// Rows with an id and a text.
#[derive(Debug)]
struct Texts {
    rows: Rows,
    seen: HashSet<String>,
}

impl Texts {
    fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { rows: Rows::open(path)?, seen: HashSet::new() })
    }

    /// The next row, with what stands in another column or nothing.
    fn next(&mut self, other: &str) -> Result<Option<(Text, String)>, Error> {
        let Some((line, row)) = self.rows.next_row()? else { return Ok(None) };
        let path = self.rows.path();
        let missing = |column: &str, wanted| Error::Column {
            path: path.to_owned(),
            line,
            column: column.to_owned(),
            wanted,
            found: row.get(column).map(said),
        };
        let id = id(&row).ok_or_else(|| missing("_id", "id"))?;
        let text =
            row.get("text").and_then(Value::as_str).ok_or_else(|| missing("text", "text"))?;
        let beside = match row.get(other) {
            None | Some(Value::Null) => "",
            Some(beside) => beside.as_str().ok_or_else(|| missing(other, "text"))?,
        };
        if !self.seen.insert(id.clone()) {
            let place = format!("line {line} of `{}`", path.display());
            return Err(Error::DuplicateId { place, id });
        }
        Ok(Some((Text { id, text: text.to_owned() }, beside.to_owned())))
    }
}

fn id(row: &Map<String, Value>) -> Option<String> {
    as_id(row.get("_id").or_else(|| row.get("id"))?)
}

/// An id, also one that is written as a number.
pub(super) fn as_id(value: &Value) -> Option<String> {
    match value {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}
