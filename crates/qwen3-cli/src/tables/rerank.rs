//! `qwen3 rerank` on tables of queries and documents.

use super::error::TablesError;
use super::input::Input;
use super::run::Run;
use super::step::{Answer, Work, or_empty};
use super::target::Target;
use crate::args::{OnNull, RerankArgs, RerankFormat};
use crate::error::Error;
use crate::fingerprint::fingerprint;
use crate::loading::load;
use crate::notes;
use crate::progress::hooks;
use crate::rerank::DEFAULT_MODEL;
use crate::stop::Stop;
use arrow_array::{ArrayRef, Float32Array, RecordBatch};
use arrow_schema::{DataType, Field};
use qwen3_engine::{Checkpoint, DEFAULT_TASK, Hooks, RankOptions, Reranker, Tokens, probability};
use qwen3_tables::{TableError, TextColumns};
use serde_json::json;
use std::sync::Arc;

const LOG_ODDS: &str = "log_odds";

pub fn rerank(args: &RerankArgs, stop: &Stop) -> Result<(), Error> {
    let source = &args.model.source;
    if !args.documents.is_empty() && !args.input.input.is_empty() {
        return Err(Error::TwoInputs);
    }
    if args.top_n.is_some() {
        return Err(TablesError::TopN.into());
    }
    let mut target = Target::new(&args.output, args.format.map(RerankFormat::of_tables))?;
    let document = TextColumns::Column(args.tables.document_column.clone());
    let query = args.tables.query_column.clone().map(TextColumns::Column);
    let input = Input::open(&args.input, &args.tables.table, true, |_| {
        Ok(query.iter().chain([&document]).cloned().collect())
    })?;
    target.check(&args.input.input, &input)?;

    let hooks = hooks(source, stop);
    let ((files, model), _) = load(&args.model, DEFAULT_MODEL, &hooks, |source, options| {
        let checkpoint = Checkpoint::open(source, &options.hooks)?;
        Ok((fingerprint(&checkpoint)?, Reranker::from_checkpoint(&checkpoint, options)?))
    })?;
    notes::of_model(source, model.device(), model.fallbacks(), model.host().tokens_without_row());

    let mut options = RankOptions::default().hooks(Hooks::default().cancel(hooks.cancel.clone()));
    options.instruction.clone_from(&args.instruction);
    let run = described(args, (&input, &target), (&files, &model), &options);
    run.check()?;
    let Some(folder) = run.open(source)? else { return Ok(()) };
    let one_query = args.query.clone().unwrap_or_default();
    let empty = input.on_null == OnNull::Empty;
    let work = Reranking { model: &model, options: &options, query, one_query, document, empty };
    run.run((&folder, source, &hooks.cancel), &work, |log_odds: &[f32]| {
        let scores = log_odds.iter().map(|&odds| probability(f64::from(odds)) as f32);
        let scores: ArrayRef = Arc::new(Float32Array::from_iter_values(scores));
        let odds = || Arc::new(Float32Array::from(log_odds.to_vec())) as ArrayRef;
        Ok(if args.log_odds { vec![scores, odds()] } else { vec![scores] })
    })
}

/// The run, with all that its results depend on.
fn described<'a>(
    args: &RerankArgs,
    (input, target): (&'a Input, &'a Target),
    (files, model): (&str, &Reranker),
    options: &RankOptions,
) -> Run<'a> {
    let limit = model.host().limit();
    let instruction = options.instruction.as_deref().unwrap_or(DEFAULT_TASK);
    let query = match (&args.tables.query_column, &args.query) {
        (Some(column), _) => format!("column {column}"),
        (None, query) => format!("{:?}", query.as_deref().unwrap_or_default()),
    };
    let special_tokens = args.model.special_tokens.map(|policy| policy.to_string());
    let settings = vec![
        ("model files", files.to_owned()),
        ("dtype", model.dtype().to_string()),
        ("instruction", format!("{instruction:?}")),
        ("query", query),
        ("documents", format!("column {}", args.tables.document_column)),
        ("max-tokens", limit.max_tokens.to_string()),
        ("truncate", limit.truncate.to_string()),
        ("special-tokens", special_tokens.unwrap_or_default()),
        ("score-column", args.tables.score_column.clone()),
        ("log-odds", args.log_odds.to_string()),
    ];
    let facts = json!({
        "model": args.model.source.model.as_deref().unwrap_or(DEFAULT_MODEL),
        "revision": args.model.source.revision,
        "model_files_xxh3": files,
        "dtype": model.dtype().to_string(),
        "device": model.device().to_string(),
        "instruction": instruction,
        "max_tokens": limit.max_tokens,
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut fields = vec![Field::new(&args.tables.score_column, DataType::Float32, false)];
    if args.log_odds {
        fields.push(Field::new(LOG_ODDS, DataType::Float32, false));
    }
    Run { input, target, settings, facts, fields }
}

/// Log-odds of pairs.
struct Reranking<'a> {
    model: &'a Reranker,
    options: &'a RankOptions,
    /// `None`: `one_query` is that of every row.
    query: Option<TextColumns>,
    one_query: String,
    document: TextColumns,
    /// Whether a text that isn't there is empty.
    empty: bool,
}

impl Work for Reranking<'_> {
    type Text = (String, String);

    fn texts(&self, batch: &RecordBatch) -> Result<Vec<Option<(String, String)>>, TableError> {
        let column = |columns: &TextColumns| {
            let texts = columns.texts(batch)?;
            Ok::<_, TableError>(if self.empty { or_empty(texts) } else { texts })
        };
        let queries = match &self.query {
            Some(columns) => column(columns)?,
            None => vec![Some(self.one_query.clone()); batch.num_rows()],
        };
        Ok(queries
            .into_iter()
            .zip(column(&self.document)?)
            .map(|(query, document)| query.zip(document))
            .collect())
    }

    fn tokenize(&self, pairs: &[(String, String)]) -> Result<Vec<Tokens>, Error> {
        let pairs = pairs.iter().map(|(query, document)| (query, document));
        Ok(self.model.tokenize(pairs, self.options)?)
    }

    fn compute(&self, tokens: &[Tokens]) -> Result<Vec<Answer>, Error> {
        let scores = self.model.score_tokens(tokens, self.options)?.into_iter();
        Ok(scores
            .map(|of| Answer { numbers: vec![of.log_odds as f32], tokens: of.tokens })
            .collect())
    }
}
