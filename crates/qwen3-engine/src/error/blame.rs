//! Whose fault an error is.

use super::Error;

impl Error {
    /// Whether a text or its tokens are to blame. The network is as good as
    /// before, and computes the other texts.
    pub fn is_of_input(&self) -> bool {
        use qwen3::Error as ModelError;
        matches!(
            self,
            Self::Input { .. }
                | Self::Model(
                    ModelError::EmptyBatch
                        | ModelError::EmptySequence { .. }
                        | ModelError::SequenceTooLong { .. }
                        | ModelError::TokenId { .. }
                )
        )
    }
}

impl From<qwen3::Error> for Error {
    fn from(error: qwen3::Error) -> Self {
        if let qwen3::Error::Stopped = error { Self::Cancelled } else { Self::Model(error) }
    }
}
