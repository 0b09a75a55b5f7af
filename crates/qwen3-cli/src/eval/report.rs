//! Scores for reading.

use super::cached::Cost;
use super::files::QueryTexts;
use super::measure::{Measures, Outcome};
use super::settings::Label;
use crate::table::{shorten, table};
use qwen3_eval::Sample;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Tables of all data sets, with the queries that lost most.
pub fn tables(measures: &[Measures], worst: usize) -> String {
    let mut text = String::new();
    for of_data in measures {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("{}\n\n", heading(of_data));
        text += &table(&rows(of_data));
        let notes = notes(of_data);
        if !notes.is_empty() {
            text += &format!("\n{}\n", notes.join("\n"));
        }
        text += &lines_of_worst(of_data, worst);
    }
    if measures.len() > 1 {
        text += &format!("\nMean of {} data sets\n\n{}", measures.len(), table(&means(measures)));
    }
    text
}

fn heading(measures: &Measures) -> String {
    let data = &measures.data;
    let size = match data.ranking() {
        Some(ranking) => format!(
            "{}, {}",
            counted(ranking.queries.len(), "query", "queries"),
            counted(ranking.documents(), "document", "documents")
        ),
        None => counted(data.texts(), "text", "texts"),
    };
    format!("{}: {}, {size}, {}", data.name, data.task, data.main_score)
}

fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Four digits; what is rounded to zero has no sign.
fn digits(number: f64) -> String {
    let text = format!("{number:.4}");
    if text == "-0.0000" { "0.0000".to_owned() } else { text }
}

/// What is to be known of the scores.
fn notes(measures: &Measures) -> Vec<String> {
    let labels: Vec<Label> = measures.outcomes.iter().map(|of| of.label.clone()).collect();
    let queries = measures.data.ranking().map_or(0, |ranking| ranking.queries.len());
    let mut notes = measures.data.notes.clone();
    for outcome in &measures.outcomes {
        let missing = outcome.evaluation.missing.len();
        if missing > 0 {
            let name = outcome.label.in_words(&labels);
            let of = counted(queries, "query", "queries");
            let are = if missing == 1 { "is" } else { "are" };
            notes.push(format!(
                "{missing} of {of} {are} missing from {name}: its scores are means over the others"
            ));
        }
    }
    notes
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
    heading.push(measures.data.main_score.clone());
    if is_compared {
        heading.extend(["difference", "p"].map(str::to_owned));
    }
    if has_model {
        heading.extend(["bytes", "tokens/s"].map(str::to_owned));
    }
    let mut rows = vec![heading];
    for outcome in &measures.outcomes {
        let mut row: Vec<String> = columns.iter().map(|(_, of)| of(&outcome.label)).collect();
        row.push(digits(outcome.evaluation.main()));
        if is_compared {
            row.extend(difference(outcome));
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
fn difference(outcome: &Outcome) -> [String; 2] {
    let Some(difference) = outcome.difference else { return [String::new(), String::new()] };
    let digits = digits(difference.of_scores);
    let signed = if digits.starts_with('-') { digits } else { format!("+{digits}") };
    let p = difference.test.map(|test| match test.p_value < 0.0001 {
        true => "<0.0001".to_owned(),
        false => format!("{:.4}", test.p_value),
    });
    [signed, p.unwrap_or_default()]
}

/// Of the reranker where there is one.
fn cost(outcome: &Outcome) -> Option<Cost> {
    let reranker = outcome.reranker.as_ref().map(|(_, cost)| *cost);
    reranker.or_else(|| Some(outcome.model.as_ref()?.cost))
}

fn speed(outcome: &Outcome) -> Option<f64> {
    cost(outcome)?.tokens_per_second()
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
        row.push(digits(mean));
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
    let is_first = std::ptr::eq(first, outcome);
    let before = if is_first { HashMap::new() } else { first.evaluation.sample.by_name() };
    let part = |(id, score): &'a (String, f64)| {
        let before = before.get(id.as_str()).copied();
        Worse { id, score: *score, before }
    };
    let mut parts: Vec<Worse> = scores.iter().map(part).collect();
    let change = |part: &Worse| part.score - part.before.unwrap_or_default();
    if !is_first {
        parts.retain(|part| part.before.is_some() && change(part) < 0.0);
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
            let before = part.before.map(digits).unwrap_or_default();
            let shown = texts.of_id(part.id).map(shorten).unwrap_or_default();
            vec![before, digits(part.score), part.id.to_owned(), shown]
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
            "data_revision": of_data.place.revision,
            "task": of_data.data.task.to_string(),
            "main_score": of_data.data.main_score,
            "texts": of_data.data.texts(),
            "notes": notes(of_data),
            "results": results.collect::<Vec<_>>(),
        })
    });
    of_data.collect()
}

fn result(measures: &Measures, outcome: &Outcome, worst: usize) -> Value {
    let label = &outcome.label;
    let texts = QueryTexts::of(&measures.data);
    let worst = worst_of(measures, outcome, worst).into_iter().map(|part| {
        json!({"id": part.id, "text": texts.of_id(part.id), "score": part.score, "before": part.before})
    });
    let (cost, model) = (cost(outcome), outcome.model.as_ref());
    json!({
        "model": label.model,
        "revision": model.map(|measured| &measured.facts.fingerprint),
        "device": model.map(|measured| &measured.facts.device),
        "dtype": Some(&label.dtype).filter(|dtype| !dtype.is_empty()),
        "dimensions": label.dimensions,
        "instruction": label.instruction,
        "reranker": label.reranker,
        "reranker_revision": outcome.reranker.as_ref().map(|(facts, _)| &facts.fingerprint),
        "score": outcome.evaluation.main(),
        "missing_queries": outcome.evaluation.missing.len(),
        "difference": outcome.difference.map(|difference| difference.of_scores),
        "test": outcome.difference.and_then(|difference| difference.test),
        "bytes_per_vector": model.map(|measured| measured.bytes),
        "tokens": cost.map(|cost| cost.tokens),
        "tokens_per_second": cost.and_then(|cost| cost.tokens_per_second()),
        "seconds": outcome.seconds,
        "worst": worst.collect::<Vec<_>>(),
        "scores": outcome.evaluation.scores.as_map(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rounded_to_zero_has_no_sign() {
        assert_eq!([-0.0, -0.00004, -0.00006].map(digits), ["0.0000", "0.0000", "-0.0001"]);
        assert_eq!(digits(f64::NAN), "NaN");
    }
}
