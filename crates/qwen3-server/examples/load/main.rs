//! Load for a running server, over plain sockets, so that it can also misbehave.
//! Every answer is compared with the vector that its text has alone. A soak also holds
//! connections that do nothing, half of something, or don't read (`--hostile`, of each kind).
//!
//! ```sh
//! qwen3 serve --model tests/fixtures/tiny-embedding --device cpu &
//! cargo run --release -p qwen3-server --example load -- speed --connections 16
//! cargo run --release -p qwen3-server --example load -- soak --connections 64 --seconds 120 --pid $!
//! cargo run --release -p qwen3-server --example load -- fairness
//! cargo run --release -p qwen3-server --example load -- direct --model tests/fixtures/tiny-embedding
//! ```

mod client;
mod hostile;
mod seen;
mod soak;
mod texts;

use client::Client;
use qwen3_engine::{DeviceId, Embedder, EncodeOptions, Options};
use seen::Seen;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use texts::{Random, TEXTS, Texts, texts};

struct Args {
    command: String,
    address: String,
    connections: usize,
    seconds: u64,
    words: usize,
    batch: usize,
    bulk: usize,
    count: usize,
    pid: Option<u32>,
    hostile: usize,
    model: String,
}

fn args() -> Result<Args, Box<dyn Error>> {
    let mut given = std::env::args().skip(1);
    let mut args = Args {
        command: given.next().ok_or("speed, soak, fairness or direct?")?,
        address: "127.0.0.1:3000".to_owned(),
        connections: 1,
        seconds: 10,
        words: 12,
        batch: 1,
        bulk: 2000,
        count: 500,
        pid: None,
        hostile: 16,
        model: String::new(),
    };
    while let (Some(flag), Some(value)) = (given.next(), given.next()) {
        match flag.as_str() {
            "--address" => args.address = value,
            "--connections" => args.connections = value.parse()?,
            "--seconds" => args.seconds = value.parse()?,
            "--words" => args.words = value.parse()?,
            "--batch" => args.batch = value.parse()?,
            "--bulk" => args.bulk = value.parse()?,
            "--count" => args.count = value.parse()?,
            "--pid" => args.pid = Some(value.parse()?),
            "--hostile" => args.hostile = value.parse()?,
            "--model" => args.model = value,
            _ => return Err(format!("unknown flag `{flag}`").into()),
        }
    }
    Ok(args)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = args()?;
    match args.command.as_str() {
        "speed" => speed(&args),
        "soak" => soak::soak(&args),
        "fairness" => fairness(&args),
        "direct" => direct(&args),
        other => Err(format!("unknown command `{other}`").into()),
    }
}

fn speed(args: &Args) -> Result<(), Box<dyn Error>> {
    let texts = Texts::new(&args.address, |_| args.words)?;
    let all = Mutex::new(Seen::default());
    let started = Instant::now();
    let until = started + Duration::from_secs(args.seconds);
    thread::scope(|scope| {
        for connection in 0..args.connections {
            let (all, texts) = (&all, &texts);
            scope.spawn(move || {
                let mut seen = Seen::default();
                let mut random = Random(connection as u64 + 1);
                let mut client = Client::connect(&args.address).expect("the server is there");
                while Instant::now() < until {
                    let (chosen, batch) = texts.choose(args.batch, &mut random);
                    let sent = Instant::now();
                    match client.embed(&batch) {
                        Ok((200, body)) => {
                            seen.latencies.push(sent.elapsed());
                            let right = texts.is_right(&body, &chosen);
                            seen.count(if right { "right" } else { "WRONG" });
                        }
                        Ok((status, _)) => seen.count(status.to_string()),
                        Err(error) => seen.count(error.to_string()),
                    }
                }
                all.lock().expect("no thread panics").merge(seen);
            });
        }
    });
    print!("{} connections, {} words: ", args.connections, args.words);
    all.into_inner()?.print(started.elapsed());
    Ok(())
}

/// One text at a time while another client sends `bulk` again and again.
fn fairness(args: &Args) -> Result<(), Box<dyn Error>> {
    let texts = texts(|_| args.words);
    let alone = times(&args.address, &texts, args.count)?;
    let is_over = AtomicBool::new(false);
    let (beside, full) = thread::scope(|scope| {
        let bulk = scope.spawn(|| {
            let mut client = Client::connect(&args.address).expect("the server is there");
            let mut round = 0;
            let started = Instant::now();
            while !is_over.load(Ordering::Relaxed) {
                let batch: Vec<String> =
                    (0..args.bulk).map(|i| format!("{round} {i} {}", texts[i % TEXTS])).collect();
                let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
                let (status, _) = client.embed(&batch).expect("an answer");
                assert_eq!(status, 200);
                round += 1;
            }
            (round, started.elapsed())
        });
        thread::sleep(Duration::from_millis(500));
        let beside = times(&args.address, &texts, args.count);
        is_over.store(true, Ordering::Relaxed);
        (beside, bulk.join().expect("no thread panics"))
    });
    let per_bulk = full.1.as_secs_f64() * 1e3 / f64::from(full.0);
    println!("one text alone, and beside {} ({per_bulk:.0} ms each):", args.bulk);
    for latencies in [alone, beside?] {
        let count = latencies.len();
        let sum: Duration = latencies.iter().sum();
        let seen = Seen { latencies, counts: BTreeMap::from([("texts".to_owned(), count)]) };
        seen.print(sum);
    }
    Ok(())
}

fn times(address: &str, texts: &[String], count: usize) -> io::Result<Vec<Duration>> {
    let mut client = Client::connect(address)?;
    let mut latencies = vec![];
    for index in 0..count {
        let sent = Instant::now();
        client.embed(&[&texts[index % TEXTS]])?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

/// The same texts without a server.
fn direct(args: &Args) -> Result<(), Box<dyn Error>> {
    let options = Options::default().device(DeviceId::Cpu);
    let model = Embedder::load(&args.model, &options)?;
    let texts = texts(|_| args.words);
    let mut seen = Seen::default();
    let mut random = Random(1);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(args.seconds) {
        let batch: Vec<&String> = (0..args.batch).map(|_| &texts[random.below(TEXTS)]).collect();
        let sent = Instant::now();
        model.encode(batch, &EncodeOptions::default())?;
        seen.latencies.push(sent.elapsed());
    }
    print!("engine, {} texts at a time: ", args.batch);
    seen.print(started.elapsed());
    Ok(())
}
