//! Vectors in the formats of `qwen3 embed`.

use crate::args::{EmbedFormat, OutputArgs};
use crate::error::Error;
use crate::npy::Npy;
use crate::output::{Output, little_endian};
use crate::table::{shorten, table};
use crate::tables::TablesError;
use qwen3_engine::Embedding;
use serde::Serialize;

/// Numbers of a vector that a table shows.
const SHOWN: usize = 4;

/// Writes vectors. Until the first chunk comes, even an empty one, the output stays as it was.
pub struct VectorWriter {
    output: Output,
    format: EmbedFormat,
    begun: Option<Form>,
    written: usize,
}

/// A format in which something has been written.
enum Form {
    Lines,
    Array,
    Raw,
    Npy(Npy),
    /// Rows of cells, which become a table once all of them are there.
    Table(Vec<Vec<String>>),
}

/// A vector with its place in the input.
struct Entry<'a> {
    index: usize,
    text: &'a str,
    embedding: &'a Embedding,
}

impl VectorWriter {
    /// In the format asked for, else in that of the file's ending, else in the one for a
    /// terminal or a pipe.
    ///
    /// # Errors
    /// If binary data would go to a terminal.
    pub fn new(
        output: Output,
        args: &OutputArgs,
        asked: Option<EmbedFormat>,
    ) -> Result<Self, Error> {
        let ending = args.output.as_ref().and_then(|path| path.extension()?.to_str());
        let format = asked.unwrap_or(match ending {
            Some("npy") => EmbedFormat::Npy,
            Some("json") => EmbedFormat::Json,
            Some("f32" | "bin") => EmbedFormat::F32,
            _ if output.is_terminal() => EmbedFormat::Table,
            _ => EmbedFormat::Jsonl,
        });
        let binary = match format {
            EmbedFormat::Npy => Some("npy"),
            EmbedFormat::F32 => Some("f32"),
            _ => None,
        };
        match binary.filter(|_| output.is_terminal()) {
            Some(format) => Err(Error::BinaryToTerminal { format }),
            None => Ok(Self { output, format, begun: None, written: 0 }),
        }
    }

    /// Writes the vectors of these texts.
    pub fn write(&mut self, texts: &[String], embeddings: &[Embedding]) -> Result<(), Error> {
        let form = match &mut self.begun {
            Some(form) => form,
            none => none.insert(Form::begin(self.format, &mut self.output)?),
        };
        for (text, embedding) in texts.iter().zip(embeddings) {
            form.push(&mut self.output, &Entry { index: self.written, text, embedding })?;
            self.written += 1;
        }
        Ok(())
    }

    /// Writes what belongs at the end, and says whether there was a beginning.
    pub fn finish(mut self) -> Result<bool, Error> {
        let Some(form) = self.begun else { return Ok(false) };
        form.end(&mut self.output)?;
        self.output.finish()?;
        Ok(true)
    }
}

impl Form {
    fn begin(format: EmbedFormat, output: &mut Output) -> Result<Self, Error> {
        Ok(match format {
            EmbedFormat::Jsonl => Self::Lines,
            EmbedFormat::Json => {
                output.write(b"[")?;
                Self::Array
            }
            EmbedFormat::F32 => Self::Raw,
            EmbedFormat::Parquet | EmbedFormat::Arrow => return Err(TablesError::NoInput.into()),
            EmbedFormat::Npy => Self::Npy(Npy::new(output)?),
            EmbedFormat::Table => {
                let heading = ["index", "tokens", "vector", "text"];
                Self::Table(vec![heading.map(str::to_owned).to_vec()])
            }
        })
    }

    fn push(&mut self, output: &mut Output, entry: &Entry) -> Result<(), Error> {
        match self {
            Self::Lines => output.write(format!("{}\n", entry.json()).as_bytes()),
            Self::Array => {
                let separator = if entry.index == 0 { "\n" } else { ",\n" };
                output.write(format!("{separator}{}", entry.json()).as_bytes())
            }
            Self::Raw => output.write(&little_endian(&entry.embedding.vector)),
            Self::Npy(npy) => npy.push(output, &entry.embedding.vector),
            Self::Table(rows) => {
                rows.push(entry.cells());
                Ok(())
            }
        }
    }

    fn end(self, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::Lines | Self::Raw => Ok(()),
            Self::Array => output.write(b"\n]\n"),
            Self::Npy(npy) => npy.finish(output),
            Self::Table(rows) => output.write(table(&rows).as_bytes()),
        }
    }
}

impl Entry<'_> {
    fn json(&self) -> String {
        #[derive(Serialize)]
        struct Record<'a> {
            index: usize,
            tokens: usize,
            truncated: bool,
            embedding: &'a [f32],
        }
        let Embedding { vector, tokens, truncated, .. } = self.embedding;
        let (index, tokens, truncated) = (self.index, *tokens, *truncated);
        let record = Record { index, tokens, truncated, embedding: vector };
        serde_json::to_string(&record).expect("numbers and arrays are always JSON")
    }

    fn cells(&self) -> Vec<String> {
        let Embedding { vector, tokens, truncated, .. } = self.embedding;
        let shown: Vec<String> = vector.iter().take(SHOWN).map(|x| format!("{x:+.4}")).collect();
        let rest = if vector.len() > SHOWN { ", …" } else { "" };
        let cut = if *truncated { " (cut)" } else { "" };
        vec![
            self.index.to_string(),
            tokens.to_string(),
            format!("[{}{rest}] {}-d", shown.join(", "), vector.len()),
            format!("{}{cut}", shorten(self.text)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use qwen3_engine::{DeviceId, Embedder, EncodeOptions, Options};
    use std::io;

    /// A disk that fails at one of the writes.
    struct Failing {
        writes_left: usize,
    }

    impl io::Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes_left = self.writes_left.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len().min(1_000))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn embedding() -> Embedding {
        let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tiny-embedding");
        let model = Embedder::load(model, &Options::default().device(DeviceId::Cpu)).unwrap();
        model.encode_one("text", &EncodeOptions::default()).unwrap()
    }

    fn write(
        writes_left: usize,
        format: EmbedFormat,
        embedding: &Embedding,
    ) -> Result<bool, Error> {
        let output = Output::of_stream(Failing { writes_left });
        let mut writer = VectorWriter::new(output, &OutputArgs { output: None }, Some(format))?;
        for _ in 0..200 {
            writer.write(&["text".to_owned()], std::slice::from_ref(embedding))?;
        }
        writer.finish()
    }

    #[test]
    fn a_write_that_fails_is_an_error_whichever_it_is() {
        let embedding = embedding();
        let of_tables = [EmbedFormat::Parquet, EmbedFormat::Arrow];
        let formats = EmbedFormat::value_variants().iter();
        for format in formats.filter(|format| !of_tables.contains(format)) {
            let fails = |writes_left| match write(writes_left, *format, &embedding) {
                Ok(_) => false,
                Err(Error::Stdout(error)) => error.kind() == io::ErrorKind::StorageFull,
                Err(other) => panic!("{format:?}: {other}"),
            };
            let needed = (0..).find(|&writes_left| !fails(writes_left)).unwrap_or_default();
            assert!(needed > 10, "{format:?}: {needed}");
        }
    }
}
