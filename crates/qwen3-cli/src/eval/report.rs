//! Scores for reading.

use super::files::QueryTexts;
use super::measure::{Measures, Outcome};
use super::settings::Label;
use crate::table::{shorten, table};
use qwen3_eval::Sample;
use serde_json::{Value, json};

/// Tables of all data sets, with the queries that lost most.
pub fn tables(measures: &[Measures], worst: usize) -> String {
    let mut text = String::new();
    for of_data in measures {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("{}\n\n", heading(of_data));
        text += &table(&rows(of_data));
        text += &lines_of_worst(of_data, worst);
    }
    if measures.len() > 1 {
        text += &format!("\nMean of {} data sets\n\n{}", measures.len(), table(&means(measures)));
    }
    text
}

fn heading(measures: &Measures) -> String {
    let (data, score) = (&measures.data, &measures.main_score);
    let size = match data.ranking() {
        Some(ranking) => {
            format!("{} queries, {} documents", ranking.queries.len(), ranking.documents())
        }
        None => format!("{} texts", data.texts()),
    };
    format!("{}: {}, {size}, {score}", data.name, data.task)
}

/// What a table tells of a setting.
type Column = (&'static str, fn(&Label) -> String);

fn columns(labels: &[Label]) -> Vec<Column> {
    let all: [Column; 5] = [
        ("model", |label| label.model.clone()),
        ("dtype", |label| label.dtype.clone()),
        ("dimensions", |label| label.dimensions.map(|n| n.to_string()).unwrap_or_default()),
        ("instruction", |label| shorten(&label.instruction_in_words())),
        ("reranker", |label| label.reranker.clone().unwrap_or_default()),
    ];
    let is_told = |(name, of): &Column| {
        let differ = labels.iter().any(|label| of(label) != of(&labels[0]));
        let is_known = labels.iter().any(|label| !of(label).is_empty());
        differ || is_known && *name != "instruction"
    };
    all.into_iter().filter(is_told).collect()
}

fn rows(measures: &Measures) -> Vec<Vec<String>> {
    let labels: Vec<Label> = measures.outcomes.iter().map(|of| of.label.clone()).collect();
    let columns = columns(&labels);
    let is_compared = measures.outcomes.len() > 1;
    let has_model = measures.outcomes.iter().any(|outcome| outcome.model.is_some());
    let mut heading: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    heading.push(measures.main_score.clone());
    if is_compared {
        heading.extend(["difference", "p"].map(str::to_owned));
    }
    if has_model {
        heading.extend(["bytes", "tokens/s"].map(str::to_owned));
    }
    let mut rows = vec![heading];
    for outcome in &measures.outcomes {
        let mut row: Vec<String> = columns.iter().map(|(_, of)| of(&outcome.label)).collect();
        row.push(format!("{:.4}", outcome.evaluation.main()));
        if is_compared {
            row.extend(difference(measures, outcome));
        }
        if has_model {
            let bytes = outcome.model.as_ref().map(|measured| measured.bytes.to_string());
            row.push(bytes.unwrap_or_default());
            row.push(speed(outcome).map(|speed| format!("{speed:.0}")).unwrap_or_default());
        }
        rows.push(row);
    }
    rows
}

/// The difference to the first, and how often chance makes one as large.
fn difference(measures: &Measures, outcome: &Outcome) -> [String; 2] {
    let first = &measures.outcomes[0];
    if std::ptr::eq(first, outcome) {
        return [String::new(), String::new()];
    }
    let difference = outcome.evaluation.main() - first.evaluation.main();
    let p = outcome.comparison.map(|test| match test.p_value < 0.0001 {
        true => "<0.0001".to_owned(),
        false => format!("{:.4}", test.p_value),
    });
    [format!("{difference:+.4}"), p.unwrap_or_default()]
}

fn speed(outcome: &Outcome) -> Option<f64> {
    let cost = outcome.reranker_cost.or_else(|| Some(outcome.model.as_ref()?.cost))?;
    cost.tokens_per_second()
}

fn means(measures: &[Measures]) -> Vec<Vec<String>> {
    let labels: Vec<Label> = measures[0].outcomes.iter().map(|of| of.label.clone()).collect();
    let columns = columns(&labels);
    let mut heading: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    heading.push("mean".to_owned());
    let mut rows = vec![heading];
    for (at, label) in labels.iter().enumerate() {
        let scores = measures.iter().filter_map(|of| Some(of.outcomes.get(at)?.evaluation.main()));
        let mean = scores.sum::<f64>() / measures.len() as f64;
        let mut row: Vec<String> = columns.iter().map(|(_, of)| of(label)).collect();
        row.push(format!("{mean:.4}"));
        rows.push(row);
    }
    rows
}

/// A part of a score that a setting is worse on.
struct Worse<'a> {
    id: &'a str,
    score: f64,
    before: Option<f64>,
}

/// Of the first setting alone those with the lowest score, else those that lost most against
/// it.
fn worst_of<'a>(measures: &'a Measures, outcome: &'a Outcome, most: usize) -> Vec<Worse<'a>> {
    let Sample::Units { scores, .. } = &outcome.evaluation.sample else { return vec![] };
    let first = &measures.outcomes[0];
    let before: Option<&Vec<(String, f64)>> = match &first.evaluation.sample {
        Sample::Units { scores, .. } if !std::ptr::eq(first, outcome) => Some(scores),
        _ => None,
    };
    let part = |(at, (id, score)): (usize, &'a (String, f64))| {
        let before = before.and_then(|before| before.get(at)).filter(|(other, _)| other == id);
        Worse { id, score: *score, before: before.map(|(_, score)| *score) }
    };
    let mut parts: Vec<Worse> = scores.iter().enumerate().map(part).collect();
    let change = |part: &Worse| part.score - part.before.unwrap_or_default();
    if before.is_some() {
        parts.retain(|part| change(part) < 0.0);
    }
    parts.sort_by(|a, b| change(a).total_cmp(&change(b)));
    parts.truncate(most);
    parts
}

fn lines_of_worst(measures: &Measures, most: usize) -> String {
    let labels: Vec<Label> = measures.outcomes.iter().map(|of| of.label.clone()).collect();
    let texts = QueryTexts::of(&measures.data);
    let skipped = usize::from(measures.outcomes.len() > 1);
    let mut text = String::new();
    for outcome in measures.outcomes.iter().skip(skipped) {
        let worst = worst_of(measures, outcome, most);
        let Sample::Units { what, .. } = &outcome.evaluation.sample else { continue };
        if worst.is_empty() || *what != "query" && skipped == 0 {
            continue;
        }
        let name = outcome.label.in_words(&labels);
        let said = if skipped == 1 { "lost most by" } else { "the worst of" };
        text += &format!("\n{said} {name}\n\n");
        let row = |part: &Worse| {
            let before = part.before.map(|score| format!("{score:.4}")).unwrap_or_default();
            let shown = texts.of_id(part.id).map(shorten).unwrap_or_default();
            vec![before, format!("{:.4}", part.score), part.id.to_owned(), shown]
        };
        let heading = ["before", "score", what, "text"].map(str::to_owned).to_vec();
        let mut rows: Vec<Vec<String>> =
            std::iter::once(heading).chain(worst.iter().map(row)).collect();
        if skipped == 0 {
            rows.iter_mut().for_each(|row| drop(row.remove(0)));
        }
        text += &table(&rows);
    }
    text
}

/// All of it for programs.
pub fn value(measures: &[Measures], worst: usize) -> Value {
    let of_data = measures.iter().map(|of_data| {
        let results = of_data.outcomes.iter().map(|outcome| result(of_data, outcome, worst));
        json!({
            "data": of_data.data.name,
            "task": of_data.data.task.to_string(),
            "main_score": of_data.main_score,
            "texts": of_data.data.texts(),
            "results": results.collect::<Vec<_>>(),
        })
    });
    of_data.collect()
}

fn result(measures: &Measures, outcome: &Outcome, worst: usize) -> Value {
    let (label, first) = (&outcome.label, &measures.outcomes[0]);
    let is_first = std::ptr::eq(first, outcome);
    let difference = outcome.evaluation.main() - first.evaluation.main();
    let texts = QueryTexts::of(&measures.data);
    let worst = worst_of(measures, outcome, worst).into_iter().map(|part| {
        json!({"id": part.id, "text": texts.of_id(part.id), "score": part.score, "before": part.before})
    });
    let cost = outcome.reranker_cost.or_else(|| Some(outcome.model.as_ref()?.cost));
    json!({
        "model": label.model,
        "revision": outcome.model.as_ref().map(|measured| &measured.facts.fingerprint),
        "device": outcome.model.as_ref().map(|measured| &measured.facts.device),
        "dtype": Some(&label.dtype).filter(|dtype| !dtype.is_empty()),
        "dimensions": label.dimensions,
        "instruction": label.instruction,
        "reranker": label.reranker,
        "score": outcome.evaluation.main(),
        "difference": (!is_first).then_some(difference),
        "test": outcome.comparison,
        "bytes_per_vector": outcome.model.as_ref().map(|measured| measured.bytes),
        "tokens": cost.map(|cost| cost.tokens),
        "tokens_per_second": cost.and_then(|cost| cost.tokens_per_second()),
        "seconds": outcome.seconds,
        "worst": worst.collect::<Vec<_>>(),
        "scores": outcome.evaluation.scores.as_map(),
    })
}
