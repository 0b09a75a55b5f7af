//! What is computed for one request, whatever its texts are.

use super::{Call, Cost, Length};
use crate::metrics::{RequestTimes, Task};
use qwen3_engine::Rows;
use std::time::Duration;

/// A request's work beside its tokens.
pub struct Job {
    pub call: Call,
    pub task: Task,
    pub output: Output,
    /// Of each text, its index among those that differ.
    pub places: Vec<usize>,
    pub characters: usize,
}

/// What is read of the network for a text.
#[derive(Clone, Copy)]
pub struct Output {
    pub rows: Rows,
    /// Numbers of a row.
    pub width: usize,
}

impl Job {
    /// What its texts of these lengths cost, as far as it is known before they are computed.
    pub fn cost(&self, lengths: &[Length], tokenization: Duration) -> Cost {
        Cost {
            task: self.task,
            texts: lengths.len(),
            characters: self.characters,
            tokens: lengths.iter().map(|length| length.tokens).sum(),
            truncated: lengths.iter().filter(|length| length.truncated).count(),
            numbers: lengths.iter().map(|length| self.output.numbers(length.tokens)).sum(),
            times: RequestTimes { tokenization, ..RequestTimes::default() },
        }
    }
}

impl Output {
    /// Numbers of the answer for a text of so many tokens.
    pub fn numbers(self, tokens: usize) -> usize {
        match self.rows {
            Rows::Last => self.width,
            Rows::All => tokens.saturating_mul(self.width),
        }
    }
}
