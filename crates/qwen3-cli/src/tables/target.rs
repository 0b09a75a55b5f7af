//! Where results go: a folder of parts, or a file that is made of them at the end.

use super::error::TablesError;
use super::input::Input;
use crate::args::OutputArgs;
use crate::error::Error;
use arrow_schema::{Schema, SchemaRef};
use qwen3_engine::NewFile;
use qwen3_tables::{
    Finished, Folder, InputFile, Job, OutputFormat, Table, TableError, TableFormat, TableWriter,
};
use serde_json::Value;
use std::path::{Path, PathBuf, is_separator};
use std::sync::Arc;

/// What the user asked for.
pub struct Target {
    path: PathBuf,
    pub format: OutputFormat,
    is_file: bool,
    /// What the file says of the run that has finished it.
    pub finished: Option<Finished>,
}

impl Target {
    /// By the flags; `asked` is the format that one names, if tables are written so.
    pub fn new(output: &OutputArgs, asked: Option<Option<OutputFormat>>) -> Result<Self, Error> {
        let path = output.output.clone().ok_or(TablesError::NoOutput)?;
        let by_ending = OutputFormat::of(&path);
        let format = asked.map(|format| format.ok_or(TablesError::Format)).transpose()?;
        let names_folder = path.to_string_lossy().ends_with(is_separator) || path.is_dir();
        let is_file = !names_folder && (path.is_file() || path.extension().is_some());
        if is_file && format.is_none() && by_ending.is_none() {
            return Err(TablesError::Ending { path }.into());
        }
        let format = format.or(by_ending.filter(|_| is_file)).unwrap_or(OutputFormat::Parquet);
        Ok(Self { path, format, is_file, finished: None })
    }

    /// Refuses to write over what is read, or to where it would be read, and what would undo the
    /// work of other machines.
    pub fn check(&mut self, paths: &[PathBuf], input: &Input) -> Result<(), Error> {
        if input.shard.is_one_of_several() && (self.is_file || input.force) {
            let error =
                if self.is_file { TablesError::ShardOfFile } else { TablesError::ForceShard };
            return Err(error.into());
        }
        if self.format == OutputFormat::Npy && !input.kept.is_empty() {
            return Err(TableError::OnlyVectors.into());
        }
        let full = |path: &Path| std::path::absolute(path).and_then(|path| real(&path));
        let (output, folders) = (full(&self.path).ok(), paths.iter().filter(|path| path.is_dir()));
        for folder in folders {
            let inside = full(folder).ok().zip(output.as_ref());
            if inside.is_some_and(|(folder, output)| output.starts_with(folder)) {
                let (output, input) = (self.path.clone(), folder.clone());
                return Err(TablesError::Inside { output, input }.into());
            }
        }
        self.check_files(&input.files)?;
        self.finished = self.find_finished(input)?;
        Ok(())
    }

    /// What the run that has finished the file says of itself; `None`: there is no such file, or
    /// it is to be replaced.
    ///
    /// # Errors
    /// If the file is of somebody else.
    fn find_finished(&self, input: &Input) -> Result<Option<Finished>, Error> {
        let is_there = self.is_file && self.path.metadata().is_ok_and(|file| file.len() > 0);
        // Whoever has begun to replace it was allowed to.
        if !is_there || input.force || Folder::is_begun(&self.folder())? {
            return Ok(None);
        }
        let finished = Finished::of(&self.path, self.format);
        Ok(Some(finished.ok_or_else(|| TablesError::Exists { path: self.path.clone() })?))
    }

    fn check_files(&self, files: &[InputFile]) -> Result<(), Error> {
        let is_same =
            |file: &InputFile| same_file::is_same_file(&file.path, &self.path).unwrap_or(false);
        match files.iter().any(is_same) {
            true => Err(Error::SameFile { path: self.path.clone() }),
            false => Ok(()),
        }
    }

    /// The format of parts: those that a file is made of are read again.
    pub fn part_format(&self) -> OutputFormat {
        if self.is_file { OutputFormat::Arrow } else { self.format }
    }

    /// Where parts are.
    fn folder(&self) -> PathBuf {
        if !self.is_file {
            return self.path.clone();
        }
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".parts");
        self.path.with_file_name(name)
    }

    /// Opens the folder of a job, where its earlier run has left it.
    pub fn open(&self, job: &Job, input: &Input) -> Result<Folder, Error> {
        let path = self.folder();
        if input.force {
            Folder::remove(&path)?;
        }
        let name = input.shard.to_string();
        Ok(Folder::open(&path, (job, &input.files), &name, self.part_format().ending())?)
    }

    /// Makes a file of the parts, if that was asked for. `schema` is that of each, `facts` what
    /// its results are, and so many rows were read for it.
    pub fn finish(
        &self,
        folder: &Folder,
        schema: &Schema,
        (facts, rows): (&Value, u64),
    ) -> Result<(), Error> {
        if !self.is_file {
            return Ok(());
        }
        let finished = Finished::new(folder.job(), rows);
        let mut schema = schema.clone();
        finished.put_into(&mut schema.metadata);
        self.write(folder, &Arc::new(schema))?;
        if matches!(self.format, OutputFormat::JsonLines | OutputFormat::Npy) {
            finished.put_beside(&self.path, facts)?;
        }
        Ok(Folder::remove(folder.path())?)
    }

    fn write(&self, folder: &Folder, schema: &SchemaRef) -> Result<(), Error> {
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let file = NewFile::create(&self.path).map_err(failed)?;
        let mut writer = TableWriter::new(file, &self.path, self.format, schema)?;
        for path in folder.parts()? {
            let part = Table::open(&InputFile { path, format: TableFormat::Arrow })?;
            for batch in part.batches(None, schema)? {
                writer.write(&batch?)?;
            }
        }
        writer.finish()?.replace().map_err(failed)?;
        // What queries are put into bytes with.
        if let Some(ranges) = folder.ranges_file() {
            let mut name = self.path.file_name().unwrap_or_default().to_owned();
            name.push(".ranges.npy");
            let beside = self.path.with_file_name(name);
            let copied = std::fs::copy(ranges, &beside);
            copied.map_err(|source| Error::Write { path: beside, source })?;
        }
        Ok(())
    }

    /// As it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The path without links, of which the end needn't be there.
fn real(path: &Path) -> std::io::Result<PathBuf> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), _, _) => Ok(real),
        (Err(_), Some(parent), Some(name)) => Ok(real(parent)?.join(name)),
        (Err(error), _, _) => Err(error),
    }
}
