//! Embeds two queries and two documents, and prints how similar they are.
//!
//! ```sh
//! cargo run --release --example embed -- Qwen/Qwen3-Embedding-0.6B
//! ```

use qwen3_engine::{Embedder, EncodeOptions, Error, Options};

fn main() -> Result<(), Error> {
    // The model inside the program, a hub id or a folder.
    let model = std::env::args().nth(1).unwrap_or("mini".to_owned());
    let model = Embedder::load(&model, &Options::default())?;
    println!("running on {} in {}", model.device(), model.dtype());

    let queries = ["What is the capital of China?", "Explain gravity"];
    let documents = [
        "The capital of China is Beijing.",
        "Gravity is a force that attracts two bodies towards each other.",
    ];
    let options = EncodeOptions::default();
    let query_vectors = model.encode_query(queries, &options)?;
    let document_vectors = model.encode_document(documents, &options)?;

    for (query, row) in queries.iter().zip(model.similarity(&query_vectors, &document_vectors)?) {
        for (document, similarity) in documents.iter().zip(row) {
            println!("{similarity:.4}  {query}  |  {document}");
        }
    }
    Ok(())
}
