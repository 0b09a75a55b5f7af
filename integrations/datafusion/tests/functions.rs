//! In SQL over Parquet: the numbers of the library, row by row.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Float32Type;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use qwen3_engine::{Embedder, EncodeOptions, Options, Prompt, RankOptions, Reranker};
use std::path::PathBuf;
use std::sync::Arc;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures")).join(name)
}

/// A context with both functions, and a table of 5,000 texts in Parquet, the third of them null.
async fn context(folder: &std::path::Path) -> (SessionContext, Arc<Embedder>, Arc<Reranker>) {
    let options = Options::default();
    let embedder = Arc::new(Embedder::load(fixture("tiny-embedding"), &options).unwrap());
    let reranker = Arc::new(Reranker::load(fixture("tiny-reranker-tied"), &options).unwrap());
    let context = SessionContext::new();
    context.register_udf(qwen3_datafusion::embed(Arc::clone(&embedder)));
    context.register_udf(qwen3_datafusion::rerank(Arc::clone(&reranker)));
    let file = folder.join("texts.parquet");
    let write = format!(
        "COPY (SELECT value AS id, CASE WHEN value = 2 THEN NULL ELSE 'text ' || value END AS body,
                      CASE WHEN value % 2 = 0 THEN 'query' END AS prompt
               FROM range(5000)) TO '{}'",
        file.display()
    );
    context.sql(&write).await.unwrap().collect().await.unwrap();
    let read =
        context.register_parquet("texts", file.to_str().unwrap(), ParquetReadOptions::default());
    read.await.unwrap();
    (context, embedder, reranker)
}

async fn rows(context: &SessionContext, sql: &str) -> RecordBatch {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    datafusion::arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn embed_gives_the_vectors_of_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let (context, model, _) = context(folder.path()).await;
    let found =
        rows(&context, "SELECT embed(body) a, embed(body, prompt) b FROM texts ORDER BY id").await;
    assert_eq!(found.num_rows(), 5_000);
    for (column, prompted) in [(0, false), (1, true)] {
        let vectors = found.column(column).as_fixed_size_list();
        assert!(vectors.is_null(2) && vectors.null_count() == 1);
        for row in [0, 1, 3, 4, 4_999] {
            let prompt = match prompted && row % 2 == 0 {
                true => Prompt::Name("query".to_owned()),
                false => Prompt::Default,
            };
            let options = EncodeOptions::default().prompt(prompt);
            let expected = model.encode_one(&*format!("text {row}"), &options).unwrap();
            let vector = vectors.value(row);
            assert_eq!(
                vector.as_primitive::<Float32Type>().values().to_vec(),
                expected.vector,
                "{row}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rerank_gives_the_scores_of_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let (context, _, model) = context(folder.path()).await;
    let sql = "SELECT rerank('text 3', body) FROM texts WHERE id < 5 ORDER BY id";
    let found = rows(&context, sql).await;
    let scores = found.column(0).as_primitive::<Float32Type>();
    assert!(scores.is_null(2));
    for row in [0, 1, 3, 4] {
        let expected = model.score_one("text 3", &format!("text {row}"), &RankOptions::default());
        assert_eq!(scores.value(row), expected.unwrap().score as f32, "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_the_model_lacks_is_an_error_of_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let (context, ..) = context(folder.path()).await;
    let query = context.sql("SELECT embed(body, 'nosuch') FROM texts").await.unwrap();
    let error = query.collect().await.unwrap_err().to_string();
    assert!(error.contains("nosuch"), "{error}");
    assert!(context.sql("SELECT embed(id, 1, 2) FROM texts").await.is_err());
}
