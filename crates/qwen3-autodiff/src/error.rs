//! What can go wrong in training.

/// An error of training.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum Error {
    /// The checkpoint, a batch or the device.
    #[error(transparent)]
    Model(#[from] qwen3::Error),

    /// The weights left the range of numbers.
    #[error(
        "the {what} of this step is {value}, no number; take a smaller learning rate or a longer warm-up"
    )]
    Diverged { what: &'static str, value: f64 },

    /// A saved state of another run.
    #[error("the saved state has no tensor `{name}` of {values} values; it belongs to another run")]
    State { name: String, values: usize },

    /// No weight is left to train.
    #[error("there is nothing to train: no linear layer is called {targets}")]
    NothingToTrain { targets: String },
}
