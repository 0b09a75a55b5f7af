//! What the model card publishes, beside results.

use super::measure::Measures;
use crate::table::table;
use qwen3_eval::{PublishedTable, published};
use serde_json::{Value, json};

/// The tables of the models that were measured; of all of Qwen's if none of them was.
pub fn tables(measures: &[Measures]) -> String {
    let card = published();
    let mut text = format!("\nPublished, not measured here: {}\n{}\n", card.source, card.units);
    for of in &card.tables {
        let shown = shown(of, measures);
        let mut rows = vec![["model".to_owned()].into_iter().chain(shown.columns).collect()];
        rows.extend(shown.rows.into_iter().map(|(model, scores)| {
            let cell = |score: Option<f64>| score.map(|x| format!("{x:.2}")).unwrap_or_default();
            std::iter::once(model).chain(scores.into_iter().map(cell)).collect::<Vec<_>>()
        }));
        text += &format!("\n{} (published)\n\n{}", of.benchmark, table(&rows));
    }
    text
}

/// The same for programs, whole.
pub fn value() -> Value {
    let card = published();
    let tables = card.tables.iter().map(|table| {
        let rows = table.rows.iter().map(|row| json!({"model": row.model, "scores": row.scores}));
        json!({
            "benchmark": table.benchmark,
            "columns": table.columns,
            "rows": rows.collect::<Vec<_>>(),
            "note": table.note,
        })
    });
    json!({"source": card.source, "units": card.units, "tables": tables.collect::<Vec<_>>()})
}

struct Shown {
    columns: Vec<String>,
    rows: Vec<(String, Vec<Option<f64>>)>,
}

/// The means, and the types that were measured, if the benchmark has them.
fn shown(table: &PublishedTable, measures: &[Measures]) -> Shown {
    let types: Vec<String> = measures.iter().map(|of| of.data.task.to_string()).collect();
    let kept: Vec<usize> = (0..table.columns.len())
        .filter(|&at| table.columns[at].starts_with("mean-") || types.contains(&table.columns[at]))
        .collect();
    let of_qwen = || table.rows.iter().filter(|row| row.model.starts_with("Qwen3-Embedding"));
    let labels = || measures.iter().flat_map(|of| &of.outcomes).map(|outcome| &outcome.label.model);
    let is_measured = |model: &str| labels().any(|label| label.contains(model));
    let is_any = of_qwen().any(|row| is_measured(&row.model));
    let rows = of_qwen().filter(|row| !is_any || is_measured(&row.model));
    Shown {
        columns: kept.iter().map(|&at| table.columns[at].clone()).collect(),
        rows: rows
            .map(|row| (row.model.clone(), kept.iter().map(|&at| row.scores[at]).collect()))
            .collect(),
    }
}
