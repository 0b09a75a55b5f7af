//! Texts to vectors and scores, for one request: tokens on the blocking pool,
//! rows from the scheduler, heads on the host. Every dialect ends here.

mod results;

use crate::error::Error;
use crate::metrics::{Metrics, RequestTimes, Task};
use crate::scheduler::{Computed, Scheduler, Work};
use crate::settings::Settings;
use qwen3_engine::{EmbedderText, Encoded, Input, Limit, Prompt, RerankerText, Rows, Truncate};
pub use results::{Compute, Length, Results, Score};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

/// How long texts of one request are tokenized before others have their turn.
const TURN: Duration = Duration::from_millis(1);

/// What all models of a server share.
#[derive(Clone)]
pub struct Inference {
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Metrics,
    tokenizers: Arc<Semaphore>,
    requests: Arc<Semaphore>,
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

/// A request as it goes through the server.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// When its head was read.
    pub started: Instant,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// A text, or token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A query and a document.
pub struct Pair {
    /// Shared by all documents of a request.
    pub query: Arc<str>,
    /// The document.
    pub document: String,
}

/// How pairs become tokens.
pub struct PairReading {
    /// What makes a document relevant; `None`: the official default.
    pub instruction: Option<String>,
    /// Length of the whole pair, and what happens beyond.
    pub limit: Limit,
    /// Tokens of a document, for pairs of one query.
    pub max_document_tokens: Option<usize>,
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
        let rows = self.rows(model, call, inputs, reading, Rows::Last).await?;
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
    ) -> Result<Results<Vec<Vec<f32>>>, Error> {
        let width = model.text.max_dimensions();
        let rows = self.rows(model, call, inputs, reading, Rows::All).await?;
        let split = move |rows: Arc<[f32]>| Ok(rows.chunks(width).map(<[f32]>::to_vec).collect());
        aside(rows.compute.is_long(), move || rows.try_map(split)).await?
    }

    async fn rows(
        &self,
        model: &Model<EmbedderText>,
        call: Call,
        inputs: Vec<TextOrIds>,
        reading: Reading,
        rows: Rows,
    ) -> Result<Results<Arc<[f32]>>, Error> {
        let _permit = self.admit("inputs", inputs.len())?;
        let characters = inputs.iter().map(TextOrIds::characters).sum();
        let prompt = model.text.prompt(&reading.prompt);
        let prompt = prompt.map_err(|reason| Error::Prompt { reason })?.into_owned();
        let size = Size { task: Task::Embed, texts: inputs.len(), characters };
        let text = model.text.clone();
        let encode = move |index: usize| {
            let encoded = text.encode(inputs[index].as_input(), &prompt, reading.limit);
            encoded.map_err(|reason| Error::text(index, reason))
        };
        self.compute(&model.scheduler, call, size, rows, encode).await
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
        let _permit = self.admit("texts", pairs.len())?;
        let characters = pairs
            .iter()
            .map(|pair| pair.query.chars().count() + pair.document.chars().count())
            .sum();
        let size = Size { task: Task::Predict, texts: pairs.len(), characters };
        let limit = match reading.max_document_tokens {
            Some(max) => {
                let limit = self.document_limit(model, pairs[0].query.clone(), &reading, max);
                call.in_time(limit).await?
            }
            None => reading.limit,
        };
        let text = model.text.clone();
        let encode = move |index: usize| {
            let Pair { query, document } = &pairs[index];
            let encoded = text.encode(query, document, reading.instruction.as_deref(), limit);
            encoded.map_err(|reason| Error::text(index, reason))
        };
        let rows = self.compute(&model.scheduler, call, size, Rows::Last, encode).await?;
        rows.try_map(|row| Ok(Score { log_odds: model.text.log_odds(&row) }))
    }

    /// The limit of pairs whose document has at most `max_tokens`.
    ///
    /// # Errors
    /// If the query alone is refused.
    async fn document_limit(
        &self,
        model: &Model<RerankerText>,
        query: Arc<str>,
        reading: &PairReading,
        max_tokens: usize,
    ) -> Result<Limit, Error> {
        let (text, limit) = (model.text.clone(), reading.limit);
        let instruction = reading.instruction.clone();
        let others = self.blocking(move || {
            let encoded = text.encode(&query, "", instruction.as_deref(), limit);
            Ok(encoded.map_err(|reason| Error::text(0, reason))?.input_ids.len())
        });
        // The document is last, so a limit beyond all others cuts it alone.
        let max_tokens = others.await?.saturating_add(max_tokens);
        Ok(match max_tokens < limit.max_tokens {
            true => Limit { max_tokens, truncate: Truncate::Right },
            false => limit,
        })
    }

    /// Runs something that takes a processor's time on the blocking pool, of
    /// which as much is used as the settings say.
    ///
    /// # Errors
    /// What it returns, and if it panics.
    pub async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.tokenizers.clone().acquire_owned().await;
        let permit = permit.expect("nobody closes it");
        let run = move || {
            let result = call();
            drop(permit);
            result
        };
        tokio::task::spawn_blocking(run).await.unwrap_or(Err(Error::Internal))
    }

    /// Counts a request and lets it in.
    pub(crate) fn admit(
        &self,
        field: &'static str,
        texts: usize,
    ) -> Result<OwnedSemaphorePermit, Error> {
        self.metrics.request(texts);
        let (max, max_requests) =
            (self.settings.max_client_batch_size, self.settings.max_concurrent_requests);
        match texts {
            0 => return Err(Error::Empty { field }),
            _ if texts > max => return Err(Error::BatchSize { found: texts, max }),
            _ => {}
        }
        let permit = self.requests.clone().try_acquire_owned();
        permit.map_err(|_| Error::Busy { max: max_requests })
    }

    /// The tokens of so many texts. After every [`TURN`] others have theirs.
    async fn tokenize(
        &self,
        texts: usize,
        encode: impl Fn(usize) -> Result<Encoded, Error> + Send + Sync + 'static,
    ) -> Result<Vec<Encoded>, Error> {
        let encode = Arc::new(encode);
        let mut encoded: Vec<Encoded> = Vec::with_capacity(texts);
        while encoded.len() < texts {
            let (encode, rest) = (encode.clone(), encoded.len()..texts);
            let turn = move || {
                let (started, mut part) = (Instant::now(), vec![]);
                for index in rest {
                    part.push(encode(index)?);
                    if started.elapsed() >= TURN {
                        break;
                    }
                }
                Ok(part)
            };
            encoded.extend(self.blocking(turn).await?);
        }
        Ok(encoded)
    }

    async fn compute(
        &self,
        scheduler: &Scheduler,
        call: Call,
        size: Size,
        rows: Rows,
        encode: impl Fn(usize) -> Result<Encoded, Error> + Send + Sync + 'static,
    ) -> Result<Results<Arc<[f32]>>, Error> {
        // Before the tokens: no work for a model that can't answer.
        scheduler.health()?;
        let work = async {
            let started = Instant::now();
            let span = tracing::info_span!("tokenize", texts = size.texts as i64);
            let encoded = self.tokenize(size.texts, encode).instrument(span).await?;
            let tokenization = started.elapsed();
            let mut works = Vec::with_capacity(encoded.len());
            let mut lengths = Vec::with_capacity(encoded.len());
            for Encoded { input_ids, truncated } in encoded {
                self.metrics.input_length(input_ids.len());
                lengths.push(Length { tokens: input_ids.len(), truncated });
                works.push(Work { input_ids: input_ids.into(), rows });
            }
            let tokens: usize = lengths.iter().map(|length: &Length| length.tokens).sum();
            // Collectors get other kinds of numbers as text.
            let (texts, tokens) = (size.texts as i64, tokens as i64);
            let span = tracing::info_span!("compute", texts, tokens);
            let answers = scheduler.submit(works)?.answers().instrument(span).await;
            Ok((tokenization, lengths, answers))
        };
        let (tokenization, lengths, answers) = call.in_time(work).await?;
        let mut times = RequestTimes { tokenization, ..RequestTimes::default() };
        let mut results = Vec::with_capacity(answers.len());
        for (input, answer) in answers.into_iter().enumerate() {
            let Computed { rows, queued, computed } =
                answer.map_err(|reason| Error::Failed { input, reason })?;
            times.queue = times.queue.max(queued);
            times.inference = times.inference.max(computed);
            results.push(rows);
        }
        times.total = call.started.elapsed();
        let compute = Compute {
            task: size.task,
            texts: results.len(),
            characters: size.characters,
            tokens: lengths.iter().map(|length| length.tokens).sum(),
            truncated: lengths.iter().filter(|length| length.truncated).count(),
            times,
        };
        self.metrics.success(compute.task, compute.texts, times);
        Ok(Results { results, lengths, compute })
    }
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
    texts: usize,
    characters: usize,
}

impl Call {
    /// One that begins now.
    pub fn now(timeout: Option<Duration>) -> Self {
        Self { started: Instant::now(), timeout }
    }

    /// What `work` gives, unless it takes too long; then it is dropped.
    async fn in_time<T>(self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let until = self.timeout.and_then(|allowed| self.started.checked_add(allowed));
        let (Some(allowed), Some(until)) = (self.timeout, until) else { return work.await };
        let result = tokio::time::timeout_at(until.into(), work).await;
        result.unwrap_or(Err(Error::Deadline { allowed }))
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

/// Runs something; what takes long, on a thread that no other request waits for.
///
/// # Errors
/// If it panics there.
pub(crate) async fn aside<T: Send + 'static>(
    is_long: bool,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    match is_long {
        false => Ok(run()),
        true => tokio::task::spawn_blocking(run).await.map_err(|_| Error::Internal),
    }
}
