//! What can go wrong with the database.

use std::io;

/// Why something wasn't read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("can't use the folder of the index: {source}")]
    Io { source: io::Error },
    #[error("the index is of another version of this program ({found})")]
    Format { found: u64 },
    #[error("the disk is full, or the index can't be written: {message}")]
    Write { message: String },
    #[error("the index is damaged: {message}")]
    Damaged { message: String },
    #[error("the file of the index was deleted")]
    Gone,
    #[error("the index is used by another process")]
    InUse,
    #[error("the index can't be read: {message}")]
    Database { message: String },
}

impl StoreError {
    /// Whether the file has to be begun again.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Format { .. } | Self::Gone)
    }
}

pub const NO_TEXT: &str = "a passage has lost its text";

/// Something in the index is not what was written.
pub fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { message: what.to_owned() }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        let message = error.to_string();
        match error {
            redb::Error::Io(source) if source.kind() == io::ErrorKind::InvalidData => {
                Self::Damaged { message }
            }
            redb::Error::Io(_) | redb::Error::PreviousIo => Self::Write { message },
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::RepairAborted
            | redb::Error::TableTypeMismatch { .. } => Self::Damaged { message },
            _ => Self::Database { message },
        }
    }
}

/// The many errors of the database, all of which its own sum holds.
macro_rules! from {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

from!(CommitError, DatabaseError, StorageError, TableError, TransactionError);
