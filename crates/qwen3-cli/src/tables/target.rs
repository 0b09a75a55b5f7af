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

    /// Refuses to write over what is read.
    pub fn check(&self, files: &[InputFile]) -> Result<(), Error> {
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
        Ok(Folder::remove(folder.path())?)
    }

    /// As it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
