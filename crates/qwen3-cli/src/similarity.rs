//! `qwen3 similarity`

use crate::args::{SimilarityArgs, TextFormat, encode_options};
use crate::embed::DEFAULT_MODEL;
use crate::error::Error;
use crate::loading::load;
use crate::notes;
use crate::output::{Inputs, Output};
use crate::progress::hooks;
use crate::stats::Stats;
use crate::stop::Stop;
use crate::table::{shorten, table};
use qwen3_engine::{Embedder, Prompt};
use serde_json::json;

pub fn similarity(args: &SimilarityArgs, stop: &Stop) -> Result<(), Error> {
    let source = &args.model.source;
    let output = Output::open(&args.output, &Inputs::of_model(source.model.as_deref()))?;
    let hooks = hooks(source, stop);
    let loaded = load(&args.model, DEFAULT_MODEL, &hooks, Embedder::load);
    let (model, load_time) = loaded.map_err(Error::or_mini)?;
    notes::of_model(source, model.device(), model.fallbacks(), model.host().tokens_without_row());

    let mut stats = Stats::start(load_time);
    let for_queries = encode_options(&args.prompt, &args.vectors, hooks);
    let for_documents = for_queries.clone().prompt(Prompt::Default);
    let queries = model.encode_query(&args.query, &for_queries)?;
    let documents = model.encode_document(&args.document, &for_documents)?;
    let matrix = match args.similarity {
        Some(measure) => measure.matrix(&queries, &documents)?,
        None => model.similarity(&queries, &documents)?,
    };
    queries.iter().chain(&documents).for_each(|embedding| stats.count(embedding.tokens));

    let shown = shown(&matrix, args, output.is_terminal());
    output.print(&shown)?;
    if args.model.stats {
        stats.print(model.device(), model.dtype());
    }
    Ok(())
}

fn shown(matrix: &[Vec<f64>], args: &SimilarityArgs, is_terminal: bool) -> String {
    let (queries, documents) = (&args.query, &args.document);
    match args.format.unwrap_or(if is_terminal { TextFormat::Table } else { TextFormat::Json }) {
        TextFormat::Table => similarity_table(args, matrix),
        TextFormat::Json => {
            let value = json!({"queries": queries, "documents": documents, "similarity": matrix});
            format!("{value}\n")
        }
        TextFormat::Jsonl => {
            let line = |(query, row)| format!("{}\n", json!({"query": query, "similarity": row}));
            queries.iter().zip(matrix).map(line).collect()
        }
    }
}

/// Queries down, documents across by number, as in the model card; the
/// documents' texts below.
fn similarity_table(args: &SimilarityArgs, matrix: &[Vec<f64>]) -> String {
    let numbers = (1..=args.document.len()).map(|number| format!("document {number}"));
    let mut rows = vec![std::iter::once(String::new()).chain(numbers).collect::<Vec<_>>()];
    for (query, similarities) in args.query.iter().zip(matrix) {
        let cells = similarities.iter().map(|similarity| format!("{similarity:.4}"));
        rows.push(std::iter::once(shorten(query)).chain(cells).collect());
    }
    let documents = args.document.iter().enumerate();
    let legend: String = documents
        .map(|(index, document)| format!("document {}: {}\n", index + 1, shorten(document)))
        .collect();
    format!("{}\n{legend}", table(&rows))
}
