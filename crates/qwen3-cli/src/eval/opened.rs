//! Models whose files are found, opened and checked before anything is computed.

use super::error::EvalError;
use super::models::Surroundings;
use super::settings::Variant;
use crate::error::Error;
use crate::fingerprint::fingerprint;
use crate::loading::load;
use qwen3_engine::{
    Checkpoint, DtypeChoice, EmbedderHost, Error as EngineError, Options, Prompt, RerankerHost,
};
use std::sync::Arc;

/// A model whose files are open, but not on a device.
pub struct Opened {
    /// What its user called it.
    pub name: String,
    pub checkpoint: Arc<Checkpoint>,
    /// A hash of all that is in its files.
    pub fingerprint: String,
}

impl Opened {
    /// An embedding model that takes what the variants ask for.
    pub fn embedding(
        name: &str,
        variants: &[Variant],
        around: &Surroundings,
    ) -> Result<Self, Error> {
        let variants = variants.to_vec();
        let check = move |checkpoint: &Checkpoint, options: &Options| {
            let host = EmbedderHost::from_checkpoint(checkpoint, options)?;
            for variant in &variants {
                host.dimensions(variant.dimensions)?;
                let prompt = variant.prompt(Prompt::Query);
                let put_before = host.prompt(&prompt)?;
                host.prefix(&put_before, host.limit())?;
            }
            Ok(())
        };
        Self::new(name, check, around).map_err(Error::or_mini)
    }

    pub fn reranker(name: &str, around: &Surroundings) -> Result<Self, Error> {
        let check = |checkpoint: &Checkpoint, options: &Options| {
            RerankerHost::from_checkpoint(checkpoint, options).map(drop)
        };
        Self::new(name, check, around)
    }

    fn new(
        name: &str,
        check: impl FnOnce(&Checkpoint, &Options) -> Result<(), EngineError> + Send + 'static,
        around: &Surroundings,
    ) -> Result<Self, Error> {
        let args = around.device.of_model(name, DtypeChoice::Auto);
        let opened = load(&args, name, &around.hooks, |source, options| {
            let checkpoint = Checkpoint::open(source, &options.hooks)?;
            check(&checkpoint, options)?;
            let fingerprint = fingerprint(&checkpoint)?;
            Ok((Arc::new(checkpoint), fingerprint))
        });
        let ((checkpoint, fingerprint), _) = opened.map_err(|error| match error {
            Error::WrongKind { model, found, wanted } => {
                EvalError::WrongKind { model, found, wanted }.into()
            }
            error => error,
        })?;
        Ok(Self { name: name.to_owned(), checkpoint, fingerprint })
    }
}
