//! `qwen3 serve` as a process: it listens, answers, and stops when it is told to.

use crate::command::{Outcome, finish, on_cpu, qwen3};
use crate::fixtures::{embedding_model, reranker};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};

/// A running server, its address, and the lines of its log so far.
struct Server {
    child: Child,
    address: String,
    log: BufReader<std::process::ChildStderr>,
}

fn start(arguments: &[&str]) -> Server {
    let fixed = ["--hostname", "127.0.0.1", "--port", "0", "--json-output"];
    let run = on_cpu("serve", &embedding_model(), fixed).args(arguments.iter().copied());
    let mut child = run.start();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let address = listening(&mut log);
    Server { child, address, log }
}

/// The address that the log tells.
fn listening(log: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "the server ended");
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["message"] == "listening" {
            return line["address"].as_str().unwrap().to_owned();
        }
    }
}

impl Server {
    /// The whole answer to a body, or to none.
    fn ask(&self, path: &str, headers: &str, body: &str) -> String {
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
    fn stop(mut self, signal: &str) -> (Outcome, String) {
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
fn keys_come_from_flag_environment_and_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from-file\n\n").unwrap();
    let server =
        start(&["--api-key", "first,second", "--api-key-file", file.path().to_str().unwrap()]);
    for (key, status) in [("first", 200), ("second", 200), ("from-file", 200), ("other", 401)] {
        let answer = server.ask("/info", &format!("authorization: Bearer {key}\r\n"), "");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{key}: {answer}");
    }
    let (_, log) = server.stop("-TERM");
    assert!(!log.contains("second") && !log.contains("from-file"), "{log}");
    std::fs::write(file.path(), "\n").unwrap();
    let run = on_cpu("serve", &embedding_model(), ["--port", "0", "--api-key-file"]);
    run.arg(file.path()).fails(1, &["can't read keys", "one key a line"]);
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
