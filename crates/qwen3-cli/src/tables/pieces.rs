//! Rows in pieces of a few seconds, so that no end of a process costs more.

use super::step::{Answer, Computed, Rows, Todo, Work};
use crate::error::Error;
use qwen3_engine::{CancelToken, Tokens};
use qwen3_tables::Record;
use std::time::{Duration, Instant};

/// A piece takes about so long, if it has more than [`LEAST`] texts.
const PIECE: Duration = Duration::from_secs(10);
/// Fewer don't fill the batches of a device.
const LEAST: usize = 64;

/// Rows, their texts, each once, and which text each row has, with its place.
pub struct Uncomputed<'a> {
    pub rows: &'a Rows<Todo<Vec<Tokens>>>,
    pub texts: &'a [Tokens],
    pub of_rows: &'a [(usize, u64)],
}

/// How many texts are computed at one time.
pub struct Pieces {
    texts: usize,
}

impl Default for Pieces {
    fn default() -> Self {
        Self { texts: LEAST }
    }
}

impl Pieces {
    /// Computes rows from their texts, each once, and hands them on as soon as a piece is done.
    /// Says whether somebody still takes them.
    pub fn compute<W: Work>(
        &mut self,
        work: &W,
        Uncomputed { rows, texts, of_rows }: Uncomputed,
        cancel: &CancelToken,
        send: &mut dyn FnMut(Rows<Computed>) -> bool,
    ) -> Result<bool, Error> {
        let mut answers: Vec<Answer> = vec![];
        let (mut sent, mut read) = (0, 0);
        // Also without a text: rows that are left out have been read.
        loop {
            if cancel.is_cancelled() {
                return Err(qwen3_engine::Error::Cancelled.into());
            }
            let first = answers.len();
            let piece = &texts[first..texts.len().min(first + self.texts)];
            let started = Instant::now();
            answers.extend(work.compute(piece)?);
            self.learn(piece.len(), started.elapsed());
            // Texts are in the order of the rows that have them first.
            let is_ready = |(text, _): &&(usize, u64)| *text < answers.len();
            let end = sent + of_rows[sent..].iter().take_while(is_ready).count();
            let is_all = answers.len() == texts.len();
            let read_end = if is_all { rows.read } else { of_rows[end].1 };
            let tokens = answers[first..].iter().map(|answer| answer.tokens as u64).sum();
            let results = results(&answers, &of_rows[sent..end]);
            let record = Record { rows: read_end - read, tokens, results };
            let sent_rows = Rows {
                batch: rows.batch.slice(sent, end - sent),
                read: read_end - read,
                is_last: rows.is_last && is_all,
                place: rows.place.clone(),
                results: Computed { record, texts: piece.len(), is_new: true },
            };
            if !send(sent_rows) || is_all {
                return Ok(is_all);
            }
            (sent, read) = (end, read_end);
        }
    }

    /// As many as took about [`PIECE`], but not many more than before: the first are the slowest.
    fn learn(&mut self, texts: usize, time: Duration) {
        let in_a_piece = texts as f64 * PIECE.as_secs_f64() / time.as_secs_f64().max(1e-6);
        self.texts = (in_a_piece as usize).clamp(LEAST, LEAST.max(4 * self.texts));
    }
}

/// The numbers of each row, one after the other.
fn results(answers: &[Answer], rows: &[(usize, u64)]) -> Vec<u8> {
    let numbers = rows.iter().flat_map(|(text, _)| &answers[*text].numbers);
    numbers.flat_map(|number| number.to_le_bytes()).collect()
}
