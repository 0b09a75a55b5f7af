//! Finds the passages that answer a question, in SQL.

use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use qwen3_engine::{Embedder, Options};
use std::sync::Arc;

const PASSAGES: &str = "CREATE TABLE passages AS SELECT * FROM (VALUES
    (1, 'The capital of China is Beijing.'),
    (2, 'Gravity is a force that attracts two bodies towards each other.'),
    (3, 'Bread is made of flour, water and salt.')
) AS passages (id, body)";

/// Vectors have length 1, so distances order them as cosines do.
const SEARCH: &str = "
    WITH question AS (SELECT embed('What is the capital of China?', 'query') AS vector),
         vectors AS (SELECT id, body, embed(body) AS vector FROM passages)
    SELECT id, body, array_distance(vectors.vector, question.vector) AS distance
    FROM vectors, question ORDER BY distance";

#[tokio::main]
async fn main() -> Result<()> {
    let model = Embedder::load("mini", &Options::default());
    let model =
        model.map_err(|error| datafusion::error::DataFusionError::External(error.into()))?;
    let context = SessionContext::new();
    context.register_udf(qwen3_datafusion::embed(Arc::new(model)));
    context.sql(PASSAGES).await?.collect().await?;
    context.sql(SEARCH).await?.show().await
}
