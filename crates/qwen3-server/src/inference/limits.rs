//! What one request may take: it is counted before the work, or while it is
//! tokenized, and the request ends where a limit is passed.

use super::job::{Job, Output};
use super::{Call, Inference, Length};
use crate::error::Error;
use crate::scheduler::{QueueLimits, SubmitError, Work};
use crate::settings::Settings;
use qwen3_engine::{Prefix, Tokens};

/// Bytes of prefixes that are tokenized again with each text.
pub struct Repeated {
    bytes: usize,
    max: usize,
}

impl Repeated {
    pub fn new(settings: &Settings) -> Self {
        Self { bytes: 0, max: settings.payload_limit }
    }

    /// Counts one more text with this prefix.
    ///
    /// # Errors
    /// If that is more than a body could hold.
    pub fn add(&mut self, prefix: &Prefix) -> Result<(), Error> {
        self.bytes += prefix.bytes_per_text();
        match self.bytes > self.max {
            true => Err(Error::Repeated { max: self.max }),
            false => Ok(()),
        }
    }
}

/// What a request has taken, and may take.
pub struct Budget {
    inference: Inference,
    call: Call,
    limits: QueueLimits,
    output: Output,
    n_texts: usize,
    /// How many texts are like each of those that differ.
    copies: Vec<usize>,
    numbers: usize,
}

impl Budget {
    /// Of a job for a queue with these limits.
    ///
    /// # Errors
    /// If there are too many texts, whatever their length.
    pub fn new(inference: &Inference, job: &Job, limits: QueueLimits) -> Result<Self, Error> {
        let (n_texts, output) = (job.places.len(), job.output);
        if n_texts > limits.texts {
            return Err(SubmitError::TooLarge { texts: n_texts, tokens: n_texts, limits }.into());
        }
        // A text has a token at least.
        inference.check_answer(bytes(output.numbers(1).saturating_mul(n_texts)))?;
        let mut copies = vec![];
        for &place in &job.places {
            copies.resize(copies.len().max(place + 1), 0);
            copies[place] += 1;
        }
        let (inference, call) = (inference.clone(), job.call.clone());
        Ok(Self { inference, call, limits, output, n_texts, copies, numbers: 0 })
    }

    /// What `tokenize` makes of each text that differs, until it is more than a
    /// queue or an answer holds.
    pub fn counting(
        mut self,
        mut tokenize: impl FnMut(usize) -> Result<Tokens, Error> + Send + 'static,
    ) -> impl FnMut() -> Result<Option<(Length, Work)>, Error> + Send + 'static {
        let mut texts = 0..self.copies.len();
        move || {
            let Some(index) = texts.next() else { return Ok(None) };
            let Tokens { input_ids, truncated } = tokenize(index)?;
            let length = Length { tokens: input_ids.len(), truncated };
            self.count(length.tokens, self.copies[index])?;
            Ok(Some((length, Work::new(input_ids, self.output.rows))))
        }
    }

    fn count(&mut self, n_tokens: usize, copies: usize) -> Result<(), Error> {
        let tokens = self.call.count(n_tokens);
        if tokens > self.limits.tokens {
            let (texts, limits) = (self.n_texts, self.limits);
            return Err(SubmitError::TooLarge { texts, tokens, limits }.into());
        }
        let numbers = self.output.numbers(n_tokens).saturating_mul(copies);
        self.numbers = self.numbers.saturating_add(numbers);
        self.inference.check_answer(bytes(self.numbers))
    }
}

/// Of so many numbers.
pub fn bytes(numbers: usize) -> usize {
    numbers.saturating_mul(size_of::<f32>())
}
