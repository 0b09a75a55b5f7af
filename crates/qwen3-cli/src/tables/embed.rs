//! `qwen3 embed` on tables.

use super::error::TablesError;
use super::input::Input;
use super::run::Run;
use super::step::{Answer, Work, or_empty};
use super::target::Target;
use crate::args::{EmbedArgs, EmbedFormat, OnNull, encode_options};
use crate::embed::DEFAULT_MODEL;
use crate::error::Error;
use crate::fingerprint::fingerprint;
use crate::loading::load;
use crate::notes;
use crate::progress::hooks;
use crate::say;
use crate::stop::Stop;
use arrow_array::RecordBatch;
use arrow_schema::Field;
use qwen3_engine::{Checkpoint, Embedder, EncodeOptions, Error as EngineError, Hooks, Tokens};
use qwen3_tables::{Folder, OutputFormat, Ranges, TableError, TextColumns, Texts};
use serde_json::json;

/// Fewer vectors say little about the range of each dimension.
const ENOUGH: usize = 100;
const FEW: &str = "the ranges are those of few vectors; give those of more with `--ranges`";

pub fn embed(args: &EmbedArgs, stop: &Stop) -> Result<(), Error> {
    let source = &args.model.source;
    let (target, columns, input) = open(args)?;
    let hooks = hooks(source, stop);
    let loaded = load(&args.model, DEFAULT_MODEL, &hooks, |source, options| {
        let checkpoint = Checkpoint::open(source, &options.hooks)?;
        Ok((fingerprint(&checkpoint)?, Embedder::from_checkpoint(&checkpoint, options)?))
    });
    let ((files, model), _) = loaded.map_err(Error::or_mini)?;
    notes::of_model(source, model.device(), model.fallbacks(), model.host().tokens_without_row());

    let options = Hooks::default().cancel(hooks.cancel.clone());
    let options = encode_options(&args.prompt, &args.vectors, options);
    let (dimensions, precision) =
        (model.host().dimensions(options.dimensions)?, args.tables.precision);
    let given = args.tables.ranges.as_ref();
    let given = given.map(|path| Ranges::read(path, dimensions)).transpose()?;
    let choices = (&options, given.as_ref());
    let run = described(args, (&input, &target), (&files, &model, &columns), choices)?;
    run.check()?;
    let Some(folder) = run.open(source)? else { return Ok(()) };
    let mut ranges = given.or(folder.ranges(dimensions)?);
    let empty = input.on_null == OnNull::Empty;
    let work = Embedding { model: &model, options: &options, columns: &columns, empty };
    run.run((&folder, source, &hooks.cancel), &work, |numbers: &[f32]| {
        if precision.needs_ranges() && ranges.is_none() && !numbers.is_empty() {
            if numbers.len() < ENOUGH * dimensions && !source.quiet {
                say(FEW);
            }
            ranges = Some(first_ranges(numbers, dimensions, &folder)?);
        }
        Ok(vec![precision.column(numbers, dimensions, ranges.as_ref())])
    })
}

/// All that can be told to be wrong before a model is loaded.
fn open(args: &EmbedArgs) -> Result<(Target, TextColumns, Input), Error> {
    let tables = &args.tables;
    if !args.texts.is_empty() && !args.input.input.is_empty() {
        return Err(Error::TwoInputs);
    }
    let mut target = Target::new(&args.output, args.format.map(EmbedFormat::of_tables))?;
    let mut columns = TextColumns::Column(String::new());
    let keeps_columns = target.format != OutputFormat::Npy;
    let input = Input::open(&args.input, &tables.table, keeps_columns, |first| {
        columns = match (&tables.text_column, &tables.text_template) {
            (Some(name), _) => TextColumns::Column(name.clone()),
            (None, Some(template)) => TextColumns::template(template)?,
            (None, None) => TextColumns::guess(first)?,
        };
        Ok(vec![columns.clone()])
    })?;
    target.check(&args.input.input, &input)?;
    let is_alone = !input.shard.is_one_of_several();
    match tables.precision.needs_ranges() && tables.ranges.is_none() && !is_alone {
        true => Err(TablesError::RangesOfShard.into()),
        false => Ok((target, columns, input)),
    }
}

/// The run, with all that its results depend on.
fn described<'a>(
    args: &EmbedArgs,
    (input, target): (&'a Input, &'a Target),
    (files, model, columns): (&str, &Embedder, &TextColumns),
    (options, ranges): (&EncodeOptions, Option<&Ranges>),
) -> Result<Run<'a>, Error> {
    let host = model.host();
    let dimensions = host.dimensions(options.dimensions)?;
    let prompt = host.prompt(&options.prompt).map_err(EngineError::from)?;
    // A prompt that is refused is told before a text is read.
    host.prefix(&prompt, host.limit()).map_err(EngineError::from)?;
    let tables = &args.tables;
    let special_tokens = args.model.special_tokens.map(|policy| policy.to_string());
    let settings = vec![
        ("model files", files.to_owned()),
        ("dtype", model.dtype().to_string()),
        ("prompt", format!("{prompt:?}")),
        ("texts", columns.to_string()),
        ("max-tokens", host.limit().max_tokens.to_string()),
        ("truncate", host.limit().truncate.to_string()),
        ("special-tokens", special_tokens.unwrap_or_default()),
        ("dimensions", dimensions.to_string()),
        ("normalize", options.normalize.to_string()),
        ("precision", tables.precision.name().to_owned()),
        ("ranges", ranges.map_or_else(|| "of the first rows".to_owned(), Ranges::digest)),
        ("vector-column", tables.vector_column.clone()),
    ];
    let facts = json!({
        "model": args.model.source.model.as_deref().unwrap_or(DEFAULT_MODEL),
        "revision": args.model.source.revision,
        "model_files_xxh3": files,
        "dtype": model.dtype().to_string(),
        "device": model.device().to_string(),
        "prompt": prompt,
        "max_tokens": host.limit().max_tokens,
        "dimensions": dimensions,
        "normalized": options.normalize,
        "precision": tables.precision.name(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let vectors = tables.precision.data_type(dimensions);
    let fields = vec![Field::new(&tables.vector_column, vectors, false)];
    Ok(Run { input, target, settings, facts, fields })
}

/// The ranges of the first rows, which the rest of the job then has too.
fn first_ranges(numbers: &[f32], dimensions: usize, folder: &Folder) -> Result<Ranges, Error> {
    let ranges = Ranges::of(numbers, dimensions);
    folder.keep_ranges(&ranges)?;
    Ok(ranges)
}

/// Vectors of texts.
struct Embedding<'a> {
    model: &'a Embedder,
    options: &'a EncodeOptions,
    columns: &'a TextColumns,
    /// Whether a row without a text has the empty one.
    empty: bool,
}

impl Work for Embedding<'_> {
    type Text = String;

    fn texts(&self, batch: &RecordBatch) -> Result<Texts, TableError> {
        let texts = self.columns.texts(batch)?;
        Ok(if self.empty { or_empty(texts) } else { texts })
    }

    fn tokenize(&self, texts: &[String]) -> Result<Vec<Tokens>, Error> {
        Ok(self.model.tokenize(texts, self.options)?)
    }

    fn compute(&self, tokens: &[Tokens]) -> Result<Vec<Answer>, Error> {
        let embeddings = self.model.encode_tokens(tokens, self.options)?.into_iter();
        Ok(embeddings.map(|of| Answer { numbers: of.vector, tokens: of.tokens }).collect())
    }
}
