//! Reads rows, and says what is left to compute for them.

use super::error::TablesError;
use super::input::Input;
use super::progress::Told;
use super::step::{Begin, Place, Rows, Step, Todo, Work};
use crate::args::OnNull;
use crate::error::Error;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use qwen3_tables::{Batches, Folder, PART_ROWS, Replay, TableError, Unit};
use std::collections::HashMap;
use std::iter::Peekable;
use std::ops::ControlFlow;

/// One run's reading.
pub struct Reading<'a, W> {
    pub input: &'a Input,
    pub folder: &'a Folder,
    pub work: &'a W,
    pub told: &'a Told,
}

type Read<T> = Step<Todo<Vec<T>>>;
/// Rows, and the text of each with its place among those that were read.
type WithTexts<T> = (RecordBatch, Vec<(u64, T)>);
/// Ends the reading, as nobody wants its steps any more, or after an error.
type Flow = Result<ControlFlow<()>, Error>;

impl<W: Work> Reading<'_, W> {
    /// Sends every step of this run's share.
    pub fn run(&self, send: &mut dyn FnMut(Read<W::Text>) -> ControlFlow<()>) -> Result<(), Error> {
        for unit in &self.input.units {
            if self.unit(unit, send)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn unit(&self, unit: &Unit, send: &mut dyn FnMut(Read<W::Text>) -> ControlFlow<()>) -> Flow {
        let table = &self.input.tables[unit.file];
        if let Some(rows) = &unit.rows
            && self.folder.part(unit.file, unit.part).is_done()
        {
            self.told.resumed(rows.end - rows.start);
            return Ok(ControlFlow::Continue(()));
        }
        let file = table.path().display().to_string();
        let row = 1 + unit.rows.as_ref().map_or(0, |rows| rows.start);
        let mut place = Place { file, row };
        let mut batches = table.batches(unit.rows.clone(), &self.input.schema)?.peekable();
        let mut number = unit.part;
        // One at least: without rows it tells the columns.
        loop {
            if self.part((unit.file, number), &mut place, &mut batches, send)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            number += 1;
            if batches.peek().is_none() {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    /// The rows of one part.
    fn part(
        &self,
        (file, number): (usize, u64),
        place: &mut Place,
        batches: &mut Peekable<Batches>,
        send: &mut dyn FnMut(Read<W::Text>) -> ControlFlow<()>,
    ) -> Flow {
        let part = self.folder.part(file, number);
        let is_done = part.is_done();
        let mut replay = None;
        if !is_done {
            let (journal, records) = part.journal()?;
            replay = Some(records);
            if send(Step::Begin(Box::new(Begin { part, journal }))).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let mut rows = 0;
        while rows < PART_ROWS
            && let Some(batch) = batches.next()
        {
            let batch = batch?;
            let read = batch.num_rows() as u64;
            match &mut replay {
                None => self.told.resumed(read),
                Some(replay) => {
                    if self.rows(batch, place, replay, send)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
            (rows, place.row) = (rows + read, place.row + read);
        }
        Ok(if is_done { ControlFlow::Continue(()) } else { send(Step::End) })
    }

    /// The rows of a batch: first those that an earlier run has computed, then the rest.
    fn rows(
        &self,
        mut batch: RecordBatch,
        place: &Place,
        replay: &mut Replay,
        send: &mut dyn FnMut(Read<W::Text>) -> ControlFlow<()>,
    ) -> Flow {
        let mut place = place.clone();
        while batch.num_rows() > 0 {
            let left = batch.num_rows() as u64;
            let record = replay.next().transpose()?;
            let read = record.as_ref().map_or(left, |record| record.rows);
            if !(1..=left).contains(&read) {
                // Its file was there, so it must be of rows that have changed since.
                return Err(self.changed(&place).into());
            }
            let rest = batch.slice(read as usize, (left - read) as usize);
            let (batch_of_step, texts) = self.with_texts(&batch.slice(0, read as usize), &place)?;
            let results = match record {
                Some(record) => Todo::Before(record),
                None => once_each(texts),
            };
            let is_last = rest.num_rows() == 0;
            let rows = Rows { batch: batch_of_step, read, is_last, place: place.clone(), results };
            if send(Step::Rows(rows)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            (batch, place.row) = (rest, place.row + read);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The rows that have a text, and their texts with their places.
    fn with_texts(&self, batch: &RecordBatch, place: &Place) -> Result<WithTexts<W::Text>, Error> {
        let texts = self.work.texts(batch)?;
        let has_text: BooleanArray = texts.iter().map(|text| Some(text.is_some())).collect();
        let skipped = has_text.false_count() as u64;
        if skipped > 0 && self.input.on_null == OnNull::Error {
            let first = texts.iter().position(Option::is_none).unwrap_or_default() as u64;
            let (file, row) = (place.file.clone(), place.row + first);
            return Err(TablesError::NullText { file, row }.into());
        }
        self.told.skipped(skipped);
        let kept = match skipped {
            0 => batch.clone(),
            _ => filter_record_batch(batch, &has_text).expect("a value for each row"),
        };
        let texts = (0..).zip(texts).filter_map(|(at, text)| Some((at, text?)));
        Ok((kept, texts.collect()))
    }

    fn changed(&self, place: &Place) -> TableError {
        let path = self.folder.path().to_owned();
        TableError::OtherInput { path, input: place.file.clone().into() }
    }
}

/// Each text once, and for each row the index of its own.
fn once_each<T: Clone + Eq + std::hash::Hash>(texts: Vec<(u64, T)>) -> Todo<Vec<T>> {
    let mut known: HashMap<T, usize> = HashMap::new();
    let mut different = vec![];
    let row = |(at, text): (u64, T)| {
        let next = known.len();
        let index = *known.entry(text).or_insert_with_key(|text| {
            different.push(text.clone());
            next
        });
        (index, at)
    };
    let rows = texts.into_iter().map(row).collect();
    Todo::Now { texts: different, rows }
}
