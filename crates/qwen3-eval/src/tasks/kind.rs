//! The types of tasks.

use crate::Error;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A type of task of mteb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "mteb's names")]
pub enum TaskType {
    Retrieval,
    Reranking,
    InstructionRetrieval,
    Sts,
    PairClassification,
    Classification,
    MultilabelClassification,
    Clustering,
    BitextMining,
    Summarization,
}

/// What is said of a type.
struct Facts {
    task: TaskType,
    /// On a command line.
    name: &'static str,
    mteb_name: &'static str,
    main_score: &'static str,
    /// What mteb instructs models with where a task has no sentence of its own (`abstask_prompt` of 2.26.24).
    instruction: &'static str,
    /// The columns of its rows, each by all its names; none if it has no rows.
    columns: &'static [&'static [&'static str]],
}

const FACTS: [Facts; 10] = [
    Facts {
        task: TaskType::Retrieval,
        name: "retrieval",
        mteb_name: "Retrieval",
        main_score: "ndcg_at_10",
        instruction: "Retrieve text based on user query.",
        columns: &[],
    },
    Facts {
        task: TaskType::Reranking,
        name: "reranking",
        mteb_name: "Reranking",
        main_score: "map_at_1000",
        instruction: "Retrieve text based on user query.",
        columns: &[&["query"], &["positive"], &["negative"]],
    },
    Facts {
        task: TaskType::InstructionRetrieval,
        name: "instruction-retrieval",
        mteb_name: "InstructionReranking",
        main_score: "p-MRR",
        instruction: "Retrieve text based on user query.",
        columns: &[],
    },
    Facts {
        task: TaskType::Sts,
        name: "sts",
        mteb_name: "STS",
        main_score: "cosine_spearman",
        instruction: "Retrieve semantically similar text.",
        columns: &[&["sentence1"], &["sentence2"], &["score"]],
    },
    Facts {
        task: TaskType::PairClassification,
        name: "pair-classification",
        mteb_name: "PairClassification",
        main_score: "max_ap",
        instruction: "Retrieve text that are semantically similar to the given text.",
        columns: &[&["sentence1"], &["sentence2"], &["label", "labels"]],
    },
    Facts {
        task: TaskType::Classification,
        name: "classification",
        mteb_name: "Classification",
        main_score: "accuracy",
        instruction: "Classify user passages.",
        columns: &[&["text", "sentences"], &["label", "labels"]],
    },
    Facts {
        task: TaskType::MultilabelClassification,
        name: "multilabel-classification",
        mteb_name: "MultilabelClassification",
        main_score: "accuracy",
        instruction: "Classify user passages.",
        columns: &[&["text", "sentences"], &["labels", "label"]],
    },
    Facts {
        task: TaskType::Clustering,
        name: "clustering",
        mteb_name: "Clustering",
        main_score: "v_measure",
        instruction: "Identify categories in user passages.",
        columns: &[&["text", "sentences"], &["label", "labels"]],
    },
    Facts {
        task: TaskType::BitextMining,
        name: "bitext-mining",
        mteb_name: "BitextMining",
        main_score: "f1",
        instruction: "Retrieve parallel sentences.",
        columns: &[&["sentence1"], &["sentence2"]],
    },
    Facts {
        task: TaskType::Summarization,
        name: "summarization",
        mteb_name: "Summarization",
        main_score: "cosine_spearman",
        instruction: "Given a news summary, retrieve other semantically similar summaries.",
        columns: &[&["human_summaries"], &["machine_summaries"], &["relevance"]],
    },
];

impl TaskType {
    /// All of them.
    pub const ALL: [Self; 10] = {
        let mut all = [Self::Retrieval; 10];
        let mut i = 0;
        while i < all.len() {
            all[i] = FACTS[i].task;
            i += 1;
        }
        all
    };

    fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    /// What mteb calls it.
    pub fn mteb_name(self) -> &'static str {
        self.facts().mteb_name
    }

    /// The name of the score that counts, where a task names no other.
    pub fn main_score(self) -> &'static str {
        self.facts().main_score
    }

    /// The sentence that mteb gives to models that take one.
    pub fn instruction(self) -> &'static str {
        self.facts().instruction
    }

    /// The columns of its rows, each by all its names; none if it has no rows.
    pub(super) fn columns(self) -> &'static [&'static [&'static str]] {
        self.facts().columns
    }

    /// The files or columns that it needs, in words.
    pub(super) fn needs(self) -> String {
        const QUERIES: &str = "a folder with corpus.jsonl, queries.jsonl and qrels/";
        let columns = self.columns().iter().map(|names| match names {
            [name, others @ ..] if !others.is_empty() => {
                format!("`{name}` (or `{}`)", others.join("`, `"))
            }
            names => format!("`{}`", names.join("`, `")),
        });
        let rows = format!("rows with {}", columns.collect::<Vec<_>>().join(", "));
        match self {
            Self::Retrieval => QUERIES.to_owned(),
            Self::InstructionRetrieval => format!("{QUERIES}, and qrel_diff.jsonl"),
            Self::Reranking => format!("{rows}; or {QUERIES}, and top_ranked.jsonl"),
            Self::Classification | Self::MultilabelClassification => {
                format!(
                    "{rows}, and others to learn from: `--train FILE`, or train.jsonl beside them"
                )
            }
            _ => rows,
        }
    }

    /// The error of data that lack something.
    pub(super) fn unfit(self, path: &Path, found: &str) -> Error {
        let (path, needs, found) = (path.to_owned(), self.needs(), found.to_owned());
        Error::Unfit { path, task: self, needs, found }
    }

    /// Whether queries are compared with documents, so that only queries are instructed.
    pub fn is_ranking(self) -> bool {
        matches!(self, Self::Retrieval | Self::Reranking | Self::InstructionRetrieval)
    }
}

impl fmt::Display for TaskType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.facts().name)
    }
}

impl FromStr for TaskType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = || FACTS.map(|facts| facts.name).join(", ");
        let found = Self::ALL.into_iter().find(|task| task.facts().name == name);
        found.ok_or_else(|| Error::UnknownTask { name: name.to_owned(), known: known() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_facts() {
        for (at, task) in TaskType::ALL.into_iter().enumerate() {
            assert_eq!(task as usize, at);
            assert_eq!(task.to_string().parse::<TaskType>().unwrap(), task);
        }
        assert!("nothing".parse::<TaskType>().is_err());
    }
}
