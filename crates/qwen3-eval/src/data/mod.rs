//! Files of an evaluation, read with nothing taken on trust.

mod beir;
mod csv;
mod groups;
mod labels;
mod lines;
mod qrels;
mod table;
mod trec;

pub use beir::{Beir, Documents, Text};
pub use groups::{Groups, reranking_groups};
pub use labels::{Label, LabelIds};
pub use qrels::{read_lists, read_qrels};
pub use table::{Columns, Table};
pub use trec::{read_run, write_run};
