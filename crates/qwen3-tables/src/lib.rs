//! Tables of texts in, tables of vectors out.
//!
//! A run goes from files to files: [`find`] says which there are, a [`Table`] reads one of them a
//! batch of rows at a time, [`TextColumns`] makes texts of a batch, and a [`TableWriter`] takes the
//! columns that came of it. [`units`] cuts the input into work for several machines, and a
//! [`Folder`] holds the output as parts, of which each is whole or not there. What is computed for
//! a part that isn't whole yet is kept in its [`Journal`], so that no end of a process costs more
//! than the batch that it was in.
//!
//! There is no model here, no thread and nothing is printed.

mod causes;
mod error;
mod finished;
mod folder;
mod input;
mod job;
mod journal;
pub mod npy;
mod objects;
mod own_file;
mod precision;
mod read;
mod schema;
mod texts;
mod units;
mod write;

pub use causes::{ColumnProblem, FilesChange, WrongLine};
pub use error::TableError;
pub use finished::Finished;
pub use folder::{Folder, Part};
pub use input::{InputFile, TableFormat, find, is_table};
pub use job::{Job, Source};
pub use journal::{Journal, Record, Replay};
pub use objects::Objects;
pub use own_file::open_alone;
pub use precision::{Precision, Ranges};
pub use read::{Batches, Table};
pub use schema::common_schema;
pub use texts::{TextColumns, Texts};
pub use units::{PART_ROWS, Shard, Unit, units};
pub use write::{OutputFormat, TableWriter};
