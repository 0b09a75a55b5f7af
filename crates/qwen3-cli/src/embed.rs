//! `qwen3 embed`

use crate::ahead::tokenize_ahead;
use crate::args::{EmbedArgs, EmbedFormat, PromptArgs, VectorArgs};
use crate::error::Error;
use crate::input::Texts;
use crate::npy::Npy;
use crate::output::{Inputs, Output, embed_format, little_endian};
use crate::run::{dtype_name, hooks, load, note_fallbacks};
use crate::stats::Stats;
use crate::stop::Stop;
use crate::table::{shorten, table};
use qwen3_engine::{Embedder, Embedding, EncodeOptions, Hooks, Prompt};
use serde::Serialize;

pub const DEFAULT_MODEL: &str = "Qwen/Qwen3-Embedding-0.6B";
/// Numbers of a vector that a table shows.
const SHOWN: usize = 4;

pub fn embed(args: &EmbedArgs, stop: &Stop) -> Result<(), Error> {
    let hooks = hooks(&args.model.source, stop);
    let mut texts = Texts::new(&args.texts, &args.input, &hooks.cancel)?;
    let inputs =
        Inputs::of_model(args.model.source.model.as_deref()).and_texts(&args.texts, &args.input);
    let output = Output::open(&args.output, &inputs)?;
    let format = embed_format(args.format, &args.output, &output)?;
    // Before the model, so that a broken file doesn't cost a minute first.
    let first = texts.chunk()?;
    let (model, load_time) = load(&args.model, DEFAULT_MODEL, &hooks, Embedder::load)?;
    note_fallbacks(&args.model, model.device(), model.fallbacks());

    let options = encode_options(&args.prompt, &args.vectors, hooks);
    let mut stats = Stats::start(load_time);
    // The output is begun once there is something to write.
    let (mut output, mut rows) = (Some(output), None);
    let tokenize = |texts: &[String]| Ok(model.tokenize(texts, &options)?);
    let stopped = tokenize_ahead(first, texts, &options.hooks.cancel, tokenize, |texts, tokens| {
        let embeddings = model.encode_tokenized(&tokens, &options)?;
        if let Some(output) = output.take() {
            rows = Some(Rows::new(output, format)?);
        }
        for (text, embedding) in texts.iter().zip(&embeddings) {
            rows.as_mut().map_or(Ok(()), |rows| rows.push(text, embedding))?;
            stats.count(embedding.tokens);
        }
        Ok(())
    });
    let stopped = stopped.map_err(|error| told(error, stats.texts()));
    let Some(rows) = rows else { return stopped };
    // What was finished stays, whatever stopped the rest.
    rows.finish()?;
    if args.model.stats {
        stats.print(&model.device().to_string(), &dtype_name(model.dtype()));
    }
    stopped
}

/// An error after `finished` texts, told in terms of the whole input.
pub fn told(error: Error, finished: usize) -> Error {
    match error {
        Error::Cancelled { .. } => Error::Cancelled {
            message: format!("stopped; {finished} texts were finished and written"),
        },
        Error::Text { number, reason } => Error::Text { number: finished + number, reason },
        other => other,
    }
}

/// The engine's options for one call.
pub fn encode_options(prompt: &PromptArgs, vectors: &VectorArgs, hooks: Hooks) -> EncodeOptions {
    let prompt = match (&prompt.prompt_name, &prompt.instruction, &prompt.prompt) {
        (Some(name), _, _) => Prompt::Name(name.clone()),
        (_, Some(task), _) => Prompt::Instruction(task.clone()),
        (_, _, Some(text)) => Prompt::Text(text.clone()),
        (None, None, None) => Prompt::Default,
    };
    let (dimensions, normalize) = (vectors.dimensions, !vectors.no_normalize);
    EncodeOptions { prompt, dimensions, normalize, hooks }
}

/// One vector in JSON.
#[derive(Serialize)]
struct Record<'a> {
    index: usize,
    tokens: usize,
    truncated: bool,
    embedding: &'a [f32],
}

impl Record<'_> {
    fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers and arrays are always JSON")
    }
}

/// Vectors in one of the formats.
struct Rows {
    output: Output,
    format: EmbedFormat,
    npy: Option<Npy>,
    lines: Vec<Vec<String>>,
    written: usize,
}

impl Rows {
    fn new(mut output: Output, format: EmbedFormat) -> Result<Self, Error> {
        let is_npy = format == EmbedFormat::Npy;
        let npy = is_npy.then(|| Npy::new(&mut output)).transpose()?;
        if format == EmbedFormat::Json {
            output.write(b"[")?;
        }
        let heading = ["index", "tokens", "vector", "text"].map(str::to_owned).to_vec();
        Ok(Self { output, format, npy, lines: vec![heading], written: 0 })
    }

    fn push(&mut self, text: &str, embedding: &Embedding) -> Result<(), Error> {
        let index = self.written;
        self.written += 1;
        let Embedding { vector, tokens, truncated } = embedding;
        let record = Record { index, tokens: *tokens, truncated: *truncated, embedding: vector };
        match self.format {
            EmbedFormat::Jsonl => self.output.write(format!("{}\n", record.json()).as_bytes()),
            EmbedFormat::Json => {
                let separator = if index == 0 { "\n" } else { ",\n" };
                self.output.write(format!("{separator}{}", record.json()).as_bytes())
            }
            EmbedFormat::F32 => self.output.write(&little_endian(&embedding.vector)),
            EmbedFormat::Npy => match &mut self.npy {
                Some(npy) => npy.push(&mut self.output, &embedding.vector),
                None => Ok(()),
            },
            EmbedFormat::Table => {
                self.lines.push(table_row(index, text, embedding));
                Ok(())
            }
        }
    }

    fn finish(mut self) -> Result<(), Error> {
        match self.format {
            EmbedFormat::Json => self.output.write(b"\n]\n")?,
            EmbedFormat::Table => self.output.write(table(&self.lines).as_bytes())?,
            EmbedFormat::Npy => {
                if let Some(npy) = self.npy {
                    npy.finish(&mut self.output)?;
                }
            }
            EmbedFormat::Jsonl | EmbedFormat::F32 => {}
        }
        self.output.finish()
    }
}

fn table_row(index: usize, text: &str, embedding: &Embedding) -> Vec<String> {
    let shown: Vec<String> =
        embedding.vector.iter().take(SHOWN).map(|x| format!("{x:+.4}")).collect();
    let rest = if embedding.vector.len() > SHOWN { ", …" } else { "" };
    let cut = if embedding.truncated { " (cut)" } else { "" };
    let n_dimensions = embedding.vector.len();
    vec![
        index.to_string(),
        embedding.tokens.to_string(),
        format!("[{}{rest}] {n_dimensions}-d", shown.join(", ")),
        format!("{}{cut}", shorten(text)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
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

    fn write(writes_left: usize, format: EmbedFormat) -> Result<(), Error> {
        let mut rows = Rows::new(Output::of_stream(Failing { writes_left }), format)?;
        let vector = vec![0.5; 64];
        let embedding = Embedding { vector, tokens: 3, truncated: false };
        (0..200).try_for_each(|_| rows.push("text", &embedding))?;
        rows.finish()
    }

    #[test]
    fn a_write_that_fails_is_an_error_whichever_it_is() {
        for format in EmbedFormat::value_variants() {
            let fails = |writes_left| match write(writes_left, *format) {
                Ok(()) => false,
                Err(Error::Stdout(error)) => error.kind() == io::ErrorKind::StorageFull,
                Err(other) => panic!("{format:?}: {other}"),
            };
            let needed = (0..).find(|&writes_left| !fails(writes_left)).unwrap_or_default();
            assert!(needed > 10, "{format:?}: {needed}");
        }
    }
}
