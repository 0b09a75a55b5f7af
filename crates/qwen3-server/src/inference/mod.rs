//! Texts to vectors and scores, for one request: tokens on the blocking pool,
//! rows from the scheduler, heads on the host. Every dialect ends here.

mod admission;
mod call;
mod job;
mod limits;
mod model;
mod pairs;
mod results;
mod texts;
mod turns;

use crate::error::Error;
use crate::metrics::{Metrics, RequestTimes, Task};
use crate::scheduler::{ComputeError, Computed, Scheduler, Work};
use crate::settings::Settings;
pub use admission::HeldBytes;
pub use call::{Admission, Call};
use job::{Job, Output};
use limits::{Budget, Repeated};
pub use model::{About, Model};
pub use pairs::{Pair, PairsToScore};
use qwen3_engine::{EmbedderHost, RerankerHost, Rows, Tokens};
pub use results::{Cost, Length, LogOdds, Results, TokenVectors};
use std::sync::Arc;
use std::time::Instant;
use texts::distinct;
pub use texts::{InputItem, TextsToEmbed, VectorOptions};
use tokio::sync::Semaphore;
use tracing::Instrument;
pub use turns::aside;

/// What all models of a server share.
#[derive(Clone)]
pub struct Inference {
    pub settings: Arc<Settings>,
    pub metrics: Metrics,
    tokenizers: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    /// Bytes of bodies.
    bodies: Arc<Semaphore>,
    /// KiB of answers that are being made.
    answers: Arc<Semaphore>,
}

impl Inference {
    /// For a server with these settings.
    pub fn new(settings: Settings, metrics: Metrics) -> Self {
        let at_once = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self {
            tokenizers: at_once(settings.tokenization_workers.max(1)),
            requests: at_once(settings.max_concurrent_requests.max(1)),
            bodies: at_once(admission::body_permits(&settings)),
            answers: at_once(admission::answer_permits(&settings)),
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
        model: &Model<EmbedderHost>,
        call: Call,
        texts: TextsToEmbed,
        options: VectorOptions,
    ) -> Result<Results<Vec<f32>>, Error> {
        let VectorOptions { dimensions, normalize } = options;
        model.host.dimensions(dimensions).map_err(|error| Error::option(&error))?;
        let output = Output { rows: Rows::Last, width: model.host.max_dimensions() };
        let rows = self.rows(model, call, texts, output).await?;
        let host = model.host.clone();
        let shaped = move |row: Arc<[f32]>| {
            let row = host.embedding(row.to_vec(), dimensions, normalize);
            row.map_err(|error| Error::option(&error))
        };
        aside(rows.cost.is_long(), move || rows.try_map(shaped)).await?
    }

    /// A vector of each token of each text, as it leaves the network.
    pub async fn embed_tokens(
        &self,
        model: &Model<EmbedderHost>,
        call: Call,
        texts: TextsToEmbed,
    ) -> Result<Results<TokenVectors>, Error> {
        let width = model.host.max_dimensions();
        let rows = self.rows(model, call, texts, Output { rows: Rows::All, width }).await?;
        rows.try_map(|rows| Ok(TokenVectors { rows, width }))
    }

    async fn rows(
        &self,
        model: &Model<EmbedderHost>,
        call: Call,
        texts: TextsToEmbed,
        output: Output,
    ) -> Result<Results<Arc<[f32]>>, Error> {
        let TextsToEmbed { inputs, prompt, limit } = texts;
        self.admit(&call, "inputs", inputs.len())?;
        let prompt = model.host.prompt(&prompt);
        let prompt = prompt.map_err(|reason| Error::Prompt { reason })?.into_owned();
        let host = model.host.clone();
        let prepared = self.blocking(move || {
            let prefix = host.prefix(&prompt, limit).map_err(|reason| Error::Prompt { reason })?;
            let characters = inputs.iter().map(InputItem::characters).sum();
            Ok((prefix, characters, distinct(inputs)))
        });
        let (prefix, characters, (inputs, places)) = call.in_time(prepared).await?;
        let mut repeated = Repeated::new(&self.settings);
        let host = model.host.clone();
        let tokenize = move |index: usize| {
            repeated.add(&prefix)?;
            let (first, input): &(usize, InputItem) = &inputs[index];
            let tokens = host.tokenize(input.as_input(), &prefix, limit);
            tokens.map_err(|reason| Error::text(*first, reason))
        };
        let job = Job { call, task: Task::Embed, output, places, characters };
        self.compute(&model.scheduler, job, tokenize).await
    }

    /// Scores of pairs.
    pub async fn score(
        &self,
        model: &Model<RerankerHost>,
        call: Call,
        pairs: PairsToScore,
    ) -> Result<Results<LogOdds>, Error> {
        let n_pairs = pairs.pairs.len();
        self.admit(&call, "texts", n_pairs)?;
        let repeated = Repeated::new(&self.settings);
        let host = model.host.clone();
        let prepared = self.blocking(move || {
            let characters = pairs::characters(&pairs.pairs);
            Ok((pairs::PairTokenizer::new(host, pairs, repeated)?, characters))
        });
        let (mut tokenizer, characters) = call.in_time(prepared).await?;
        let (places, output) = ((0..n_pairs).collect(), Output { rows: Rows::Last, width: 1 });
        let job = Job { call, task: Task::Predict, output, places, characters };
        let tokenize = move |index: usize| tokenizer.tokenize(index);
        let rows = self.compute(&model.scheduler, job, tokenize).await?;
        rows.try_map(|row| Ok(LogOdds(model.host.log_odds(&row))))
    }

    async fn compute(
        &self,
        scheduler: &Scheduler,
        job: Job,
        tokenize: impl FnMut(usize) -> Result<Tokens, Error> + Send + 'static,
    ) -> Result<Results<Arc<[f32]>>, Error> {
        // Before the tokens: no work for a model that can't answer.
        scheduler.health()?;
        let budget = Budget::new(self, &job, scheduler.settings().queue)?;
        let work = async {
            let started = Instant::now();
            let (lengths, works) = self.tokens(&job, budget.counting(tokenize)).await?;
            let cost = job.cost(&lengths, started.elapsed());
            self.room(&job.call, limits::bytes(cost.numbers)).await;
            // Collectors get other kinds of numbers as text.
            let (texts, tokens) = (cost.texts as i64, cost.tokens as i64);
            let span = tracing::info_span!("compute", texts, tokens);
            let answers = scheduler.submit(works)?.answers().instrument(span).await;
            Ok((lengths, cost, answers))
        };
        let (lengths, mut cost, answers) = job.call.in_time(work).await?;
        let results = collected(answers, &mut cost.times)?;
        cost.times.total = job.call.started.elapsed();
        self.metrics.success(cost.task, cost.texts, cost.times);
        Ok(Results { results, lengths, cost })
    }

    /// The tokens of each text; `step` makes those of the texts that differ.
    async fn tokens(
        &self,
        job: &Job,
        step: impl FnMut() -> Result<Option<(Length, Work)>, Error> + Send + 'static,
    ) -> Result<(Vec<Length>, Vec<Work>), Error> {
        let span = tracing::info_span!("tokenize", texts = job.places.len() as i64);
        let tokens = self.in_turns(step).instrument(span).await?;
        let of_texts = job.places.iter().map(|&place| &tokens[place]);
        let (lengths, works): (Vec<Length>, Vec<Work>) = of_texts.cloned().unzip();
        lengths.iter().for_each(|length| self.metrics.input_length(length.tokens));
        Ok((lengths, works))
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
