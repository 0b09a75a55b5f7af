//! The types of tasks.

use crate::Error;
use std::fmt;
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

/// What is said of a type: its name on a command line, mteb's name, its main score, and the
/// sentence with which mteb instructs models where a task has none of its own
/// (`abstask_prompt` of 2.26.24).
type Facts = (TaskType, &'static str, &'static str, &'static str, &'static str);

const FACTS: [Facts; 10] = [
    (
        TaskType::Retrieval,
        "retrieval",
        "Retrieval",
        "ndcg_at_10",
        "Retrieve text based on user query.",
    ),
    (
        TaskType::Reranking,
        "reranking",
        "Reranking",
        "map_at_1000",
        "Retrieve text based on user query.",
    ),
    (
        TaskType::InstructionRetrieval,
        "instruction-retrieval",
        "InstructionReranking",
        "p-MRR",
        "Retrieve text based on user query.",
    ),
    (TaskType::Sts, "sts", "STS", "cosine_spearman", "Retrieve semantically similar text."),
    (
        TaskType::PairClassification,
        "pair-classification",
        "PairClassification",
        "max_ap",
        "Retrieve text that are semantically similar to the given text.",
    ),
    (
        TaskType::Classification,
        "classification",
        "Classification",
        "accuracy",
        "Classify user passages.",
    ),
    (
        TaskType::MultilabelClassification,
        "multilabel-classification",
        "MultilabelClassification",
        "accuracy",
        "Classify user passages.",
    ),
    (
        TaskType::Clustering,
        "clustering",
        "Clustering",
        "v_measure",
        "Identify categories in user passages.",
    ),
    (TaskType::BitextMining, "bitext-mining", "BitextMining", "f1", "Retrieve parallel sentences."),
    (
        TaskType::Summarization,
        "summarization",
        "Summarization",
        "cosine_spearman",
        "Given a news summary, retrieve other semantically similar summaries.",
    ),
];

impl TaskType {
    /// All of them.
    pub const ALL: [Self; 10] = {
        let mut all = [Self::Retrieval; 10];
        let mut i = 0;
        while i < all.len() {
            all[i] = FACTS[i].0;
            i += 1;
        }
        all
    };

    fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    /// What mteb calls it.
    pub fn mteb_name(self) -> &'static str {
        self.facts().2
    }

    /// The name of the score that counts, where a task names no other.
    pub fn main_score(self) -> &'static str {
        self.facts().3
    }

    /// The sentence that mteb gives to models that take one.
    pub fn instruction(self) -> &'static str {
        self.facts().4
    }

    /// Whether queries are compared with documents, so that only queries are instructed.
    pub fn is_ranking(self) -> bool {
        matches!(self, Self::Retrieval | Self::Reranking | Self::InstructionRetrieval)
    }
}

impl fmt::Display for TaskType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.facts().1)
    }
}

impl FromStr for TaskType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = || FACTS.map(|facts| facts.1).join(", ");
        let found = Self::ALL.into_iter().find(|task| task.facts().1 == name);
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
