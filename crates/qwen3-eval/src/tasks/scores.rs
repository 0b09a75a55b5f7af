//! What the scores of each type are called.

use super::kind::TaskType;
use crate::{
    BitextScores, ClassificationScores, ClusteringScores, Hit, InstructionScores, MultilabelScores,
    NamedScores, PairScores, Qrels, RetrievalScores, Run, StsScores, SummarizationScores,
    retrieval,
};
use serde_json::Value;

/// The names of a type's scores that are numbers, for some data perhaps NaN.
pub(super) fn score_names(task: TaskType) -> Vec<String> {
    let scores = match task {
        TaskType::Retrieval | TaskType::Reranking => NamedScores::from(&of_one_query()),
        TaskType::InstructionRetrieval => {
            let all = of_one_query();
            let (og, changed) = (all.clone(), all.clone());
            NamedScores::from(&InstructionScores { p_mrr: 0.0, all, og, changed })
        }
        TaskType::Sts => NamedScores::from(&StsScores::default()),
        TaskType::PairClassification => NamedScores::from(&PairScores::default()),
        TaskType::Classification => NamedScores::from(&ClassificationScores::default()),
        TaskType::MultilabelClassification => NamedScores::from(&MultilabelScores::default()),
        TaskType::Clustering => NamedScores::from(&ClusteringScores::default()),
        TaskType::BitextMining => NamedScores::from(&BitextScores::default()),
        TaskType::Summarization => NamedScores::from(&SummarizationScores::default()),
    };
    let is_number = |value: &Value| value.is_number() || value.is_null();
    let names = scores.as_map().iter().filter(|(_, value)| is_number(value));
    names.map(|(name, _)| name.clone()).collect()
}

/// Whether a type tells this score of every query on its own.
pub(super) fn is_of_queries(name: &str) -> bool {
    name == "p-MRR" || of_one_query().queries["q"].get(name).is_some()
}

fn of_one_query() -> RetrievalScores {
    let (mut qrels, mut run) = (Qrels::default(), Run::default());
    let hit = Hit { document: "d".to_owned(), score: 1.0 };
    let both = qrels.insert("q", "d", 1).and_then(|()| run.insert("q", vec![hit]));
    both.and_then(|()| retrieval(&qrels, &run)).expect("the query is judged and asked")
}
