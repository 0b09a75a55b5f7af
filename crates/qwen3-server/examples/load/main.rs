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

mod hostile;
mod soak;

use qwen3_engine::{DeviceId, Embedder, EncodeOptions, Options};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Different texts.
const TEXTS: usize = 256;
/// Beyond this two vectors of a text differ.
const TOLERANCE: f32 = 1e-5;

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

/// One connection, kept alive.
struct Client {
    address: String,
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self { address: address.to_owned(), stream: BufReader::new(stream) })
    }

    fn send(&mut self, head_and_body: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(head_and_body)
    }

    fn receive(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let lower = line.to_ascii_lowercase();
            if let Some(code) = lower.strip_prefix("http/1.1 ") {
                status = code[..3].parse().map_err(io::Error::other)?;
            } else if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            } else if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }

    fn embed(&mut self, texts: &[&str]) -> io::Result<(u16, Vec<u8>)> {
        self.send(&request("/embed", &json!({ "inputs": texts })))?;
        self.receive()
    }

    fn reconnect(&mut self) -> io::Result<()> {
        *self = Self::connect(&self.address)?;
        Ok(())
    }
}

fn request(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: load\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [head, body].concat().into_bytes()
}

/// A sequence of numbers that looks random; xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn texts(words: impl Fn(usize) -> usize) -> Vec<String> {
    let names = ["gravity", "planet", "force", "capital", "river", "stone", "light", "winter"];
    let text = |index: usize| {
        let mut random = Random(index as u64 * 7919 + 17);
        let words: Vec<&str> =
            (0..words(index)).map(|_| names[random.below(names.len())]).collect();
        format!("{index} {}", words.join(" "))
    };
    (0..TEXTS).map(text).collect()
}

/// The vector of each text, computed alone.
fn truth(address: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let mut client = Client::connect(address)?;
    let mut vectors = vec![];
    for text in texts {
        let (status, body) = client.embed(&[text])?;
        if status != 200 {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        let [vector]: [Vec<f32>; 1] = serde_json::from_slice(&body)?;
        vectors.push(vector);
    }
    Ok(vectors)
}

fn is_right(body: &[u8], indices: &[usize], truth: &[Vec<f32>]) -> bool {
    let Ok(vectors) = serde_json::from_slice::<Vec<Vec<f32>>>(body) else { return false };
    let same = |(vector, index): (&Vec<f32>, &usize)| {
        let pairs = vector.iter().zip(&truth[*index]);
        vector.len() == truth[*index].len()
            && pairs.into_iter().all(|(a, b)| (a - b).abs() < TOLERANCE)
    };
    vectors.len() == indices.len() && vectors.iter().zip(indices).all(same)
}

/// What all connections saw.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    counts: BTreeMap<String, usize>,
}

impl Seen {
    fn count(&mut self, what: impl Into<String>) {
        self.add(what, 1);
    }

    fn add(&mut self, what: impl Into<String>, times: usize) {
        *self.counts.entry(what.into()).or_default() += times;
    }

    fn merge(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        for (what, count) in other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    fn print(mut self, elapsed: Duration) {
        self.latencies.sort_unstable();
        let at = |share: f64| {
            let rank = (share * self.latencies.len() as f64).ceil() as usize;
            let found = self.latencies.get(rank.saturating_sub(1)).copied().unwrap_or_default();
            format!("{:.2}", found.as_secs_f64() * 1e3)
        };
        let rate = self.latencies.len() as f64 / elapsed.as_secs_f64();
        let (p50, p95, p99) = (at(0.5), at(0.95), at(0.99));
        println!(
            "{rate:.0} requests/s, p50 {p50} ms, p95 {p95} ms, p99 {p99} ms; {:?}",
            self.counts
        );
    }
}

fn speed(args: &Args) -> Result<(), Box<dyn Error>> {
    let texts = texts(|_| args.words);
    let truth = truth(&args.address, &texts)?;
    let all = Mutex::new(Seen::default());
    let started = Instant::now();
    let until = started + Duration::from_secs(args.seconds);
    thread::scope(|scope| {
        for connection in 0..args.connections {
            let (all, texts, truth) = (&all, &texts, &truth);
            scope.spawn(move || {
                let mut seen = Seen::default();
                let mut random = Random(connection as u64 + 1);
                let mut client = Client::connect(&args.address).expect("the server is there");
                while Instant::now() < until {
                    let chosen: Vec<usize> = (0..args.batch).map(|_| random.below(TEXTS)).collect();
                    let batch: Vec<&str> = chosen.iter().map(|&i| texts[i].as_str()).collect();
                    let sent = Instant::now();
                    match client.embed(&batch) {
                        Ok((200, body)) => {
                            seen.latencies.push(sent.elapsed());
                            let right = is_right(&body, &chosen, truth);
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
