//! Averages that Qwen's model card publishes. They are somebody else's results on other data, to be
//! shown beside a result and named as published, not to be mixed with it.

use serde::Deserialize;
use std::sync::LazyLock;

/// The tables of the card.
#[derive(Clone, Debug, Deserialize)]
pub struct Published {
    /// Where they are published.
    pub source: String,
    /// What the numbers are.
    pub units: String,
    /// One a benchmark.
    pub tables: Vec<PublishedTable>,
}

/// The table of one benchmark.
#[derive(Clone, Debug, Deserialize)]
pub struct PublishedTable {
    /// Its name on the card.
    pub benchmark: String,
    /// `mean-task`, `mean-type`, and types as [`TaskType`](crate::TaskType) writes them.
    pub columns: Vec<String>,
    /// One a model.
    pub rows: Vec<PublishedRow>,
    /// What is to be known of some rows.
    pub note: Option<String>,
}

/// The averages of one model.
#[derive(Clone, Debug, Deserialize)]
pub struct PublishedRow {
    /// Its name on the card.
    pub model: String,
    /// Its parameters, as on the card.
    pub size: String,
    /// A score for each column; none where the card has none.
    pub scores: Vec<Option<f64>>,
}

static CARD: LazyLock<Published> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../published.json")).expect("the file is tested")
});

/// What the model card publishes.
pub fn published() -> &'static Published {
    &CARD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskType;

    #[test]
    fn tables_are_whole_and_their_columns_are_types() {
        let tables = &published().tables;
        let models = tables.iter().map(|table| table.rows.len()).collect::<Vec<_>>();
        assert_eq!(models, [12, 10, 8]);
        for table in tables {
            for column in &table.columns {
                let is_mean = column.starts_with("mean-");
                assert!(is_mean || column.parse::<TaskType>().is_ok(), "{column}");
            }
            for row in &table.rows {
                assert_eq!(row.scores.len(), table.columns.len(), "{}", row.model);
            }
        }
    }

    /// The card's mean over types is that of the types beside it, for Qwen's models in all tables.
    #[test]
    fn the_mean_over_types_is_that_of_the_types() {
        for table in &published().tables {
            for row in table.rows.iter().filter(|row| row.model.starts_with("Qwen3")) {
                let types: Vec<f64> = row.scores[2..].iter().flatten().copied().collect();
                let mean = types.iter().sum::<f64>() / types.len() as f64;
                let told = row.scores[1].expect("every model has one");
                assert!(
                    (mean - told).abs() < 0.02,
                    "{} {}: {mean}, {told}",
                    table.benchmark,
                    row.model
                );
            }
        }
    }
}
