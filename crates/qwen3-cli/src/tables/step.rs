//! What goes from thread to thread.

use crate::error::Error;
use arrow_array::RecordBatch;
use qwen3_engine::Tokens;
use qwen3_tables::{Journal, Part, Record, TableError, Texts};
use std::hash::Hash;

/// What is computed for rows.
pub trait Work: Sync {
    /// What a row is computed from.
    type Text: Clone + Eq + Hash + Send;
    /// What rows are computed from, `None` where there is nothing.
    fn texts(&self, batch: &RecordBatch) -> Result<Vec<Option<Self::Text>>, TableError>;

    /// Prepares texts for [`Work::compute`].
    fn tokenize(&self, texts: &[Self::Text]) -> Result<Vec<Tokens>, Error>;

    /// Computes the numbers of each text.
    fn compute(&self, tokens: &[Tokens]) -> Result<Vec<Answer>, Error>;
}

/// What was computed for a text.
pub struct Answer {
    pub numbers: Vec<f32>,
    pub tokens: usize,
}

/// A step of a run. Every `Rows` comes between the `Begin` and the `End` of its part.
pub enum Step<R> {
    Begin(Box<Begin>),
    Rows(Rows<R>),
    End,
}

/// A part is begun.
pub struct Begin {
    pub part: Part,
    pub journal: Journal,
}

/// Some rows, and what they are computed from, or what came of it.
pub struct Rows<R> {
    /// The rows that have results.
    pub batch: RecordBatch,
    /// Rows that were read for them.
    pub read: u64,
    /// Whether the file gets them together with what waits for them. So the file is the same
    /// however a run was ended and begun again.
    pub is_last: bool,
    /// The first of them, for messages.
    pub place: Place,
    pub results: R,
}

/// A row of the input.
#[derive(Clone)]
pub struct Place {
    pub file: String,
    /// Counted from 1.
    pub row: u64,
}

/// Results that are there already, or what they are computed from.
pub enum Todo<T> {
    /// An earlier run has computed it.
    Before(Record),
    /// Each text once, and for each row which of them is its own, and its place among those that
    /// were read.
    Now { texts: T, rows: Vec<(usize, u64)> },
}

/// What is written.
pub struct Computed {
    pub record: Record,
    /// Texts that were computed; 0 if an earlier run has done it.
    pub texts: usize,
    pub is_new: bool,
}

impl<R> Step<R> {
    /// The same step with other results.
    pub fn map<S>(
        self,
        results: impl FnOnce(R, &Place) -> Result<S, Error>,
    ) -> Result<Step<S>, Error> {
        Ok(match self {
            Self::Begin(begin) => Step::Begin(begin),
            Self::End => Step::End,
            Self::Rows(Rows { batch, read, is_last, place, results: before }) => {
                let results = results(before, &place)?;
                Step::Rows(Rows { batch, read, is_last, place, results })
            }
        })
    }
}

/// Texts of a column, with empty ones for those that aren't there.
pub fn or_empty(texts: Texts) -> Texts {
    texts.into_iter().map(|text| text.or_else(|| Some(String::new()))).collect()
}
