//! Results to standard output or a file, row by row.

use crate::args::{EmbedFormat, OutputArgs};
use crate::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where bytes go.
pub struct Output {
    writer: BufWriter<Box<dyn Write>>,
    path: Option<PathBuf>,
}

impl Output {
    /// Opens `--output`, or standard output. A file that can't be written is
    /// found out here, before anything is computed; an existing one keeps its
    /// content, and a new one goes again, unless [`Target::begin`] is called.
    pub fn open(args: &OutputArgs, input: Option<&Path>) -> Result<Target, Error> {
        let Some(path) = &args.output else { return Ok(Target { file: None, new: None }) };
        let is_new = !path.exists();
        let same = |input: &Path| input.canonicalize().ok() == path.canonicalize().ok();
        if !is_new && input.is_some_and(same) {
            return Err(Error::SameFile { path: path.clone() });
        }
        let file = File::options().create(true).write(true).truncate(false).open(path);
        let file = file.map_err(|source| Error::Write { path: path.clone(), source })?;
        Ok(Target { file: Some((file, path.clone())), new: is_new.then(|| path.clone()) })
    }

    /// Writes all of `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let result = self.writer.write_all(bytes);
        result.map_err(|error| failed(self.path.as_deref(), error))
    }

    /// Makes sure that everything has arrived.
    pub fn finish(mut self) -> Result<(), Error> {
        let result = self.writer.flush();
        result.map_err(|error| failed(self.path.as_deref(), error))
    }
}

/// An opened output that nothing has been written to.
pub struct Target {
    file: Option<(File, PathBuf)>,
    /// The file, if it was made by opening it.
    new: Option<PathBuf>,
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(path) = &self.new {
            // An empty file that stays is no harm.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Target {
    /// Whether results go to a terminal.
    pub fn is_terminal(&self) -> bool {
        self.file.is_none() && io::stdout().is_terminal()
    }

    /// Empties the file and begins to write.
    pub fn begin(mut self) -> Result<Output, Error> {
        self.new = None;
        let Some((file, path)) = self.file.take() else {
            return Ok(Output {
                writer: BufWriter::new(Box::new(io::stdout().lock())),
                path: None,
            });
        };
        // A pipe or device has no length to set.
        if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            file.set_len(0).map_err(|error| failed(Some(&path), error))?;
        }
        Ok(Output { writer: BufWriter::new(Box::new(file)), path: Some(path) })
    }

    /// The whole of a small result.
    pub fn print(self, text: &str) -> Result<(), Error> {
        let mut output = self.begin()?;
        output.write(text.as_bytes())?;
        output.finish()
    }
}

fn failed(path: Option<&Path>, error: io::Error) -> Error {
    match path {
        _ if error.kind() == io::ErrorKind::BrokenPipe => Error::BrokenPipe,
        Some(path) => Error::Write { path: path.to_owned(), source: error },
        None => Error::Stdout(error),
    }
}

/// The format by the ending of the file's name, or for the target.
pub fn embed_format(
    asked: Option<EmbedFormat>,
    args: &OutputArgs,
    target: &Target,
) -> Result<EmbedFormat, Error> {
    let ending = args.output.as_ref().and_then(|path| path.extension()?.to_str());
    let format = asked.unwrap_or(match ending {
        Some("npy") => EmbedFormat::Npy,
        Some("json") => EmbedFormat::Json,
        Some("f32" | "bin") => EmbedFormat::F32,
        _ if target.is_terminal() => EmbedFormat::Table,
        _ => EmbedFormat::Jsonl,
    });
    match format {
        EmbedFormat::Npy if target.is_terminal() => Err(Error::BinaryToTerminal { format: "npy" }),
        EmbedFormat::F32 if target.is_terminal() => Err(Error::BinaryToTerminal { format: "f32" }),
        _ => Ok(format),
    }
}

/// A NumPy file of float32 rows, whose number is known only at the end: rows
/// go to a temporary file first, and nothing is held in memory.
pub struct Npy {
    rows: BufWriter<File>,
    n_rows: usize,
    columns: usize,
}

impl Npy {
    pub fn new() -> Result<Self, Error> {
        let rows = tempfile::tempfile().map_err(spool_failed)?;
        Ok(Self { rows: BufWriter::new(rows), n_rows: 0, columns: 0 })
    }

    pub fn push(&mut self, row: &[f32]) -> Result<(), Error> {
        (self.n_rows, self.columns) = (self.n_rows + 1, row.len());
        self.rows.write_all(&little_endian(row)).map_err(spool_failed)
    }

    /// Header and rows.
    pub fn finish(self, output: &mut Output) -> Result<(), Error> {
        output.write(&npy_header(self.n_rows, self.columns))?;
        let mut rows = self.rows.into_inner().map_err(|error| spool_failed(error.into_error()))?;
        rows.seek(SeekFrom::Start(0)).map_err(spool_failed)?;
        let copied = io::copy(&mut rows, &mut output.writer);
        copied.map_err(|error| failed(output.path.as_deref(), error))?;
        Ok(())
    }
}

fn spool_failed(source: io::Error) -> Error {
    Error::Write { path: std::env::temp_dir(), source }
}

/// Format version 1.0: magic number, header length, a Python dictionary padded
/// so that the data begins at a multiple of 64 (numpy.lib.format).
fn npy_header(rows: usize, columns: usize) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let fields =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let unpadded = MAGIC.len() + size_of::<u16>() + fields.len() + 1;
    let padding = unpadded.next_multiple_of(64) - unpadded;
    let length = (fields.len() + padding + 1) as u16;
    let mut header = MAGIC.to_vec();
    header.extend(length.to_le_bytes());
    header.extend(fields.bytes());
    header.extend(std::iter::repeat_n(b' ', padding));
    header.push(b'\n');
    header
}

/// Float32 as bytes.
pub fn little_endian(row: &[f32]) -> Vec<u8> {
    row.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_npy_header_is_aligned_and_says_its_length() {
        for (rows, columns) in [(0, 0), (3, 1024), (123_456_789, 4096)] {
            let header = npy_header(rows, columns);
            assert!(header.len().is_multiple_of(64));
            let length = u16::from_le_bytes([header[8], header[9]]) as usize;
            assert_eq!(length + 10, header.len());
            let shape = format!("'shape': ({rows}, {columns}), }}");
            assert!(String::from_utf8_lossy(&header[10..]).contains(&shape));
            assert_eq!(header.last(), Some(&b'\n'));
        }
    }
}
