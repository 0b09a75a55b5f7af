//! `qwen3 serve` as a process: it listens, answers, and stops when it is told to.

use crate::command::{Outcome, Qwen3, finish, on_cpu, qwen3};
use crate::fixtures::{embedding_model, reranker};
use crate::http::Request;
use crate::hub_server::{Flaw, Hub, MODEL};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// A running server, its address, and the lines of its log so far.
pub struct Server {
    child: Child,
    pub address: String,
    log: BufReader<std::process::ChildStderr>,
}

pub const ON_ANY_PORT: [&str; 5] = ["--hostname", "127.0.0.1", "--port", "0", "--json-output"];

fn start(arguments: &[&str]) -> Server {
    let run = on_cpu("serve", &embedding_model(), ON_ANY_PORT);
    Server::of(run.args(arguments.iter().copied()).start())
}

/// The address that a line of the log tells.
fn address(log: &mut impl BufRead, message: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "the server ended");
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["message"] == message {
            return line["address"].as_str().unwrap().to_owned();
        }
    }
}

impl Server {
    /// A process that is about to listen.
    pub fn of(mut child: Child) -> Self {
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = address(&mut log, "listening");
        Self { child, address, log }
    }

    /// The whole answer to a body, or to none.
    pub fn ask(&self, path: &str, headers: &str, body: &str) -> String {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let length = body.len();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Ends it with a signal; returns how, and the rest of its log.
    pub fn stop(mut self, signal: &str) -> (Outcome, String) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (finish(self.child, "serve, stopped"), log)
    }
}

#[test]
fn a_server_answers_until_it_is_told_to_stop() {
    for signal in ["-TERM", "-INT"] {
        let reranker = reranker();
        let server = start(&["--reranker", reranker.to_str().unwrap()]);
        let answer = server.ask("/embed", "", r#"{"inputs": "gravity of a secret"}"#);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\n\r\n[["));
        let answer = server.ask("/rerank", "", r#"{"query": "q", "texts": ["a"]}"#);
        assert!(answer.contains("\"score\":"), "{answer}");
        let (outcome, log) = server.stop(signal);
        assert_eq!(outcome.code, Some(0), "{outcome:?}\n{log}");
        assert!(log.contains("\"route\":\"/embed\"") && log.contains("stopped"), "{log}");
        assert!(!log.contains("secret"), "{log}");
    }
}

#[test]
fn metrics_have_a_port_of_their_own_if_asked_for() {
    let mut server = start(&["--prometheus-port", "0"]);
    server.address = address(&mut server.log, "listening for /metrics");
    let metrics = server.ask("/metrics", "", "");
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n") && metrics.contains("te_queue_size 0"));
    let other = server.ask("/embed", "", r#"{"inputs": "a"}"#);
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
    let (outcome, log) = server.stop("-TERM");
    assert_eq!(outcome.code, Some(0), "{outcome:?}\n{log}");
}

/// `qwen3 serve` of the model of a hub.
fn from_hub(hub: &Hub, home: &TempDir) -> Qwen3 {
    let run = qwen3(["serve", "--device", "cpu", "--model", MODEL]).args(ON_ANY_PORT);
    run.env("HF_ENDPOINT", hub.endpoint()).env("HF_HOME", home.path())
}

#[test]
fn a_server_that_is_killed_while_it_loads_starts_again() {
    let home = tempfile::tempdir().unwrap();
    let slow = Hub::serve(&embedding_model(), Flaw::IsSlow);
    let hub = Hub::serve(&embedding_model(), Flaw::None);
    // While it downloads, and at several moments after it.
    let kills = [(&slow, 500), (&slow, 700), (&hub, 20), (&hub, 60), (&hub, 150), (&hub, 400)];
    for (hub, milliseconds) in kills {
        let mut child = from_hub(hub, &home).start();
        thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
    }
    assert!(slow.starts().len() > 1, "the second start went on with the download");
    let body = r#"{"inputs": ["gravity", "a force"]}"#;
    let vectors = |server: Server| {
        let answer = server.ask("/embed", "", body);
        server.stop("-TERM");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let found = vectors(Server::of(from_hub(&hub, &home).start()));
    assert!(found.starts_with("[["), "{found}");
    assert_eq!(found, vectors(start(&[])));
}

#[test]
fn nobody_is_let_in_before_the_model_is_there() {
    let home = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&embedding_model(), Flaw::IsSlow);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = qwen3(["serve", "--device", "cpu", "--model", MODEL, "--hostname", "127.0.0.1"]);
    let run = run.args(["--port", &free.port().to_string()]);
    let mut child = run.env("HF_ENDPOINT", hub.endpoint()).env("HF_HOME", home.path()).start();
    while hub.starts().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "the server ended");
        thread::sleep(Duration::from_millis(10));
    }
    assert!(TcpStream::connect(free).is_err(), "it has no answer yet");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn every_address_is_listened_on_if_none_is_named() {
    // Containers set the variable to their own name.
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    for hostname in ["", own.trim()] {
        let run = on_cpu("serve", &embedding_model(), ["--port", "0", "--json-output"]);
        let mut server = Server::of(run.env("HOSTNAME", hostname).start());
        server.address = server.address.replace("[::]", "127.0.0.1");
        let answer = server.ask("/embed", "", r#"{"inputs": "a"}"#);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        server.stop("-TERM");
    }
}

#[test]
fn connections_and_sockets_are_as_the_flags_say() {
    let mut server = start(&["--max-connections", "2", "--keep-alive", "1s"]);
    let mut clients: Vec<_> =
        (0..8).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    assert!(server.ask("/health", "", "").starts_with("HTTP/1.1 200 "));
    // One that asked something and is idle since.
    let last = clients.last_mut().unwrap();
    *last = TcpStream::connect(&server.address).unwrap();
    last.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut rest = String::new();
    last.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 "), "{rest}");
    let metrics = server.ask("/metrics", "", "");
    assert!(metrics.contains("qwen3_connections_dropped{reason=\"crowded\"}"), "{metrics}");
    assert!(metrics.contains("qwen3_connections_dropped{reason=\"idle\"} 1"), "{metrics}");
    server.address.clear();
    server.stop("-TERM");
    for (flag, value) in [("--uds-mode", "888"), ("--uds-mode", "7777"), ("--max-connections", "0")]
    {
        qwen3(["serve", flag, value]).fails(2, &[flag]);
    }
    qwen3(["serve", "--uds-mode", "660"]).fails(2, &["--uds-path"]);
}

#[test]
fn a_token_of_the_hub_is_taken_and_not_told() {
    let hub = Hub::serve(&embedding_model(), Flaw::Gated);
    for name in ["--hf-token", "--hf-api-token", "HF_TOKEN", "HF_API_TOKEN"] {
        let home = tempfile::tempdir().unwrap();
        let run = from_hub(&hub, &home);
        let run = match name.starts_with("--") {
            true => run.args([name, "hf_secret"]),
            false => run.env(name, "hf_secret"),
        };
        let (outcome, log) = Server::of(run.args(["--log-level", "debug"]).start()).stop("-TERM");
        assert_eq!(outcome.code, Some(0), "{outcome:?}\n{log}");
        assert!(!log.contains("hf_secret"), "{log}");
    }
    let requests = hub.requests();
    let told = |request: &Request| request.authorization.as_deref() == Some("Bearer hf_secret");
    assert!(!requests.is_empty() && requests.iter().all(told), "{requests:?}");
}

#[test]
fn what_qwen3_models_or_this_program_lack_is_told() {
    qwen3(["serve", "--dense-path", "2_Dense"]).fails(2, &["no dense module"]);
    qwen3(["serve"]).env("DENSE_PATH", "2_Dense").fails(2, &["no dense module"]);
    #[cfg(not(feature = "otlp"))]
    qwen3(["serve", "--otlp-endpoint", "http://localhost:4317"])
        .fails(1, &["`--otlp-endpoint`", "--features otlp"]);
    #[cfg(feature = "otlp")]
    qwen3(["serve", "--otlp-endpoint", "not a url"]).fails(1, &["not a url"]);
}

#[test]
fn what_can_not_be_served_is_told_before_it_is_loaded() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let arguments = ["--hostname", "127.0.0.1", "--port", &port];
    on_cpu("serve", &embedding_model(), arguments).fails(1, &["can't listen", &port]);
    let arguments = ["--hostname", "127.0.0.1", "--port", "0"];
    let run = on_cpu("serve", &reranker(), arguments).outcome();
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stderr.contains("the embedding model") && run.stderr.contains("--reranker"),
        "{run:?}"
    );
    qwen3(["serve", "--tls-cert", "a.pem"]).fails(2, &["--tls-key"]);
}

/// What is served is mapped: a file that is written to gives an error and not other vectors,
/// and one that was replaced is served on.
#[test]
fn a_file_that_is_overwritten_is_not_served_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.gguf");
    let whole = std::fs::read(crate::fixtures::folder("gguf/tiny-embedding-q8_0.gguf")).unwrap();
    std::fs::write(&path, &whole).unwrap();
    let server = Server::of(on_cpu("serve", &path, ON_ANY_PORT).start());
    let answer = |text: &str| server.ask("/embed", "", &format!("{{\"inputs\": \"{text}\"}}"));
    assert!(answer("a").starts_with("HTTP/1.1 200 OK\r\n"));
    let new = folder.path().join("new.gguf");
    std::fs::write(&new, &whole).unwrap();
    let other = std::fs::hard_link(&path, folder.path().join("old.gguf"));
    std::fs::rename(&new, &path).unwrap();
    assert!(answer("b").starts_with("HTTP/1.1 200 OK\r\n"));
    other.unwrap();
    // The old one, by its other name, is what is mapped; by this name it is the new one.
    std::fs::rename(folder.path().join("old.gguf"), &path).unwrap();
    std::fs::write(&path, &whole).unwrap();
    let refused = answer("c");
    assert!(!refused.starts_with("HTTP/1.1 200 OK\r\n"), "{refused}");
    assert!(answer("d").starts_with("HTTP/1.1 503 "));
    let (outcome, log) = server.stop("-TERM");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(log.contains("have changed since the model was opened"), "{log}");
}

#[test]
fn a_model_of_the_other_kind_is_refused_with_a_way_that_there_is() {
    let words = ["tiny-reranker-tied", "looks like reranker", "`qwen3 convert --kind embedding`"];
    let outcome = on_cpu("serve", &reranker(), ON_ANY_PORT).fails(1, &words);
    assert!(!outcome.stderr.contains("option `kind`"), "{outcome:?}");
}
