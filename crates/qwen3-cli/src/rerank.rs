//! `qwen3 rerank`

use crate::ahead::tokenize_ahead;
use crate::args::{RerankArgs, RerankFormat};
use crate::error::Error;
use crate::input::Texts;
use crate::loading::load;
use crate::notes;
use crate::output::{Inputs, Output};
use crate::progress::hooks;
use crate::stats::Stats;
use crate::stop::Stop;
use crate::table::{shorten, table};
use crate::tables;
use qwen3_engine::{RankOptions, Reranker, Score};
use serde_json::{Value, json};

/// The model of this command, where the user names none.
pub const DEFAULT_MODEL: &str = "Qwen/Qwen3-Reranker-0.6B";

/// A document's place.
struct Place {
    index: usize,
    score: Score,
    /// How its text begins.
    text: String,
}

pub fn rerank(args: &RerankArgs, stop: &Stop) -> Result<(), Error> {
    if args.tables.are_meant(args.format) || tables::are_meant(&args.input, &args.output) {
        return tables::rerank(args, stop);
    }
    let query = args.query.as_deref().unwrap_or_default();
    let source = &args.model.source;
    let hooks = hooks(source, stop);
    let mut texts = Texts::new(&args.documents, &args.input, &hooks.cancel)?;
    let inputs = Inputs::of_model(source.model.as_deref()).and_texts(&args.documents, &args.input);
    let output = Output::open(&args.output, &inputs)?;
    let first = texts.chunk()?;
    let (model, load_time) = load(&args.model, DEFAULT_MODEL, &hooks, |source, options| {
        Reranker::load(source, options)
    })?;
    notes::of_model(source, model.device(), model.fallbacks(), model.host().tokens_without_row());

    let mut stats = Stats::start(load_time);
    let mut options = RankOptions::default().hooks(hooks);
    options.instruction.clone_from(&args.instruction);
    let mut places: Vec<Place> = vec![];
    let tokenize = |texts: &[String]| {
        let pairs = texts.iter().map(|document| (query, document));
        Ok(model.tokenize(pairs, &options)?)
    };
    let done = tokenize_ahead(first, texts, tokenize, |texts, tokens| {
        for (score, text) in model.score_tokens(&tokens, &options)?.into_iter().zip(texts) {
            places.push(Place { index: stats.texts(), score, text: shorten(text) });
            stats.count(score.tokens);
        }
        keep_best(&mut places, args.top_n.unwrap_or(usize::MAX));
        Ok(())
    });
    done.map_err(|error| error.after(stats.texts()))?;

    let shown = shown(&places, args, output.is_terminal());
    output.print(&shown)?;
    if args.model.stats {
        stats.print(model.device(), model.dtype());
    }
    Ok(())
}

/// By score, then in the order of the input.
fn keep_best(places: &mut Vec<Place>, top_n: usize) {
    places
        .sort_by(|a, b| b.score.log_odds.total_cmp(&a.score.log_odds).then(a.index.cmp(&b.index)));
    places.truncate(top_n);
}

fn shown(places: &[Place], args: &RerankArgs, is_terminal: bool) -> String {
    let object = |place: &Place| object(place, args.log_odds);
    match args.format {
        Some(RerankFormat::Json) => format!("{}\n", Value::from_iter(places.iter().map(object))),
        Some(RerankFormat::Table) => ranking_table(places, args.log_odds),
        None if is_terminal => ranking_table(places, args.log_odds),
        // Tables have formats of their own, and were told apart.
        _ => places.iter().map(|place| format!("{}\n", object(place))).collect(),
    }
}

fn object(Place { index, score, .. }: &Place, log_odds: bool) -> Value {
    let mut object = json!({
        "index": index,
        "score": score.score,
        "tokens": score.tokens,
        "truncated": score.truncated,
    });
    if log_odds {
        object["log_odds"] = score.log_odds.into();
    }
    object
}

fn ranking_table(places: &[Place], log_odds: bool) -> String {
    let row = |score: String, odds: String, index: String, text: String| match log_odds {
        true => vec![score, odds, index, text],
        false => vec![score, index, text],
    };
    let heading = ["score", "log-odds", "index", "document"].map(str::to_owned);
    let [score, odds, index, text] = heading;
    let mut rows = vec![row(score, odds, index, text)];
    rows.extend(places.iter().map(|Place { index, score, text }| {
        let cut = if score.truncated { " (cut)" } else { "" };
        row(
            format!("{:.4}", score.score),
            format!("{:.3}", score.log_odds),
            index.to_string(),
            format!("{text}{cut}"),
        )
    }));
    table(&rows)
}
