//! Data of a task on the disk, and its scores by whatever makes vectors of texts.

mod clusters;
mod compare;
mod data;
mod evaluation;
mod folder;
mod kind;
mod labelled;
mod lists;
mod pairs;
mod ranking;
mod scores;
mod summaries;

pub use compare::{Difference, compare};
pub use data::{OpenOptions, TaskData};
pub use evaluation::{Evaluation, Role, Rows, Sample};
pub use kind::TaskType;
pub use ranking::Ranking;
