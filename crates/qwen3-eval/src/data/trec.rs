//! Run files of TREC: `query Q0 document rank score tag`.

use super::lines::Lines;
use crate::{Error, Hit, Run};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

const EXPECTED: &str = "query Q0 document rank score tag";

/// Reads a run. As in `trec_eval` the score decides, not the rank.
///
/// # Errors
/// If the file can't be read, has no line, a line is something else, a score is NaN, or a
/// document stands twice for a query.
pub fn read_run(path: &Path) -> Result<Run, Error> {
    let mut lines = Lines::open(path)?;
    let mut found: BTreeMap<String, Vec<Hit>> = BTreeMap::new();
    while let Some((line, text)) = lines.next()? {
        let wrong = || Error::Fields { path: path.to_owned(), line, expected: EXPECTED };
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [query, _, document, _, score, _] = fields[..] else { return Err(wrong()) };
        let score: f64 = score.parse().map_err(|_| wrong())?;
        let hits = found.entry(query.to_owned()).or_default();
        hits.push(Hit { document: document.to_owned(), score: score as f32 });
    }
    if found.is_empty() {
        return Err(Error::Empty { path: path.to_owned() });
    }
    let mut run = Run::default();
    for (query, hits) in found {
        run.insert(&query, hits).map_err(|error| error.of_file(path))?;
    }
    Ok(run)
}

/// Checks that a run file can hold an id.
///
/// # Errors
/// [`Error::TrecId`] if it has white space or nothing in it.
pub fn check_trec_id(id: &str) -> Result<(), Error> {
    match id.is_empty() || id.contains(char::is_whitespace) {
        true => Err(Error::TrecId { id: id.to_owned() }),
        false => Ok(()),
    }
}

/// Writes a run, with scores that are read back to the same float32. `path` is what errors call it.
///
/// # Errors
/// If it can't be written, or an id or the tag can't be in it.
pub fn write_run(out: impl Write, path: &Path, run: &Run, tag: &str) -> Result<(), Error> {
    let ids = run.queries().flat_map(|(query, hits)| {
        std::iter::once(query).chain(hits.iter().map(|hit| hit.document.as_str()))
    });
    std::iter::once(tag).chain(ids).try_for_each(check_trec_id)?;
    let write = || -> io::Result<()> {
        let mut out = BufWriter::new(out);
        for (query, hits) in run.queries() {
            for (hit, rank) in hits.iter().zip(1..) {
                writeln!(out, "{query} Q0 {} {rank} {} {tag}", hit.document, hit.score)?;
            }
        }
        out.flush()
    };
    write().map_err(|source| Error::Write { path: path.to_owned(), source })
}
