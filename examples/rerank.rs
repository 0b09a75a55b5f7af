//! Orders documents by how well they answer a query.
//!
//! ```sh
//! cargo run --release --example rerank -- Qwen/Qwen3-Reranker-0.6B
//! ```

use qwen3_engine::{Error, Options, RankOptions, Reranker};

fn main() -> Result<(), Error> {
    // A hub id or a folder; the fixture's weights are random.
    let model = std::env::args().nth(1).unwrap_or("tests/fixtures/tiny-reranker-tied".to_owned());
    let model = Reranker::load(&model, &Options::default())?;

    let documents = [
        "Venus is often called Earth's twin because of its similar size and proximity.",
        "Mars, known for its reddish appearance, is often referred to as the Red Planet.",
        "Saturn, famous for its rings, is sometimes mistaken for the Red Planet.",
    ];
    let options = RankOptions::default()
        .instruction("Find the passage that answers the question".to_owned())
        .top_n(2);
    let ranked = model.rank("Which planet is known as the Red Planet?", documents, &options)?;
    for place in ranked {
        let (score, log_odds) = (place.score.score, place.score.log_odds);
        println!("{score:.4} ({log_odds:+.2})  {}", documents[place.index]);
    }
    Ok(())
}
