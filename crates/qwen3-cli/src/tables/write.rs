//! Writes what was computed: at once into a part's journal, and with the rows into its file.

use super::progress::Told;
use super::step::{Begin, Computed, Rows, Step};
use crate::error::Error;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use qwen3_tables::{Journal, OutputFormat, Part, TableWriter};
use std::fs::File;
use std::sync::mpsc::Receiver;

/// Makes columns of numbers.
type Columns<'a> = Box<dyn FnMut(&[f32]) -> Result<Vec<ArrayRef>, Error> + Send + 'a>;

/// One run's writing.
pub struct Writing<'a> {
    pub format: OutputFormat,
    /// Of the output: kept columns, then results.
    pub schema: SchemaRef,
    /// The columns of results from their numbers.
    pub columns: Columns<'a>,
    pub told: &'a Told,
}

/// A part that has been begun.
struct Unfinished {
    part: Part,
    journal: Journal,
    writer: TableWriter<File>,
    /// Rows that wait for the rest of their batch, and their numbers.
    waiting: Vec<RecordBatch>,
    numbers: Vec<f32>,
}

impl Writing<'_> {
    /// Writes all steps.
    pub fn run(mut self, steps: Receiver<Step<Computed>>) -> Result<(), Error> {
        let mut open: Option<Unfinished> = None;
        for step in steps {
            match (step, open.take()) {
                (Step::Begin(begin), _) => open = Some(self.begin(*begin)?),
                (Step::Rows(rows), Some(mut unfinished)) => {
                    self.rows(rows, &mut unfinished)?;
                    open = Some(unfinished);
                }
                (Step::End, Some(unfinished)) => unfinished.finish()?,
                (Step::Rows(_) | Step::End, None) => {
                    unreachable!("a part is begun before its rows")
                }
            }
        }
        Ok(())
    }

    fn begin(&self, Begin { part, journal }: Begin) -> Result<Unfinished, Error> {
        let file = part.create()?;
        let writer = TableWriter::new(file, part.path(), self.format, &self.schema)?;
        Ok(Unfinished { part, journal, writer, waiting: vec![], numbers: vec![] })
    }

    fn rows(&mut self, rows: Rows<Computed>, to: &mut Unfinished) -> Result<(), Error> {
        let Computed { record, texts, is_new } = rows.results;
        if is_new {
            to.journal.append(&record)?;
        }
        let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        to.numbers.extend(record.results.chunks_exact(4).map(number));
        to.waiting.push(rows.batch.clone());
        if rows.is_last {
            self.batch(to)?;
        }
        let kept = rows.batch.num_rows();
        match is_new {
            true => self.told.computed(rows.read, kept, texts, record.tokens),
            false => self.told.resumed(rows.read),
        }
        Ok(())
    }

    /// Writes a whole batch: what is learned of the first rows is that of all of it.
    fn batch(&mut self, to: &mut Unfinished) -> Result<(), Error> {
        let results = (self.columns)(&std::mem::take(&mut to.numbers))?;
        let waiting = std::mem::take(&mut to.waiting);
        let rows = concat_batches(waiting[0].schema_ref(), &waiting).expect("they have one schema");
        let kept = self.schema.fields().len() - results.len();
        // Not by every name: a column that isn't kept may be called as results are.
        let kept = self.schema.fields().iter().take(kept);
        let kept = kept.filter_map(|field| rows.column_by_name(field.name()).cloned());
        let batch =
            RecordBatch::try_new(SchemaRef::clone(&self.schema), kept.chain(results).collect());
        Ok(to.writer.write(&batch.expect("the schema is that of these columns"))?)
    }
}

impl Unfinished {
    fn finish(self) -> Result<(), Error> {
        let file = self.writer.finish()?;
        Ok(self.part.finish(file, self.journal)?)
    }
}
