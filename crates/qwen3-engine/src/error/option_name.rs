//! Options as messages name them.

use std::fmt;

/// An option that takes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionName {
    /// [`crate::Options::threads`]
    Threads,
    /// [`crate::Options::max_batch_tokens`]
    MaxBatchTokens,
    /// [`crate::Options::max_tokens`]
    MaxTokens,
}

impl fmt::Display for OptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Threads => "threads",
            Self::MaxBatchTokens => "max_batch_tokens",
            Self::MaxTokens => "max_tokens",
        })
    }
}
