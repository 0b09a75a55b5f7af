//! Evaluating embeddings and rerankers, with the numbers that mteb 2.26.24 gives.
//!
//! ```
//! use qwen3_eval::{Vectors, sts};
//!
//! # fn main() -> Result<(), qwen3_eval::Error> {
//! let first = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
//! let second = [1.0, 0.1, 1.0, 1.0, 0.0, 1.0];
//! let scores = sts(&Vectors::new(&first, 2)?, &Vectors::new(&second, 2)?, &[5.0, 3.0, 0.0])?;
//! assert!(scores.cosine_spearman > 0.999);
//! # Ok(())
//! # }
//! ```
//!
//! Each type of task is a function on vectors and what people said of the texts. Where mteb draws at random, the
//! same rows are drawn here, so that a caller can ask which texts need a vector at all.
//!
//! What it doesn't do: compute vectors, download data, or print. Embedding each type's texts with the
//! right prompt is the caller's.

mod bitext;
mod class_scores;
mod classification;
mod clustering;
mod correlation;
mod data;
mod error;
mod multilabel;
mod pairs;
mod published;
mod random;
mod results;
mod retrieval;
mod search;
mod significance;
mod sts;
mod summarization;
mod sums;
mod tasks;
mod vectors;

pub use bitext::{BitextScores, bitext_mining};
pub use class_scores::ClassScores;
pub use classification::{ClassificationScores, classification, examples};
pub use clustering::{Clustering, ClusteringScores, ClusteringSize};
pub use correlation::{pearson, spearman};
pub use data::{
    Beir, Columns, Documents, Groups, Label, LabelIds, List, Table, Text, check_trec_id,
    is_data_file, read_lists, read_qrels, read_run, reranking_groups, write_run,
};
pub use error::Error;
pub use multilabel::{
    MultilabelMeasures, MultilabelScores, multilabel_classification, multilabel_examples,
    stratified_rows,
};
pub use pairs::{PairMeasures, PairScores, pair_classification, pair_measures};
pub use published::{Published, PublishedRow, PublishedTable, published};
pub use results::{MTEB_VERSION, NamedScores, Task, merged_results, task_result, write_result};
pub use retrieval::{
    CUTOFFS, Hit, InstructionScores, Qrels, QueryScores, RetrievalScores, Run,
    instruction_retrieval, p_mrr, retrieval,
};
pub use search::{Neighbour, Search, nearest, rescore, run_of};
pub use significance::{Comparison, bootstrap_test, randomization_test};
pub use sts::{StsScores, sts};
pub use summarization::{Summaries, SummarizationScores, summarization};
pub use tasks::{
    Difference, Evaluation, OpenOptions, Ranking, Role, Rows, Sample, TaskData, TaskType, compare,
};
pub use vectors::Vectors;
