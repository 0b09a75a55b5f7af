//! Where a model is: found or downloaded, opened, and written as one file.

mod checkpoint;
mod checksum;
mod convert;
mod folder;
mod hub;
mod mini;
mod model_files;
mod modules;
mod new_file;
mod gguf;
mod portable;
mod source;
#[cfg(feature = "train")]
pub mod training;

pub use checkpoint::Checkpoint;
pub use checksum::sha256;
pub use convert::{ConvertOptions, Converted, convert};
pub use folder::called;
pub use hub::{DataSet, DataSetFiles, HubToken};
pub use mini::MINI;
pub use model_files::ModelFiles;
pub use new_file::NewFile;
pub use portable::Provenance;
pub use source::Source;
