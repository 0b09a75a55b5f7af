//! Which file is read, and which forms aren't.

use crate::Error;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ENDINGS: [&str; 4] = ["jsonl", "csv", "tsv", "parquet"];
/// Forms in which every value has a name.
const NAMED: [&str; 2] = ["jsonl", "parquet"];
const OF_QRELS: [&str; 3] = ["tsv", "jsonl", "parquet"];
/// Compressed forms that aren't read. Texts that gzip has compressed are.
const PACKED: [&str; 6] = ["bz2", "xz", "zst", "zip", "tar", "tgz"];

/// Whether a file is read by its name: one of lines of JSON, a table as text, both perhaps compressed by
/// gzip, or one of Parquet.
pub fn is_data_file(name: &str) -> bool {
    let path = Path::new(name);
    ENDINGS.contains(&ending(path)) && readable(path).is_ok()
}

/// How a file's name ends, before an ending of gzip.
pub(crate) fn ending(path: &Path) -> &str {
    extension(without_gz(path))
}

/// A file's name without its ending, and without one of gzip.
pub(crate) fn stem(path: &Path) -> String {
    let stem = without_gz(path).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn without_gz(path: &Path) -> &Path {
    let stem = path.file_stem().filter(|_| extension(path) == "gz");
    stem.map_or(path, Path::new)
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

/// The path, unless its name says that it isn't read here.
pub(crate) fn readable(path: &Path) -> Result<PathBuf, Error> {
    let form = match ending(path) {
        "arrow" => ("Arrow", "write it as lines of JSON, with `to_json` of the package datasets"),
        "parquet" if extension(path) == "gz" => ("compressed once more", "unpack it first"),
        packed if PACKED.contains(&packed) => ("compressed", "unpack it first"),
        _ => return Ok(path.to_owned()),
    };
    Err(Error::Form { path: path.to_owned(), form: form.0, way_out: form.1 })
}

/// Data are read more than once.
pub(crate) fn check_regular(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let about = path.metadata().map_err(failed)?;
    // A file that standard input was redirected to has no name there.
    if (about.is_file() || about.is_dir()) && !path.starts_with("/dev") {
        return Ok(());
    }
    let (form, way_out) = ("a pipe or a device", "write it to a file first");
    Err(Error::Form { path: path.to_owned(), form, way_out })
}

/// The compressed file that is there instead of another.
pub(crate) fn packed(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    let files = PACKED.map(|ending| path.with_file_name(format!("{name}.{ending}")));
    files.into_iter().find(|file| file.exists())
}

/// Whether a folder has queries and documents, also ones that can't be read.
pub(crate) fn is_of_queries(folder: &Path) -> bool {
    let corpus = rows_called(folder, "corpus");
    corpus.exists() || packed(&corpus).is_some() || folder.join("qrels").is_dir()
}

/// The file itself, or that of the split in a folder.
pub(crate) fn rows_of(path: &Path, split: &str) -> Result<PathBuf, Error> {
    if !path.is_dir() {
        return readable(path);
    }
    if let Some(file) = split_file(path, split) {
        return Ok(file);
    }
    Err(match no_split(path, split) {
        Error::NoSplit { path, splits, .. } if splits.is_empty() => Error::NoData { path },
        error => error,
    })
}

/// Why a folder has no file of a split: it can't be read here, or there are others.
pub(crate) fn no_split(folder: &Path, split: &str) -> Error {
    let path = folder.to_owned();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(source) => return Error::Read { path, source },
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort_unstable();
    // The hub's files are called `test-00000-of-00001.parquet`.
    let is_of_split = |file: &&PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix(split).is_some_and(|rest| rest.starts_with(['.', '-']))
    };
    if let Some(error) = files.iter().filter(is_of_split).find_map(|file| readable(file).err()) {
        return error;
    }
    let is_table = |file: &&PathBuf| ENDINGS.contains(&ending(file));
    let splits: BTreeSet<String> = files.iter().filter(is_table).map(|file| stem(file)).collect();
    let splits = Vec::from_iter(splits).join(", ");
    Error::NoSplit { path, split: split.to_owned(), splits }
}

/// The hub has the files of a data set of one configuration in a folder `data`.
fn split_file(folder: &Path, split: &str) -> Option<PathBuf> {
    let in_data = || called(&folder.join("data"), split, &ENDINGS);
    called(folder, split, &ENDINGS).or_else(in_data)
}

/// The judgements of a split in a folder.
pub(crate) fn split_of(folder: &Path, split: &str) -> Option<PathBuf> {
    called(folder, split, &OF_QRELS)
}

/// The file of a name's rows: in a folder of data, or in a folder of that name in it, as the hub has
/// a configuration. `NAME.jsonl`, if there is none.
pub(crate) fn rows_called(folder: &Path, name: &str) -> PathBuf {
    let inside = folder.join(name);
    let is_rows = |path: &PathBuf| NAMED.contains(&ending(path));
    let any_inside = || entries(&inside).into_iter().find(is_rows);
    called(folder, name, &NAMED)
        .or_else(|| called(&inside, name, &NAMED))
        .or_else(any_inside)
        .unwrap_or_else(|| folder.join(format!("{name}.jsonl")))
}

/// A file of a name with one of these endings, perhaps compressed, or the first of the pieces into which
/// the hub cuts Parquet.
fn called(folder: &Path, name: &str, endings: &[&str]) -> Option<PathBuf> {
    let names = endings.iter().map(|ending| format!("{name}.{ending}"));
    let mut files = names.flat_map(|name| [folder.join(&name), folder.join(name + ".gz")]);
    let first = format!("{name}-00000-of-");
    let is_first = |path: &PathBuf| {
        let called = path.file_name().unwrap_or_default().to_string_lossy();
        called.starts_with(&first) && called.ends_with(".parquet")
    };
    files.find(|file| file.exists()).or_else(|| entries(folder).into_iter().find(is_first))
}

/// All pieces of the file whose first is given: `test-00000-of-00003.parquet` has three. Any other
/// file is one.
pub(crate) fn pieces(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let numbers = name.split_once("-00000-of-").and_then(|(start, rest)| {
        Some((start, rest.strip_suffix(".parquet")?.parse::<usize>().ok()?, rest))
    });
    let Some((start, count, rest)) = numbers.filter(|(_, count, _)| (1..100_000).contains(count))
    else {
        return vec![path.to_owned()];
    };
    let piece = |number: usize| path.with_file_name(format!("{start}-{number:05}-of-{rest}"));
    (0..count).map(piece).collect()
}

/// What is in a folder, by name.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

/// The file of another split, if `file` is one of a split.
pub(crate) fn beside(file: &Path, split: &str) -> Option<PathBuf> {
    split_file(file.parent()?, split).filter(|other| other != file)
}
