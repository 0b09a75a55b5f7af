//! One run, whatever it computes.

use super::error::TablesError;
use super::input::Input;
use super::pipeline;
use super::progress::Told;
use super::read::Reading;
use super::step::Work;
use super::target::Target;
use super::write::Writing;
use crate::args::SourceArgs;
use crate::error::Error;
use crate::output::Output;
use crate::say;
use arrow_array::ArrayRef;
use arrow_schema::{Field, Schema, SchemaRef};
use qwen3_engine::CancelToken;
use qwen3_tables::{Folder, Job, TableError};
use serde_json::{Value, json};
use std::sync::Arc;

/// A run that is ready to begin.
pub struct Run<'a> {
    pub input: &'a Input,
    pub target: &'a Target,
    /// All that results depend on beside the input, by names for messages.
    pub settings: Vec<(&'static str, String)>,
    /// What the output says of itself.
    pub facts: Value,
    /// The columns of results.
    pub fields: Vec<Field>,
}

impl Run<'_> {
    /// Opens the output, where an earlier run has left it; `None`: it is complete.
    pub fn open(&self, source: &SourceArgs) -> Result<Option<Folder>, Error> {
        let Input { kept, on_null, .. } = self.input;
        let own = [
            ("columns", kept.join(", ")),
            ("format", self.target.format.ending().to_owned()),
            ("on-null", on_null.name().to_owned()),
        ];
        let settings = self.settings.iter().cloned().chain(own);
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).collect();
        let job = Job { settings, inputs: self.input.sources()? };
        let Some(finished) = &self.target.finished else {
            return self.target.open(&job, self.input).map(Some);
        };
        finished.check(&job, self.target.path())?;
        let told = Told::new(None, source.quiet);
        told.resumed(finished.rows);
        self.end(&told, source)?;
        Ok(None)
    }

    /// Says what was done.
    fn end(&self, told: &Told, source: &SourceArgs) -> Result<(), Error> {
        let mut summary = told.summary();
        if told.is_all_resumed() && !source.quiet {
            let path = self.target.path().display();
            say(&format!("`{path}` is complete already; nothing was left to do"));
        }
        summary["output"] = json!(self.target.path());
        for fact in ["model", "device", "dtype"] {
            summary[fact] = self.facts[fact].clone();
        }
        Output::stdout_stream().print(&format!("{summary}\n"))
    }

    /// Computes what isn't there, and prints what was done as a line of JSON.
    pub fn run<'c, W: Work>(
        self,
        (folder, source, cancel): (&Folder, &SourceArgs, &CancelToken),
        work: &W,
        columns: impl FnMut(&[f32]) -> Result<Vec<ArrayRef>, Error> + Send + 'c,
    ) -> Result<(), Error> {
        let schema = self.schema()?;
        let told = Told::new(self.input.rows(), source.quiet);
        let reading = Reading { input: self.input, folder, work, told: &told };
        let writing = Writing {
            format: self.target.part_format(),
            schema: Arc::clone(&schema),
            columns: Box::new(columns),
            told: &told,
        };
        let done = pipeline::run(&reading, writing, cancel);
        told.clear();
        done.map_err(|error| interrupted(error, &told, folder))?;
        self.target.finish(folder, &schema, (&self.facts, told.finished()))?;
        self.end(&told, source)
    }

    /// Of the output.
    fn schema(&self) -> Result<SchemaRef, Error> {
        let mut fields: Vec<Arc<Field>> = vec![];
        for name in &self.input.kept {
            fields.push(Arc::new(
                self.input.schema.field_with_name(name).expect("it was found").clone(),
            ));
        }
        fields.extend(self.fields.iter().cloned().map(Arc::new));
        for (at, field) in fields.iter().enumerate() {
            if fields[..at].iter().any(|before| before.name() == field.name()) {
                return Err(TableError::TwoColumns { column: field.name().clone() }.into());
            }
        }
        let mut metadata = self.input.schema.metadata().clone();
        metadata.insert("qwen3", self.facts.to_string());
        Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
    }

    /// Finds out before anything is computed whether the output can have these columns.
    pub fn check(&self) -> Result<(), Error> {
        self.schema().map(drop)
    }
}

/// The error of a run, with what can be done now.
fn interrupted(error: Error, told: &Told, folder: &Folder) -> Error {
    let rows = told.finished();
    let at = folder.path().display();
    match error {
        Error::Cancelled { .. } => Error::Cancelled {
            message: format!(
                "stopped; {rows} rows are in `{at}`, and the same command goes on from there"
            ),
        },
        Error::Tables(TablesError::Table(source)) if source.is_full_disk() => {
            TablesError::FullDisk { rows, source }.into()
        }
        error => error,
    }
}
