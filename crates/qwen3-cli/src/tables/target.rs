//! Where results go: a folder of parts, or a file that is made of them at the end.

use super::error::TablesError;
use super::input::Input;
use crate::args::{EmbedFormat, OutputArgs};
use crate::error::Error;
use arrow_schema::SchemaRef;
use qwen3_engine::NewFile;
use qwen3_tables::{Folder, InputFile, Job, OutputFormat, Table, TableFormat, TableWriter};
use std::path::{Path, PathBuf};

/// What the user asked for.
pub struct Target {
    path: PathBuf,
    pub format: OutputFormat,
    is_file: bool,
}

impl Target {
    /// By the flags; `asked` names a format.
    pub fn new(output: &OutputArgs, asked: Option<EmbedFormat>) -> Result<Self, Error> {
        let path = output.output.clone().ok_or(TablesError::NoOutput)?;
        let by_ending = OutputFormat::of(&path);
        let format = match asked {
            None => None,
            Some(EmbedFormat::Parquet) => Some(OutputFormat::Parquet),
            Some(EmbedFormat::Arrow) => Some(OutputFormat::Arrow),
            Some(EmbedFormat::Jsonl) => Some(OutputFormat::JsonLines),
            Some(EmbedFormat::Npy) => Some(OutputFormat::Npy),
            Some(EmbedFormat::Table | EmbedFormat::Json | EmbedFormat::F32) => {
                return Err(TablesError::Format.into());
            }
        };
        let is_file = !path.is_dir() && (path.is_file() || path.extension().is_some());
        if is_file && format.is_none() && by_ending.is_none() {
            return Err(TablesError::Ending { path }.into());
        }
        let format = format.or(by_ending.filter(|_| is_file)).unwrap_or(OutputFormat::Parquet);
        Ok(Self { path, format, is_file })
    }

    /// Refuses to write over what is read, or to where it would be read, and what would undo the
    /// work of other machines.
    pub fn check(&self, paths: &[PathBuf], input: &Input) -> Result<(), Error> {
        if input.shard.is_one_of_several() && (self.is_file || input.overwrite) {
            let error =
                if self.is_file { TablesError::ShardOfFile } else { TablesError::OverwriteShard };
            return Err(error.into());
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
        self.check_files(&input.files)
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
        if input.overwrite {
            Folder::remove(&path)?;
        }
        let name = input.shard.to_string();
        Ok(Folder::open(&path, (job, &input.files), &name, self.part_format().ending())?)
    }

    /// Makes a file of the parts, if that was asked for. `schema` is that of each.
    pub fn finish(&self, folder: &Folder, schema: &SchemaRef) -> Result<(), Error> {
        if !self.is_file {
            return Ok(());
        }
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
        Ok(Folder::remove(folder.path())?)
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
