//! What one request may take: it is counted before the work, or while it is
//! tokenized, and the request ends where a limit is passed.

use super::{Call, Inference, Length, Read, TextOrIds};
use crate::error::Error;
use crate::scheduler::{QueueLimits, SubmitError, Work};
use crate::settings::Settings;
use qwen3_engine::{Encoded, Prefix};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The texts that differ, each with the index of the first that is like it, and
/// for every text its place among them: equal ones are tokenized once.
pub fn distinct(inputs: Vec<TextOrIds>) -> (Vec<(usize, TextOrIds)>, Vec<usize>) {
    let mut seen = HashMap::with_capacity(inputs.len());
    let mut firsts = vec![];
    let place = |(index, input)| {
        let next = firsts.len();
        match seen.entry(input) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                firsts.push(index);
                *entry.insert(next)
            }
        }
    };
    let places = inputs.into_iter().enumerate().map(place).collect();
    let mut texts: Vec<_> = seen.into_iter().map(|(input, place)| (firsts[place], input)).collect();
    texts.sort_unstable_by_key(|(first, _)| *first);
    (texts, places)
}

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
pub struct Spent {
    inference: Inference,
    call: Call,
    limits: QueueLimits,
    read: Read,
    /// How many texts are like each of those that differ.
    copies: Vec<usize>,
    n_texts: usize,
    numbers: usize,
}

impl Spent {
    /// Of texts with these places among those that differ.
    ///
    /// # Errors
    /// If there are too many, whatever their length.
    pub fn new(
        inference: &Inference,
        limits: QueueLimits,
        call: &Call,
        places: &[usize],
        read: Read,
    ) -> Result<Self, Error> {
        let mut copies = vec![];
        for &place in places {
            copies.resize(copies.len().max(place + 1), 0);
            copies[place] += 1;
        }
        let (inference, call, n_texts) = (inference.clone(), call.clone(), places.len());
        if n_texts > limits.texts {
            return Err(SubmitError::TooLarge { texts: n_texts, tokens: n_texts, limits }.into());
        }
        // A text has a token at least.
        inference.check_answer(bytes(read.numbers(1).saturating_mul(n_texts)))?;
        Ok(Self { inference, call, limits, read, copies, n_texts, numbers: 0 })
    }

    /// What `encode` makes of each text that differs, until it is more than a
    /// queue or an answer holds.
    pub fn counting(
        mut self,
        mut encode: impl FnMut(usize) -> Result<Encoded, Error> + Send + 'static,
    ) -> impl FnMut() -> Result<Option<(Length, Work)>, Error> + Send + 'static {
        let mut texts = 0..self.copies.len();
        move || {
            let Some(index) = texts.next() else { return Ok(None) };
            let Encoded { input_ids, truncated } = encode(index)?;
            let length = Length { tokens: input_ids.len(), truncated };
            self.count(length.tokens, self.copies[index])?;
            Ok(Some((length, Work::new(input_ids, self.read.rows))))
        }
    }

    fn count(&mut self, n_tokens: usize, copies: usize) -> Result<(), Error> {
        let tokens = self.call.count(n_tokens);
        if tokens > self.limits.tokens {
            let (texts, limits) = (self.n_texts, self.limits);
            return Err(SubmitError::TooLarge { texts, tokens, limits }.into());
        }
        let numbers = self.read.numbers(n_tokens).saturating_mul(copies);
        self.numbers = self.numbers.saturating_add(numbers);
        self.inference.check_answer(bytes(self.numbers))
    }
}

/// Of so many numbers.
pub fn bytes(numbers: usize) -> usize {
    numbers.saturating_mul(size_of::<f32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_place() {
        let texts = ["b", "a", "b", "c", "a"].map(|text| TextOrIds::Text(text.to_owned()));
        let texts = [&texts[..], &[TextOrIds::Ids(vec![1]), TextOrIds::Ids(vec![1])]].concat();
        let (different, places) = distinct(texts.clone());
        assert_eq!(places, [0, 1, 0, 2, 1, 3, 3]);
        assert_eq!(different.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [0, 1, 3, 5]);
        for (text, place) in texts.iter().zip(places) {
            assert_eq!(*text, different[place].1);
        }
    }
}
