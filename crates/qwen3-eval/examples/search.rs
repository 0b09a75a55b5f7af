//! Time and memory of an exact search over random vectors.
//!
//! ```sh
//! cargo run --release -p qwen3-eval --example search -- 1000000 1024 100
//! ```
//!
//! The arguments are documents, the width of a vector, and queries.

use qwen3_eval::{Error, Search, Vectors};
use std::time::{Duration, Instant};

const CHUNK: usize = 10_000;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().ok());
    let mut next = |default| arguments.next().flatten().unwrap_or(default);
    let (documents, width, queries) = (next(1_000_000), next(1_024), next(100));
    let mut random = random();
    let numbers: Vec<f32> = (0..queries * width).map(|_| random()).collect();
    let mut search = Search::new(&Vectors::new(&numbers, width)?, 1_000)?;
    let mut time = Duration::ZERO;
    while search.documents() < documents {
        let rows = CHUNK.min(documents - search.documents());
        let chunk: Vec<f32> = (0..rows * width).map(|_| random()).collect();
        let begin = Instant::now();
        search.add(&Vectors::new(&chunk, width)?)?;
        time += begin.elapsed();
    }
    let found = search.finish();
    let products = 2.0 * (documents * width * queries) as f64 / time.as_secs_f64() / 1e9;
    println!(
        "{documents} documents of {width} numbers, {queries} queries: {time:.1?}, {products:.1} GFLOP/s"
    );
    println!("best of the first query: {:?}", found.first().and_then(|list| list.first()));
    // Linux tells how much memory was ever held.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("{}", peak.unwrap_or("memory unknown"));
    Ok(())
}

/// Numbers of -1 to 1 by a linear congruence (Knuth's MMIX).
fn random() -> impl FnMut() -> f32 {
    let mut state = 1_u64;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    }
}
