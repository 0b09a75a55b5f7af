//! Data of a task on the disk, and its scores by whatever makes vectors of texts.

mod clusters;
mod compare;
mod data;
mod evaluation;
mod kind;
mod labelled;
mod pairs;
mod ranking;

pub use compare::compare;
pub use data::{OpenOptions, TaskData};
pub use evaluation::{Evaluation, Role, Rows, Sample};
pub use kind::TaskType;
pub use ranking::Ranking;
