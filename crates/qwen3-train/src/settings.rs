//! What the caller of a run may choose.

use crate::error::Error;
use qwen3_engine::DtypeChoice;
use qwen3_engine::internals::training::{Method, Projection};

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// So many times all examples; `1.5` is once and a half.
    Epochs(f64),
    /// So many steps.
    Steps(u64),
}

/// Low-rank adapters of linear layers (Hu et al. 2021, arXiv:2106.09685).
#[derive(Clone, Debug, PartialEq)]
pub struct Lora {
    /// Rows of the smaller matrices.
    pub rank: usize,
    /// The product of both counts `alpha / rank`.
    pub alpha: f64,
    /// The layers that have one.
    pub targets: Vec<Projection>,
}

/// How a model is trained; [`Settings::new`] has what is usual.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of the order of examples, and of adapters' first numbers.
    pub seed: u64,
    /// Examples are taken as they lie in their file, instead of shuffled: for files that
    /// have what is to be compared side by side.
    pub keep_order: bool,
    /// Examples of a step.
    pub batch_size: usize,
    /// Tokens on the device at one time; `None`: by the model's size. A step is as many
    /// passes as it takes, with the same result but for rounding.
    pub micro_batch_tokens: Option<usize>,
    /// How long it goes on.
    pub length: Length,
    /// The largest learning rate.
    pub learning_rate: f64,
    /// Steps in which it rises; `None`: a tenth of all, at most 200.
    pub warm_up: Option<u64>,
    /// Of AdamW.
    pub weight_decay: f64,
    /// Of AdamW.
    pub betas: [f64; 2],
    /// The longest gradient; a longer one is scaled down.
    pub clip: f64,
    /// Widths of vectors that shall work; empty: the whole vector.
    pub dimensions: Vec<usize>,
    /// Adapters; `None`: all weights are trained.
    pub lora: Option<Lora>,
    /// Steps between two looks at the held-out data.
    pub measure_every: u64,
    /// Looks without a better measure that end the run; the best weights are kept.
    pub patience: Option<u32>,
    /// Minutes between two checkpoints.
    pub checkpoint_minutes: f64,
    /// Steps between two checkpoints.
    pub checkpoint_steps: Option<u64>,
    /// Precision of the model that is written; `Auto`: that of its source.
    pub save_dtype: DtypeChoice,
    /// Begin anew, whatever is in the folder of results.
    pub force: bool,
    /// Only go on with a run, never begin one.
    pub resume: bool,
}

impl Settings {
    /// One pass over the data in steps of `batch_size` examples.
    pub fn new(batch_size: usize, learning_rate: f64) -> Self {
        Self {
            seed: 0,
            keep_order: false,
            batch_size,
            micro_batch_tokens: None,
            length: Length::Epochs(1.0),
            learning_rate,
            warm_up: None,
            weight_decay: 0.01,
            betas: [0.9, 0.999],
            clip: 1.0,
            dimensions: vec![],
            lora: None,
            measure_every: 100,
            patience: None,
            checkpoint_minutes: 10.0,
            checkpoint_steps: None,
            save_dtype: DtypeChoice::Auto,
            force: false,
            resume: false,
        }
    }

    /// Steps of the whole run.
    pub(crate) fn steps(&self, steps_per_epoch: u64) -> u64 {
        match self.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => ((epochs * steps_per_epoch as f64).ceil() as u64).max(1),
        }
    }

    pub(crate) fn method(&self) -> Method {
        match self.lora.clone() {
            None => Method::Full,
            Some(Lora { rank, alpha, targets }) => {
                Method::Lora { rank, alpha, targets, seed: self.seed }
            }
        }
    }

    /// # Errors
    /// If a number can't be meant.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (of_length, length) = match self.length {
            Length::Epochs(epochs) => ("epochs", epochs),
            Length::Steps(steps) => ("steps", steps as f64),
        };
        let lora = self.lora.as_ref();
        for (setting, value) in [
            ("batch_size", self.batch_size as f64),
            (of_length, length),
            ("learning_rate", self.learning_rate),
            ("clip", self.clip),
            ("lora_rank", lora.map_or(1.0, |lora| lora.rank as f64)),
            ("lora_alpha", lora.map_or(1.0, |lora| lora.alpha)),
            ("micro_batch_tokens", self.micro_batch_tokens.map_or(1.0, |tokens| tokens as f64)),
            ("measure_every", self.measure_every as f64),
            ("checkpoint_steps", self.checkpoint_steps.map_or(1.0, |steps| steps as f64)),
        ] {
            // Not NaN either. A clip of infinity is none.
            let is_right = value > 0.0 && (value.is_finite() || setting == "clip");
            within(setting, value, is_right, "must be above 0")?;
        }
        for (setting, value) in
            [("weight_decay", self.weight_decay), ("checkpoint_minutes", self.checkpoint_minutes)]
        {
            within(setting, value, value >= 0.0, "must not be negative")?;
        }
        for beta in self.betas {
            within("betas", beta, (0.0..1.0).contains(&beta), "must be from 0 to below 1")?;
        }
        Ok(())
    }

    /// The widths to train: those that were asked for, else `whole`.
    ///
    /// # Errors
    /// If one is wider than `max`.
    pub(crate) fn widths(&self, whole: usize, max: usize) -> Result<Vec<usize>, Error> {
        if self.dimensions.is_empty() {
            return Ok(vec![whole]);
        }
        match self.dimensions.iter().find(|&&width| width == 0 || width > max) {
            Some(&width) => Err(wrong("dimensions", width, format!("the model has 1 to {max}"))),
            None => Ok(self.dimensions.clone()),
        }
    }
}

pub(crate) fn wrong(setting: &'static str, value: impl ToString, range: String) -> Error {
    Error::Setting { setting, value: value.to_string(), range }
}

fn within(setting: &'static str, value: f64, is_right: bool, range: &str) -> Result<(), Error> {
    if is_right { Ok(()) } else { Err(wrong(setting, value, range.to_owned())) }
}
