//! Which files are a task's, and of which type it is.

use super::clusters::Categorized;
use super::evaluation::{Evaluation, Role, Rows};
use super::kind::TaskType;
use super::labelled::{Labelled, either};
use super::pairs::{Pairs, Summarized};
use super::ranking::{Ranking, has_list};
use crate::{Columns, Error, Table, reranking_groups};
use std::path::{Path, PathBuf};

/// What is said of data beside where it is.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The type; none: the files tell it.
    pub task: Option<TaskType>,
    /// The part of the data that is evaluated, such as `test`.
    pub split: String,
    /// What columns are called in the file.
    pub columns: Columns,
    /// The rows to learn from; none: those of the split `train` beside the others.
    pub train: Option<PathBuf>,
    /// The part of the documents that is clustered; none: all. mteb's default is 0.04.
    pub fraction: Option<f64>,
}

/// A task with its data.
#[derive(Clone, Debug)]
pub struct TaskData {
    /// The name of its file or folder.
    pub name: String,
    /// Of which type it is.
    pub task: TaskType,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Ranking(Box<Ranking>),
    Pairs(Pairs),
    Summarized(Summarized),
    Labelled(Labelled),
    Categorized(Categorized),
}

impl TaskData {
    /// Opens a folder in BEIR's layout, a file of rows, or a folder with a file of rows for each split.
    ///
    /// # Errors
    /// If a file can't be read or has something else in it, or the type can't be told.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, Error> {
        let name = match path.canonicalize() {
            Ok(full) if full.is_dir() => full.file_name().map(|name| name.to_owned()),
            Ok(full) => full.file_stem().map(|name| name.to_owned()),
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        let name = name.unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && path.join("corpus.jsonl").exists() {
            let task = options.task.unwrap_or_else(|| told_by_lists(path, &options.split));
            if !task.is_ranking() {
                return Err(Error::UnknownData { path: path.to_owned(), of: "files" });
            }
            let ranking = Ranking::open(path, &options.split, task)?;
            return Ok(Self { name, task, content: Content::Ranking(Box::new(ranking)) });
        }
        let file = rows_of(path, &options.split)?;
        let table = Table::read(&file)?.with_columns(&options.columns);
        let train = options.train.clone().or_else(|| beside(&file, "train"));
        let task = match options.task {
            Some(task) => task,
            None => told_by_columns(&table, train.is_some())
                .ok_or(Error::UnknownData { path: file, of: "columns" })?,
        };
        let content = content(&table, task, (train.as_deref(), options))?;
        Ok(Self { name, task, content })
    }

    /// Queries and documents, if it is a task of that kind.
    pub fn ranking(&self) -> Option<&Ranking> {
        match &self.content {
            Content::Ranking(ranking) => Some(ranking),
            _ => None,
        }
    }

    /// How many texts [`evaluate`](Self::evaluate) embeds.
    pub fn texts(&self) -> usize {
        match &self.content {
            Content::Ranking(ranking) => ranking.queries.len() + ranking.documents(),
            Content::Pairs(pairs) => pairs.texts(),
            Content::Summarized(summarized) => summarized.texts(),
            Content::Labelled(labelled) => labelled.texts(),
            Content::Categorized(categorized) => categorized.texts(),
        }
    }

    /// The scores by the vectors that `embed` gives for texts, in their order and of one width.
    ///
    /// # Errors
    /// Those of `embed`, and those of the task.
    pub fn evaluate<E: From<Error>>(
        &self,
        main_score: &str,
        embed: impl FnMut(Role, &[String]) -> Result<Rows, E>,
    ) -> Result<Evaluation, E> {
        match &self.content {
            Content::Ranking(ranking) => Ok(ranking.evaluate(&ranking.run(embed)?, main_score)?),
            Content::Pairs(pairs) => pairs.evaluate(main_score, embed),
            Content::Summarized(summarized) => summarized.evaluate(main_score, embed),
            Content::Labelled(labelled) => labelled.evaluate(main_score, embed),
            Content::Categorized(categorized) => categorized.evaluate(main_score, embed),
        }
    }
}

fn told_by_lists(folder: &Path, split: &str) -> TaskType {
    if has_list(folder, "qrel_diff", split) {
        TaskType::InstructionRetrieval
    } else if has_list(folder, "top_ranked", split) {
        TaskType::Reranking
    } else {
        TaskType::Retrieval
    }
}

fn told_by_columns(table: &Table, has_train: bool) -> Option<TaskType> {
    let has = |names: &[&str]| names.iter().all(|name| table.has(name));
    let is_labelled = table.has("labels") || table.has("label");
    Some(if has(&["query", "positive", "negative"]) {
        TaskType::Reranking
    } else if has(&["human_summaries", "machine_summaries"]) {
        TaskType::Summarization
    } else if has(&["sentence1", "sentence2"]) {
        match table.has("score") {
            true => TaskType::Sts,
            false if is_labelled => TaskType::PairClassification,
            false => TaskType::BitextMining,
        }
    } else if !is_labelled || !(table.has("text") || table.has("sentences")) {
        return None;
    } else if !has_train {
        TaskType::Clustering
    } else if table.has_list(either(table, ["labels", "label"])) {
        TaskType::MultilabelClassification
    } else {
        TaskType::Classification
    })
}

fn content(
    table: &Table,
    task: TaskType,
    (train, options): (Option<&Path>, &OpenOptions),
) -> Result<Content, Error> {
    Ok(match task {
        TaskType::Retrieval | TaskType::InstructionRetrieval => {
            let path = table.path().with_file_name("corpus.jsonl");
            return Err(Error::Read { path, source: std::io::ErrorKind::NotFound.into() });
        }
        TaskType::Reranking => {
            let groups = reranking_groups(table, &options.split)?;
            Content::Ranking(Box::new(Ranking::of_groups(groups)))
        }
        TaskType::Summarization => Content::Summarized(Summarized::new(table)?),
        TaskType::Classification | TaskType::MultilabelClassification => {
            let Some(train) = train else {
                let path = table.path().with_file_name("train.jsonl");
                return Err(Error::Read { path, source: std::io::ErrorKind::NotFound.into() });
            };
            let has_several = task == TaskType::MultilabelClassification;
            let train = Table::read(train)?.with_columns(&options.columns);
            Content::Labelled(Labelled::new(&train, table, has_several)?)
        }
        TaskType::Clustering => Content::Categorized(Categorized::new(table, options.fraction)?),
        TaskType::Sts | TaskType::PairClassification | TaskType::BitextMining => {
            Content::Pairs(Pairs::new(table, task)?)
        }
    })
}

const ENDINGS: [&str; 3] = ["jsonl", "csv", "tsv"];

/// The file itself, or that of the split in a folder.
fn rows_of(path: &Path, split: &str) -> Result<PathBuf, Error> {
    if !path.is_dir() {
        return readable(path);
    }
    if let Some(file) = split_file(path, split) {
        return Ok(file);
    }
    let entries = std::fs::read_dir(path);
    let entries = entries.map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort_unstable();
    let of_split = |file: &&PathBuf| {
        file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(split))
    };
    if let Some(other) = files.iter().find(of_split) {
        return readable(other);
    }
    let is_table = |file: &&PathBuf| {
        file.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
    };
    let splits: Vec<String> = files
        .iter()
        .filter(is_table)
        .filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    let (path, split) = (path.to_owned(), split.to_owned());
    if splits.is_empty() {
        return Err(Error::UnknownData { path, of: "files" });
    }
    Err(Error::NoSplit { split, path, splits: splits.join(", ") })
}

/// The path, unless its name says that it isn't read here.
fn readable(path: &Path) -> Result<PathBuf, Error> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let form = match ending {
        "parquet" => (
            "Parquet",
            "write it as lines of JSON, in Python with `pandas.read_parquet(PATH).to_json(OUT, orient=\"records\", lines=True)`",
        ),
        "gz" | "bz2" | "xz" | "zst" | "zip" => ("compressed", "unpack it first"),
        "arrow" => ("Arrow", "write it as lines of JSON, with `to_json` of the package datasets"),
        _ => return Ok(path.to_owned()),
    };
    Err(Error::Form { path: path.to_owned(), form: form.0, way_out: form.1 })
}

fn split_file(folder: &Path, split: &str) -> Option<PathBuf> {
    let files = ENDINGS.map(|ending| folder.join(format!("{split}.{ending}")));
    files.into_iter().find(|file| file.exists())
}

/// The file of another split, if `file` is one of a split.
fn beside(file: &Path, split: &str) -> Option<PathBuf> {
    split_file(file.parent()?, split).filter(|other| other != file)
}
