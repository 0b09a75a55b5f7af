//! Files of an evaluation, read with nothing taken on trust.

mod beir;
mod csv;
pub(crate) mod files;
mod groups;
mod labels;
mod lines;
mod qrels;
mod rows;
mod table;
mod trec;
mod unfolded;

pub use beir::{Beir, Documents, Text};
pub use files::is_data_file;
pub use groups::{Groups, reranking_groups};
pub use labels::{Label, LabelIds};
pub use qrels::{List, read_lists, read_qrels};
pub use table::{Columns, Table};
pub use trec::{check_trec_id, read_run, write_run};
