//! `qwen3 embed`

use crate::ahead::tokenize_ahead;
use crate::args::{EmbedArgs, encode_options};
use crate::error::Error;
use crate::input::Texts;
use crate::loading::load;
use crate::notes;
use crate::output::{Inputs, Output};
use crate::progress::hooks;
use crate::stats::Stats;
use crate::stop::Stop;
use crate::tables;
use crate::vectors::VectorWriter;
use qwen3_engine::Embedder;

/// The model of every command but `rerank`, where the user names none.
pub const DEFAULT_MODEL: &str = "Qwen/Qwen3-Embedding-0.6B";

pub fn embed(args: &EmbedArgs, stop: &Stop) -> Result<(), Error> {
    if args.tables.are_meant(args.format) || tables::are_meant(&args.input, &args.output) {
        return tables::embed(args, stop);
    }
    let source = &args.model.source;
    let hooks = hooks(source, stop);
    let mut texts = Texts::new(&args.texts, &args.input, &hooks.cancel)?;
    let inputs = Inputs::of_model(source.model.as_deref()).and_texts(&args.texts, &args.input);
    let output = Output::open(&args.output, &inputs)?;
    let mut vectors = VectorWriter::new(output, &args.output, args.format)?;
    // Before the model, so that a broken file doesn't cost a minute first.
    let first = texts.chunk()?;
    let loaded = load(&args.model, DEFAULT_MODEL, &hooks, Embedder::load);
    let (model, load_time) = loaded.map_err(Error::or_mini)?;
    notes::of_model(source, model.device(), model.fallbacks(), model.host().tokens_without_row());

    let options = encode_options(&args.prompt, &args.vectors, hooks);
    let mut stats = Stats::start(load_time);
    let tokenize = |texts: &[String]| Ok(model.tokenize(texts, &options)?);
    let done = tokenize_ahead(first, texts, tokenize, |texts, tokens| {
        let embeddings = model.encode_tokens(&tokens, &options)?;
        vectors.write(texts, &embeddings)?;
        embeddings.iter().for_each(|embedding| stats.count(embedding.tokens));
        Ok(())
    });
    // What was finished stays, whatever stopped the rest.
    let has_begun = vectors.finish()?;
    if args.model.stats && has_begun {
        stats.print(model.device(), model.dtype());
    }
    done.map_err(|error| told(error, stats.texts()))
}

/// An error after `finished` texts, told in terms of the whole input.
fn told(error: Error, finished: usize) -> Error {
    match error {
        Error::Cancelled { .. } => Error::Cancelled {
            message: format!("stopped; {finished} texts were finished and written"),
        },
        error => error.after(finished),
    }
}
