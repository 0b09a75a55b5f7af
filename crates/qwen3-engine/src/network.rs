//! A network alone: tokens in, rows out. One thread may own it, drop it and
//! load it again, while [`crate::EmbedderText`] or [`crate::RerankerText`] stay.

use crate::checkpoint::Checkpoint;
use crate::device::{DeviceId, Fallback};
use crate::error::Error;
use crate::model_files::ModelFiles;
use crate::options::Options;
use crate::progress::Hooks;
use crate::session::Session;
use qwen3::{Dtype, Rows};

/// The device's half of a model.
pub struct Network {
    session: Session,
}

impl Network {
    /// Loads the weights of any Qwen3 model on a device.
    ///
    /// # Errors
    /// If the model can't be found, downloaded or read, or the device can't run it.
    pub fn load(model: &str, options: &Options) -> Result<Self, Error> {
        let session = Session::load(&Checkpoint::find(model, options)?, options)?;
        Ok(Self { session })
    }

    /// Loads the weights of the model whose files these are.
    ///
    /// # Errors
    /// If they have changed since, and as [`Network::load`].
    pub fn load_from(files: &ModelFiles, options: &Options) -> Result<Self, Error> {
        Ok(Self { session: Session::load(&files.open()?, options)? })
    }

    /// For each sequence of token ids the last row `[C]` of the hidden states,
    /// or all of them `[tokens · C]`.
    ///
    /// # Errors
    /// [`Error::NonFinite`] names the first sequence that has no usable row;
    /// otherwise if an id is out of range, the device fails, or the call is cancelled.
    pub fn rows(
        &self,
        sequences: &[&[u32]],
        rows: Rows,
        hooks: &Hooks,
    ) -> Result<Vec<Vec<f32>>, Error> {
        self.session.rows(sequences, rows, hooks)
    }

    /// Tokens that are computed at one time; more are several batches.
    pub fn max_batch_tokens(&self) -> usize {
        self.session.max_batch_tokens()
    }

    /// Tokens that a sequence may have.
    pub fn max_tokens(&self) -> usize {
        self.session.max_tokens()
    }

    /// Where it runs.
    pub fn device(&self) -> DeviceId {
        self.session.device()
    }

    /// Devices that `auto` passed over, and why.
    pub fn fallbacks(&self) -> &[Fallback] {
        self.session.fallbacks()
    }

    /// Precision of the weights in memory.
    pub fn dtype(&self) -> Dtype {
        self.session.dtype()
    }
}
