//! Texts to vectors and scores, for one request: tokens on the blocking pool,
//! rows from the scheduler, heads on the host. Every dialect ends here.

mod admission;
mod bounds;
mod pairs;
mod results;

use crate::error::Error;
use crate::metrics::{Metrics, RequestTimes, Task};
use crate::scheduler::{ComputeError, Computed, Scheduler, Work};
use crate::settings::Settings;
pub(crate) use admission::aside;
pub use admission::{Admission, Call, Held};
use bounds::{Repeated, Spent, distinct};
pub use pairs::{Pair, PairReading};
use qwen3_engine::{EmbedderText, Encoded, Input, Limit, Prompt, RerankerText, Rows};
pub use results::{Compute, Length, Results, Score, TokenVectors};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;
use tracing::Instrument;

/// What all models of a server share.
#[derive(Clone)]
pub struct Inference {
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Metrics,
    tokenizers: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    /// Bytes of bodies.
    bodies: Arc<Semaphore>,
    /// KiB of answers that are being made.
    answers: Arc<Semaphore>,
}

/// One model, in its two halves.
pub struct Model<T> {
    /// What clients see as its name.
    pub name: String,
    /// What it was loaded from, to show.
    pub about: About,
    /// Its half on the host.
    pub text: Arc<T>,
    /// Its half on the devices.
    pub scheduler: Scheduler,
}

/// What a model was loaded from.
#[derive(Clone, Debug)]
pub struct About {
    /// Hub id or path.
    pub model_id: String,
    /// Branch, tag or commit on the hub.
    pub revision: Option<String>,
    /// Device and precision of the weights, of each replica.
    pub dtype: String,
    /// Tokens of a batch.
    pub max_batch_tokens: usize,
    /// Texts of a batch.
    pub max_batch_requests: Option<usize>,
}

/// A text, or token ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TextOrIds {
    /// Text.
    Text(String),
    /// What another program made of a text.
    Ids(Vec<u32>),
}

/// How texts become tokens.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What is put in front.
    pub prompt: Prompt,
    /// Length, and what happens beyond.
    pub limit: Limit,
}

impl Inference {
    /// For a server with these settings.
    pub fn new(settings: Settings, metrics: Metrics) -> Self {
        Self {
            tokenizers: Arc::new(Semaphore::new(
                settings.tokenization_workers.clamp(1, Semaphore::MAX_PERMITS),
            )),
            requests: Arc::new(Semaphore::new(
                settings.max_concurrent_requests.clamp(1, Semaphore::MAX_PERMITS),
            )),
            bodies: Arc::new(Semaphore::new(admission::body_permits(&settings))),
            answers: Arc::new(Semaphore::new(admission::answer_permits(&settings))),
            settings: Arc::new(settings),
            metrics,
        }
    }

    /// Vectors of texts, `[dimensions]` each.
    ///
    /// # Errors
    /// If an input is refused or fails, too much waits, or it takes too long.
    pub async fn embed(
        &self,
        model: &Model<EmbedderText>,
        call: Call,
        inputs: Vec<TextOrIds>,
        reading: Reading,
        vector: Vector,
    ) -> Result<Results<Vec<f32>>, Error> {
        model.text.dimensions(vector.dimensions).map_err(|error| Error::option(&error))?;
        let read = Read { rows: Rows::Last, width: model.text.max_dimensions() };
        let rows = self.rows(model, call, inputs, reading, read).await?;
        let text = model.text.clone();
        let shaped = move |row: Arc<[f32]>| {
            let row = text.embedding(row.to_vec(), vector.dimensions, vector.normalize);
            row.map_err(|error| Error::option(&error))
        };
        aside(rows.compute.is_long(), move || rows.try_map(shaped)).await?
    }

    /// A vector of each token of each text, as it leaves the network.
    ///
    /// # Errors
    /// As [`Inference::embed`].
    pub async fn embed_tokens(
        &self,
        model: &Model<EmbedderText>,
        call: Call,
        inputs: Vec<TextOrIds>,
        reading: Reading,
    ) -> Result<Results<TokenVectors>, Error> {
        let width = model.text.max_dimensions();
        let read = Read { rows: Rows::All, width };
        let rows = self.rows(model, call, inputs, reading, read).await?;
        rows.try_map(|rows| Ok(TokenVectors { rows, width }))
    }

    async fn rows(
        &self,
        model: &Model<EmbedderText>,
        call: Call,
        inputs: Vec<TextOrIds>,
        reading: Reading,
        read: Read,
    ) -> Result<Results<Arc<[f32]>>, Error> {
        self.admit(&call, "inputs", inputs.len())?;
        let prompt = model.text.prompt(&reading.prompt);
        let prompt = prompt.map_err(|reason| Error::Prompt { reason })?.into_owned();
        let (text, limit) = (model.text.clone(), reading.limit);
        let prepared = self.blocking(move || {
            let prefix = text.prefix(&prompt, limit).map_err(|reason| Error::Prompt { reason })?;
            let characters = inputs.iter().map(TextOrIds::characters).sum();
            Ok((prefix, characters, distinct(inputs)))
        });
        let (prefix, characters, (inputs, places)) = call.in_time(prepared).await?;
        let size = Size { task: Task::Embed, places, characters };
        let mut repeated = Repeated::new(&self.settings);
        let text = model.text.clone();
        let encode = move |index: usize| {
            repeated.add(&prefix)?;
            let (first, input): &(usize, TextOrIds) = &inputs[index];
            let encoded = text.encode(input.as_input(), &prefix, limit);
            encoded.map_err(|reason| Error::text(*first, reason))
        };
        self.compute(&model.scheduler, call, size, read, encode).await
    }

    /// Scores of pairs.
    ///
    /// # Errors
    /// As [`Inference::embed`].
    pub async fn score(
        &self,
        model: &Model<RerankerText>,
        call: Call,
        pairs: Vec<Pair>,
        reading: PairReading,
    ) -> Result<Results<Score>, Error> {
        self.admit(&call, "texts", pairs.len())?;
        let repeated = Repeated::new(&self.settings);
        let text = model.text.clone();
        let prepared = self.blocking(move || {
            let characters = pairs::characters(&pairs);
            Ok((pairs::Encoder::new(text, reading, repeated)?, characters, pairs))
        });
        let (mut encoder, characters, pairs) = call.in_time(prepared).await?;
        let places = (0..pairs.len()).collect();
        let size = Size { task: Task::Predict, places, characters };
        let encode = move |index: usize| encoder.encode(index, &pairs[index]);
        let read = Read { rows: Rows::Last, width: 1 };
        let rows = self.compute(&model.scheduler, call, size, read, encode).await?;
        rows.try_map(|row| Ok(Score { log_odds: model.text.log_odds(&row) }))
    }

    async fn compute(
        &self,
        scheduler: &Scheduler,
        call: Call,
        size: Size,
        read: Read,
        encode: impl FnMut(usize) -> Result<Encoded, Error> + Send + 'static,
    ) -> Result<Results<Arc<[f32]>>, Error> {
        // Before the tokens: no work for a model that can't answer.
        scheduler.health()?;
        let spent = Spent::new(self, scheduler.limits(), &call, &size.places, read)?;
        let work = async {
            let started = Instant::now();
            let n_texts = size.places.len();
            let span = tracing::info_span!("tokenize", texts = n_texts as i64);
            let encoded = self.in_turns(spent.counting(encode)).instrument(span).await?;
            let tokenization = started.elapsed();
            let of_texts = size.places.iter().map(|&place| &encoded[place]);
            let (lengths, works): (Vec<Length>, Vec<Work>) = of_texts.cloned().unzip();
            lengths.iter().for_each(|length| self.metrics.input_length(length.tokens));
            let tokens: usize = lengths.iter().map(|length| length.tokens).sum();
            let numbers: usize = lengths.iter().map(|length| read.numbers(length.tokens)).sum();
            self.room(&call, bounds::bytes(numbers)).await;
            // Collectors get other kinds of numbers as text.
            let (texts, tokens) = (n_texts as i64, tokens as i64);
            let span = tracing::info_span!("compute", texts, tokens);
            let answers = scheduler.submit(works)?.answers().instrument(span).await;
            Ok((tokenization, lengths, numbers, answers))
        };
        let (tokenization, lengths, numbers, answers) = call.in_time(work).await?;
        let mut times = RequestTimes { tokenization, ..RequestTimes::default() };
        let results = collected(answers, &mut times)?;
        times.total = call.started.elapsed();
        let compute = Compute {
            task: size.task,
            texts: results.len(),
            characters: size.characters,
            tokens: lengths.iter().map(|length| length.tokens).sum(),
            truncated: lengths.iter().filter(|length| length.truncated).count(),
            numbers,
            times,
        };
        self.metrics.success(compute.task, compute.texts, times);
        Ok(Results { results, lengths, compute })
    }
}

/// The rows of all texts, and how long the slowest of them took.
fn collected(
    answers: Vec<Result<Computed, ComputeError>>,
    times: &mut RequestTimes,
) -> Result<Vec<Arc<[f32]>>, Error> {
    let mut results = Vec::with_capacity(answers.len());
    for (input, answer) in answers.into_iter().enumerate() {
        let Computed { rows, queued, computed } =
            answer.map_err(|reason| Error::NotComputed { input, reason })?;
        times.queue = times.queue.max(queued);
        times.inference = times.inference.max(computed);
        results.push(rows);
    }
    Ok(results)
}

/// What vectors look like.
#[derive(Clone, Copy, Debug)]
pub struct Vector {
    /// The first so many; `None`: all.
    pub dimensions: Option<usize>,
    /// Whether they are scaled to length 1.
    pub normalize: bool,
}

struct Size {
    task: Task,
    /// Of each text, its index among those that differ.
    places: Vec<usize>,
    characters: usize,
}

/// What is read of the network for a text.
#[derive(Clone, Copy)]
struct Read {
    rows: Rows,
    /// Numbers of a row.
    width: usize,
}

impl Read {
    /// Numbers of the answer for a text of so many tokens.
    fn numbers(self, tokens: usize) -> usize {
        match self.rows {
            Rows::Last => self.width,
            Rows::All => tokens.saturating_mul(self.width),
        }
    }
}

impl TextOrIds {
    fn as_input(&self) -> Input<'_> {
        match self {
            Self::Text(text) => Input::Text(text),
            Self::Ids(ids) => Input::Ids(ids),
        }
    }

    fn characters(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::Ids(_) => 0,
        }
    }
}
