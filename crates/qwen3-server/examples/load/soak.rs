//! Many clients, good and bad, for a long time.

use crate::Args;
use crate::client::{Client, request};
use crate::hostile::Kind;
use crate::seen::Seen;
use crate::texts::{Random, Texts};
use serde_json::json;
use std::error::Error;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// From one look at the server's memory to the next.
const LOOK: Duration = Duration::from_secs(10);

/// What the server's process held, in MiB.
#[derive(Default)]
struct Memory {
    first: u64,
    most: u64,
    last: u64,
}

/// Runs all clients for as long as `args` say, and tells what they saw.
///
/// # Errors
/// If there is no server, or it doesn't compute.
pub fn soak(args: &Args) -> Result<(), Box<dyn Error>> {
    let texts = Texts::new(&args.address, |index| [1, 5, 12, 40, 120][index % 5])?;
    let all = Mutex::new(Seen::default());
    let started = Instant::now();
    let until = started + Duration::from_secs(args.seconds);
    let is_over = AtomicBool::new(false);
    let memory = thread::scope(|scope| {
        let memory = scope.spawn(|| watch(args.pid, started, &is_over));
        let hostile = Kind::ALL
            .map(|kind| scope.spawn(move || kind.keep(&args.address, args.hostile, until)));
        let client = |connection| {
            let (all, texts) = (&all, &texts);
            scope.spawn(move || {
                let seen = visit(args, Random(connection as u64 + 1), texts, until);
                all.lock().expect("no thread panics").merge(seen);
            })
        };
        let clients: Vec<_> = (0..args.connections).map(client).collect();
        for client in clients {
            client.join().expect("no thread panics");
        }
        for (kind, opened) in Kind::ALL.into_iter().zip(hostile) {
            let opened = opened.join().expect("no thread panics");
            all.lock().expect("no thread panics").add(kind.name(), opened);
        }
        is_over.store(true, Ordering::Relaxed);
        memory.join().expect("no thread panics")
    });
    print!("soak, {} connections: ", args.connections);
    all.into_inner()?.print(started.elapsed());
    let Memory { first, most, last } = memory;
    println!("memory: {first} MiB at first, {most} at most, {last} at last");
    println!("the server's own count: {}", connections(&args.address)?.join(", "));
    Ok(())
}

/// The lines of `/metrics` about connections.
fn connections(address: &str) -> io::Result<Vec<String>> {
    let mut client = Client::connect(address)?;
    client.send(b"GET /metrics HTTP/1.1\r\nhost: load\r\n\r\n")?;
    let (_, body) = client.receive()?;
    let text = String::from_utf8_lossy(&body);
    let lines = text.lines().filter(|line| line.starts_with("qwen3_connections"));
    Ok(lines.map(str::to_owned).collect())
}

/// Tells the memory of a process until it is over.
fn watch(pid: Option<u32>, started: Instant, is_over: &AtomicBool) -> Memory {
    let mut memory = Memory::default();
    let mut told: Option<Instant> = None;
    while !is_over.load(Ordering::Relaxed) {
        if let Some(kibibytes) = pid.and_then(resident_kibibytes) {
            memory.last = kibibytes / 1024;
            memory.most = memory.most.max(memory.last);
            if told.is_none() {
                memory.first = memory.last;
            }
            if told.is_none_or(|told| told.elapsed() >= LOOK) {
                println!("{:3} s: {} MiB", started.elapsed().as_secs(), memory.last);
                told = Some(Instant::now());
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    memory
}

/// What one client saw that did one thing after the other for a time.
fn visit(args: &Args, mut random: Random, texts: &Texts, until: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut client = Client::connect(&args.address).expect("the server is there");
    while Instant::now() < until {
        if let Err(error) = step(&mut client, &mut random, texts, &mut seen) {
            seen.count(format!("error: {error}"));
            client.reconnect().expect("the server is there");
        }
    }
    seen
}

/// One thing that a client may do.
fn step(
    client: &mut Client,
    random: &mut Random,
    texts: &Texts,
    seen: &mut Seen,
) -> io::Result<()> {
    let (chosen, batch) = texts.choose(1 + random.below(16), random);
    let bytes = request("/embed", &json!({ "inputs": batch }));
    let sent = Instant::now();
    match random.below(20) {
        0 => {
            client.send(&bytes)?;
            thread::sleep(Duration::from_millis(random.below(5) as u64));
            seen.count("gone before the answer");
            return client.reconnect();
        }
        1 => {
            client.send(&bytes[..bytes.len() / 2])?;
            seen.count("gone within the request");
            return client.reconnect();
        }
        2 => {
            let status = send_too_much(client)?;
            seen.count(format!("too large: {status}"));
            return client.reconnect();
        }
        3 => send_in_parts(client, &bytes)?,
        _ => client.send(&bytes)?,
    }
    let (status, body) = client.receive()?;
    match status {
        200 if texts.is_right(&body, &chosen) => {
            seen.latencies.push(sent.elapsed());
            seen.count("right");
        }
        200 => seen.count("WRONG"),
        other => seen.count(other.to_string()),
    }
    Ok(())
}

fn send_in_parts(client: &mut Client, bytes: &[u8]) -> io::Result<()> {
    for part in bytes.chunks(bytes.len() / 3 + 1) {
        client.send(part)?;
        thread::sleep(Duration::from_millis(30));
    }
    Ok(())
}

/// A body that is refused by its length, so that the rest of it needn't come.
fn send_too_much(client: &mut Client) -> io::Result<u16> {
    let length = u32::MAX;
    let head = format!("POST /embed HTTP/1.1\r\nhost: load\r\ncontent-length: {length}\r\n");
    client.send(head.as_bytes())?;
    client.send(b"content-type: application/json\r\n\r\n")?;
    client.send(&[b'x'; 1_000_000])?;
    Ok(client.receive()?.0)
}

fn resident_kibibytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
