//! Everything that can go wrong in training, as values.

use std::io;
use std::path::PathBuf;

/// An error of training.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum Error {
    /// The model, its files or the device.
    #[error(transparent)]
    Engine(qwen3_engine::Error),

    /// Training itself, before its first step.
    #[error(transparent)]
    Training(Box<qwen3_engine::internals::training::Error>),

    /// The numbers got out of hand.
    #[error(
        "step {step} has failed: {source}; what was trained before is in `{folder}`, and a smaller learning rate begins again"
    )]
    Diverged { step: u64, folder: PathBuf, source: Box<qwen3_engine::internals::training::Error> },

    /// It does not fit.
    #[error(
        "out of memory on `{device}`: {message}; take a smaller `micro_batch_tokens`, train adapters with `lora_rank`, or use bf16"
    )]
    OutOfMemory { device: qwen3_engine::DeviceId, message: String },

    /// The caller ended it.
    #[error("stopped after step {step}; the same command goes on from `{folder}`")]
    Stopped { step: u64, folder: PathBuf },

    /// A file of data can't be read.
    #[error("can't read `{path}`")]
    Read { path: PathBuf, source: io::Error },

    /// A file can't be written.
    #[error("can't write `{path}`")]
    Write { path: PathBuf, source: io::Error },

    /// A file without a row.
    #[error("`{path}` has no row; there is nothing to learn from it")]
    Empty { path: PathBuf },

    /// A line is not text.
    #[error("line {line} of `{path}` is not valid UTF-8; convert the file first")]
    Utf8 { path: PathBuf, line: usize },

    /// A line is too long to be one row.
    #[error("line {line} of `{path}` is longer than {} MiB; is it JSON with a row a line?", .max_bytes >> 20)]
    LongLine { path: PathBuf, line: usize, max_bytes: usize },

    /// A line without anything, amid others.
    #[error("line {line} of `{path}` is empty; remove it, since rows are counted by lines")]
    BlankLine { path: PathBuf, line: usize },

    /// A line is no JSON object.
    #[error("line {line} of `{path}` is no JSON object")]
    Json { path: PathBuf, line: usize, source: serde_json::Error },

    /// A row lacks a column, or it is something else.
    #[error("line {line} of `{path}` has no {wanted} in the column `{column}`")]
    Column { path: PathBuf, line: usize, column: &'static str, wanted: &'static str },

    /// A text is refused.
    #[error("line {line} of `{path}`: {reason}")]
    Text { path: PathBuf, line: usize, reason: qwen3_engine::TextError },

    /// Targets in another format.
    #[error("`{path}` can't be used: {what}")]
    Npy { path: PathBuf, what: String },

    /// Targets of other texts.
    #[error(
        "`{targets}` has {rows} rows, and `{texts}` {lines} lines; row i must belong to line i"
    )]
    TargetRows { targets: PathBuf, rows: usize, texts: PathBuf, lines: usize },

    /// Targets that the model has no numbers for.
    #[error(
        "`{path}` has vectors of {width} numbers, the model's have {max}; project them on {max} or fewer, or take a wider model"
    )]
    TargetWidth { path: PathBuf, width: usize, max: usize },

    /// Two files of targets that don't go together.
    #[error("`{path}` has vectors of {width} numbers, those to learn have {expected}")]
    OtherWidth { path: PathBuf, width: usize, expected: usize },

    /// A target that is none.
    #[error(
        "row {row} of `{path}`, counted from 0, has {what}; compute it again, or leave the row out"
    )]
    TargetValue { path: PathBuf, row: usize, what: &'static str },

    /// An option is out of its range.
    #[error("`{setting}` is {value}, but {range}")]
    Setting { setting: &'static str, value: String, range: String },

    /// Early stopping without a measure.
    #[error("`patience` waits for a measure to get better; give `held_out` data")]
    NothingHeldOut,

    /// The results would go over something else.
    #[error(
        "`{path}` is not empty, and no run is left there to go on with; write elsewhere, or replace what is there with `force`"
    )]
    Exists { path: PathBuf },

    /// The results would go over what they are made of.
    #[error("`{path}` is the model's own folder; write elsewhere")]
    OwnSource { path: PathBuf },

    /// A run that isn't there.
    #[error("`{folder}` has no checkpoint to go on from; leave `resume` out to begin")]
    NothingToResume { folder: PathBuf },

    /// A run with other settings.
    #[error(
        "the run in `{folder}` has `{setting}` {saved}, this one {now}; give it the same settings, write elsewhere, or begin again with `force`"
    )]
    OtherRun { folder: PathBuf, setting: String, saved: String, now: String },

    /// A checkpoint of training that can't be used.
    #[error(
        "`{path}` is no checkpoint of this program's training: {what}; begin again with `force`"
    )]
    State { path: PathBuf, what: String },

    /// A weight that the format of the results has no number for.
    #[error("`{name}` has {value}, which {dtype} can't hold; save as bf16 or f32")]
    SaveRange { name: String, value: f32, dtype: qwen3_engine::Dtype },

    /// A reranker whose output head was trimmed.
    #[error(
        "`{model}` has only two rows of its output head, and the folder that is written needs all; train the folder that it was made of"
    )]
    TrimmedHead { model: String },

    /// An adapter that is none, or another kind of one.
    #[error("`{path}` is no adapter that can be merged: {what}")]
    Adapter { path: PathBuf, what: String },

    /// An adapter of another model.
    #[error("`{path}` doesn't fit `{model}`: {what}; was it trained on another model?")]
    OtherBase { path: PathBuf, model: String, what: String },

    /// The curve of the loss can't be drawn.
    #[error("can't draw `{path}`: {message}")]
    Plot { path: PathBuf, message: String },
}

impl From<qwen3_engine::Error> for Error {
    fn from(error: qwen3_engine::Error) -> Self {
        match error {
            qwen3_engine::Error::OutOfMemory { device, message } => {
                Self::OutOfMemory { device, message }
            }
            error => Self::Engine(error),
        }
    }
}

impl From<qwen3_engine::internals::training::Failure> for Error {
    fn from(failure: qwen3_engine::internals::training::Failure) -> Self {
        use qwen3_engine::internals::training::Failure;
        match failure {
            Failure::Engine(error) => error.into(),
            Failure::Training(error) => Self::Training(error),
        }
    }
}
