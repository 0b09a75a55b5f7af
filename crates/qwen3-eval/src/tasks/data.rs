//! Which files are a task's, and of which type it is.

use super::clusters::Categorized;
use super::evaluation::{Evaluation, Role, Rows};
use super::kind::TaskType;
use super::labelled::{Labelled, either};
use super::lists::has_list;
use super::pairs::Pairs;
use super::ranking::Ranking;
use super::scores::{is_of_queries, score_names};
use super::summaries::Summarized;
use crate::data::files::{
    beside, check_regular, is_of_queries as is_folder_of_queries, rows_of, stem,
};
use crate::{Columns, Error, Table, reranking_groups};
use std::collections::BTreeSet;
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
    /// The name of the score that counts; none: the type's.
    pub main_score: Option<String>,
}

/// A task with its data. What would keep it from being computed is told when it is opened, but for what
/// depends on vectors.
#[derive(Clone, Debug)]
pub struct TaskData {
    /// The name of its file or folder.
    pub name: String,
    /// Of which type it is.
    pub task: TaskType,
    /// The name of the score that counts.
    pub main_score: String,
    /// What is to be known of its scores.
    pub notes: Vec<String>,
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
    /// If a file can't be read or has something else in it, the type can't be told, or an option or the
    /// data don't go with it.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, Error> {
        check_regular(path)?;
        let full = path.canonicalize();
        let full = full.map_err(|source| Error::Read { path: path.to_owned(), source })?;
        // A link is called as it is: the hub's cache has digests behind its links.
        let called = if path.file_name().is_some() { path } else { &full };
        let name = match full.is_dir() {
            true => called.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            false => stem(called),
        };
        let (task, mut content) = match is_folder_of_queries(&full) {
            true => of_folder(path, options)?,
            false => of_rows(path, options)?,
        };
        let main_score = content.known_score(task, options.main_score.as_deref())?;
        let mut notes = vec![];
        if let Content::Ranking(ranking) = &mut content {
            ranking.main_score.clone_from(&main_score);
            notes.append(&mut ranking.notes);
        }
        Ok(Self { name, task, main_score, notes, content })
    }

    /// What the parts are that the score is the mean of, such as `query`; none if it has no such parts.
    pub fn parts(&self) -> Option<&'static str> {
        match &self.content {
            Content::Ranking(_) => is_of_queries(&self.main_score).then_some("query"),
            Content::Pairs(_) => (self.task == TaskType::BitextMining).then_some("sentence"),
            Content::Summarized(_) => Some("row"),
            Content::Labelled(_) => Some("experiment"),
            Content::Categorized(_) => {
                ["v_measure", "ami"].contains(&self.main_score.as_str()).then_some("run")
            }
        }
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
    /// Those of `embed`, and if its vectors tell nothing.
    pub fn evaluate<E: From<Error>>(
        &self,
        embed: impl FnMut(Role, &[String]) -> Result<Rows, E>,
    ) -> Result<Evaluation, E> {
        let main_score = &self.main_score;
        match &self.content {
            Content::Ranking(ranking) => Ok(ranking.evaluate(&ranking.run(embed)?)?),
            Content::Pairs(pairs) => pairs.evaluate(main_score, embed),
            Content::Summarized(summarized) => summarized.evaluate(main_score, embed),
            Content::Labelled(labelled) => labelled.evaluate(main_score, embed),
            Content::Categorized(categorized) => categorized.evaluate(main_score, embed),
        }
    }
}

impl Content {
    fn known_score(&self, task: TaskType, asked: Option<&str>) -> Result<String, Error> {
        let name = asked.unwrap_or(task.main_score());
        let mut names = score_names(task);
        if let Self::Labelled(labelled) = self {
            names.retain(|name| labelled.has_score(name));
        }
        if names.iter().any(|known| known == name) {
            return Ok(name.to_owned());
        }
        names.retain(|name| !name.starts_with("nauc_"));
        Err(Error::UnknownScore { task, name: name.to_owned(), known: names.join(", ") })
    }
}

fn of_folder(folder: &Path, options: &OpenOptions) -> Result<(TaskType, Content), Error> {
    let task = options.task.unwrap_or_else(|| told_by_lists(folder, &options.split));
    if !task.is_ranking() {
        return Err(task.unfit(folder, "corpus.jsonl, queries.jsonl and qrels/"));
    }
    options.check(folder, task, &[])?;
    let ranking = Ranking::open(folder, &options.split, task)?;
    Ok((task, Content::Ranking(Box::new(ranking))))
}

fn of_rows(path: &Path, options: &OpenOptions) -> Result<(TaskType, Content), Error> {
    let file = rows_of(path, &options.split)?;
    let table = Table::read(&file)?.with_columns(&options.columns)?;
    let train = options.train.clone().or_else(|| beside(&file, "train"));
    let told = || told_by_columns(&table, train.is_some());
    let Some(task) = options.task.or_else(told) else {
        let of_any = TaskType::ALL.iter().flat_map(|task| task.columns().iter().copied().flatten());
        options.check_columns(&file, of_any)?;
        return Err(Error::UnknownData { path: file, columns: table.column_names() });
    };
    options.check(&file, task, task.columns())?;
    let is_there = |names: &&[&str]| names.iter().any(|name| table.has(name));
    if task.columns().is_empty() || !task.columns().iter().all(is_there) {
        return Err(task.unfit(&file, &format!("the columns {}", table.column_names())));
    }
    let content = content(&unfolded(table, task)?, task, (train.as_deref(), options))?;
    Ok((task, content))
}

impl OpenOptions {
    /// Checks that all that is said has an effect. `columns` are those that are read, by all their names.
    fn check(&self, path: &Path, task: TaskType, columns: &[&[&'static str]]) -> Result<(), Error> {
        let no_effect =
            |option, reason: String| Err(Error::NoEffect { path: path.to_owned(), option, reason });
        let is_classification =
            matches!(task, TaskType::Classification | TaskType::MultilabelClassification);
        if self.train.is_some() && !is_classification {
            return no_effect("--train", format!("{task} doesn't learn from rows"));
        }
        if self.fraction.is_some() && task != TaskType::Clustering {
            return no_effect("--fraction", format!("{task} makes no clusters"));
        }
        if columns.is_empty() && !self.columns.is_empty() {
            return no_effect("--column", "its columns are always called as in BEIR".to_owned());
        }
        self.check_columns(path, columns.iter().copied().flatten())
    }

    fn check_columns<'a>(
        &self,
        path: &Path,
        columns: impl Iterator<Item = &'a &'static str>,
    ) -> Result<(), Error> {
        let known: BTreeSet<&str> = columns.copied().collect();
        let Some(name) = self.columns.keys().find(|name| !known.contains(name.as_str())) else {
            return Ok(());
        };
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        Err(Error::UnknownColumn { path: path.to_owned(), name: name.clone(), known })
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
    } else if !has_train || table.has_list(either(table, ["sentences", "text"])) {
        TaskType::Clustering
    } else if table.has_list(either(table, ["labels", "label"])) {
        TaskType::MultilabelClassification
    } else {
        TaskType::Classification
    })
}

/// Of the types that mteb has rows of lists of, a row for each text.
fn unfolded(table: Table, task: TaskType) -> Result<Table, Error> {
    let label = either(&table, ["labels", "label"]);
    match task {
        TaskType::PairClassification => table.unfolded(&["sentence1", "sentence2", label]),
        TaskType::Clustering => {
            let text = either(&table, ["sentences", "text"]);
            match table.has_list(text) {
                // As `_convert_to_fast` of mteb does it.
                true => Ok(table.unfolded(&[text, label])?.without_repeated(text)),
                false => Ok(table),
            }
        }
        _ => Ok(table),
    }
}

/// What is in a table that has the columns of the task.
fn content(
    table: &Table,
    task: TaskType,
    (train, options): (Option<&Path>, &OpenOptions),
) -> Result<Content, Error> {
    Ok(match task {
        TaskType::Retrieval | TaskType::InstructionRetrieval | TaskType::Reranking => {
            let groups = reranking_groups(table, &options.split)?;
            let left_out = table.len() - groups.queries.len();
            Content::Ranking(Box::new(Ranking::of_groups(groups, left_out)))
        }
        TaskType::Summarization => Content::Summarized(Summarized::new(table)?),
        TaskType::Classification | TaskType::MultilabelClassification => {
            let train = train.ok_or_else(|| task.unfit(table.path(), "no rows to learn from"))?;
            let train = Table::read(train)?.with_columns(&options.columns)?;
            let has_several = task == TaskType::MultilabelClassification;
            Content::Labelled(Labelled::new(&train, table, has_several)?)
        }
        TaskType::Clustering => Content::Categorized(Categorized::new(table, options.fraction)?),
        TaskType::Sts | TaskType::PairClassification | TaskType::BitextMining => {
            Content::Pairs(Pairs::new(table, task)?)
        }
    })
}
