//! Embeds every text file of a folder, then answers a query with the nearest.
//!
//! ```sh
//! cargo run --release --example semantic_search
//! cargo run --release --example semantic_search -- \
//!     ~/notes "where did I write about gravity?" Qwen/Qwen3-Embedding-0.6B
//! ```

use qwen3_engine::{Embedder, EncodeOptions, Hooks, Options, Progress};
use std::error::Error;
use std::fs;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or("examples/texts".to_owned());
    let query = arguments.next().unwrap_or("Why do trees lose their green colour?".to_owned());
    // The model inside the program, a hub id or a folder.
    let model = arguments.next().unwrap_or("mini".to_owned());

    let mut files = vec![];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // What is not text is passed over.
        if let Ok(text) = fs::read_to_string(&path) {
            files.push((path, text));
        }
    }

    let model = Embedder::load(&model, &Options::default())?;
    let on_progress = |progress| {
        if let Progress::Compute { texts, total_texts } = progress {
            eprintln!("{texts} of {total_texts}");
        }
    };
    let hooks = Hooks::default().on_progress(on_progress);
    let options = EncodeOptions::default().hooks(hooks);
    let texts = files.iter().map(|(_, text)| text);
    let documents = model.encode_document(texts, &options)?;
    let queries = model.encode_query([&query], &EncodeOptions::default())?;

    let similarities = model.similarity(&queries, &documents)?.remove(0);
    let mut nearest: Vec<_> = similarities.into_iter().zip(&files).collect();
    nearest.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (similarity, (path, _)) in nearest.iter().take(3) {
        println!("{similarity:.4}  {}", path.display());
    }
    Ok(())
}
