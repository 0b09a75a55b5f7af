//! What a run leaves: a model's folder or an adapter's, and a card that says how it was made.

mod card;
mod merge;
mod model;
mod peft;
pub(crate) mod tensors;

pub use merge::{Merge, Merged};

use crate::error::Error;
use crate::run::{Context, Planned, Record, State};
use crate::settings::Settings;
use crate::tasks::Task;
use model::ModelFolder;
use qwen3_engine::internals::training::{Training, YES_NO, name, weights};
use qwen3_engine::{Checkpoint, Kind};
use std::fs;
use std::path::Path;

/// Files of an adapter that would change a model beside them.
const OF_ADAPTERS: [&str; 2] = [peft::CONFIG, peft::WEIGHTS];

/// A run whose weights are ready to be written.
pub(crate) struct Made<'a> {
    pub context: &'a Context<'a>,
    pub task: &'a dyn Task,
    pub planned: &'a Planned,
    pub state: &'a State,
    /// The looks at held-out data up to the weights that are kept.
    pub measured: &'a [Record],
}

impl Made<'_> {
    /// Writes the folder of results.
    ///
    /// # Errors
    /// If something can't be written, or read from the device.
    pub fn write(&self, training: &mut Training) -> Result<(), Error> {
        let (folder, settings) = (self.context.folder.path(), &self.context.run.settings);
        let source = self.context.checkpoint;
        match &settings.lora {
            Some(lora) => peft::write_adapter(folder, source, lora, &training.trained()?)?,
            None => {
                // A tied head is written with the table.
                let head = training.head()?.filter(|head| head.name != model::TABLE);
                let model = ModelFolder::new(source, settings.save_dtype).with_head(head);
                model.write(folder, |name| Ok(training.tensor(name)?.values))?;
                remove_adapter(folder);
            }
        }
        model::write(&folder.join("README.md"), card::card(self).as_bytes())
    }
}

fn remove_adapter(folder: &Path) {
    for name in OF_ADAPTERS {
        // That of an earlier run; it is rarely there.
        let _ = fs::remove_file(folder.join(name));
    }
}

/// # Errors
/// If the folder that will be written can't have the head that is trained.
pub(crate) fn check_head(source: &Checkpoint, settings: &Settings) -> Result<(), Error> {
    let weights = weights(source);
    let is_trimmed = weights.contains(YES_NO)
        && !weights.contains("lm_head.weight")
        && !source.config().tie_word_embeddings;
    match is_trimmed && settings.lora.is_none() && source.kind() == Kind::Reranker {
        true => Err(Error::TrimmedHead { model: name(source).to_owned() }),
        false => Ok(()),
    }
}
