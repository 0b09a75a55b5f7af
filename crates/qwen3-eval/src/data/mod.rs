//! Files of an evaluation, read with nothing taken on trust.

mod beir;
mod groups;
mod labels;
mod lines;
mod table;
mod trec;

pub use beir::{Beir, Documents, Text, read_qrels};
pub use groups::{Groups, reranking_groups};
pub use labels::{Label, LabelIds};
pub use table::Table;
pub use trec::{read_run, write_run};
