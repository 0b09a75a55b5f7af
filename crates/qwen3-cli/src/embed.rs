//! `qwen3 embed`

use crate::ahead::tokenize_ahead;
use crate::args::{EmbedArgs, EmbedFormat, PromptArgs, VectorArgs};
use crate::error::Error;
use crate::input::Texts;
use crate::output::{Npy, Output, embed_format, little_endian};
use crate::run::{dtype_name, hooks, load, note_fallbacks, note_tokens};
use crate::stats::Stats;
use crate::table::{shorten, table};
use qwen3_engine::{Embedder, Embedding, EncodeOptions, Hooks, Prompt};
use serde::Serialize;

pub const DEFAULT_MODEL: &str = "Qwen/Qwen3-Embedding-0.6B";
/// Numbers of a vector that a table shows.
const SHOWN: usize = 4;

pub fn embed(args: &EmbedArgs) -> Result<(), Error> {
    let hooks = hooks(&args.model.source)?;
    let mut texts = Texts::new(&args.texts, &args.input, &hooks.cancel)?;
    let target = Output::open(&args.output, args.input.input.as_deref())?;
    let format = embed_format(args.format, &args.output, &target)?;
    // Before the model, so that a broken file doesn't cost a minute first.
    let first = texts.chunk()?;
    let (model, load_time) = load(&args.model, DEFAULT_MODEL, &hooks, Embedder::load)?;
    note_fallbacks(&args.model, model.device(), model.fallbacks());
    note_tokens(&args.model, model.tokens_without_row());

    let options = encode_options(&args.prompt, &args.vectors, hooks);
    let mut stats = Stats::start(load_time);
    // The output is begun once there is something to write.
    let (mut target, mut rows) = (Some(target), None);
    let tokenize = |texts: &[String]| Ok(model.tokenize(texts, &options)?);
    let stopped = tokenize_ahead(first, texts, &options.hooks.cancel, tokenize, |texts, tokens| {
        let embeddings = model.encode_tokenized(&tokens, &options)?;
        if let Some(target) = target.take() {
            rows = Some(Rows::new(target.begin()?, format)?);
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
        let npy = (format == EmbedFormat::Npy).then(Npy::new).transpose()?;
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
                Some(npy) => npy.push(&embedding.vector),
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
