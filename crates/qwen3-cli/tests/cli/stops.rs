//! Whoever asks the process to stop is heard, by each command and at any time.

use crate::command::{finish, on_cpu, qwen3};
use crate::fixtures::embedding_model;
use crate::streams::{ends_while_its_input_is_open, signal};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

/// A hub that takes a connection and says nothing.
struct Silent(TcpListener);

impl Silent {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// Starts a run that asks it for a model, and stops it while it waits for the answer.
    #[track_caller]
    fn check(&self, arguments: &[&str], by: &str, code: i32) {
        let home = tempfile::tempdir().unwrap();
        let run = qwen3(arguments).args(["--model", "test/tiny"]).env("HF_HOME", home.path());
        let endpoint = format!("http://{}", self.0.local_addr().unwrap());
        let mut child = run.env("HF_ENDPOINT", endpoint).start();
        let (mut asked, _) = self.0.accept().unwrap();
        asked.read_exact(&mut [0; 4]).unwrap();
        signal(&child, by);
        let is_heard = ends_while_its_input_is_open(&mut child);
        drop(asked);
        let outcome = finish(child, "waiting for a hub");
        assert!(is_heard, "{by} is not heard: {outcome:?}");
        assert_eq!(outcome.code, Some(code), "{by}: {outcome:?}");
    }
}

#[test]
fn a_hub_that_does_not_answer_keeps_nobody() {
    let hub = Silent::new();
    for by in ["-TERM", "-INT"] {
        hub.check(&["serve", "--hostname", "127.0.0.1", "--port", "0"], by, 0);
        hub.check(&["embed", "a"], by, 130);
    }
    hub.check(&["rerank", "--query", "q", "a"], "-TERM", 130);
    hub.check(&["similarity", "--query", "q", "--document", "a"], "-TERM", 130);
    hub.check(&["info"], "-TERM", 130);
    hub.check(&["download"], "-TERM", 130);
    hub.check(&["convert", "--out", "nosuch/model"], "-TERM", 130);
}

#[test]
fn the_same_signal_twice_at_once_is_one_wish() {
    // As `timeout` sends it: to the process and to its group.
    let mut child = on_cpu("embed", &embedding_model(), ["--format", "jsonl"]).start();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdin.write_all(&[b'\n'; 5_000]).unwrap();
    // It computes, and waits for more.
    stdout.read_exact(&mut [0; 100]).unwrap();
    let rest = thread::spawn(move || {
        let mut rest = vec![];
        stdout.read_to_end(&mut rest).unwrap();
        rest
    });
    signal(&child, "-TERM");
    signal(&child, "-TERM");
    let outcome = finish(child, "embed, terminated twice");
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    assert!(outcome.stderr.contains("texts were finished"), "{outcome:?}");
    assert!(rest.join().unwrap().ends_with(b"}\n"));
    drop(stdin);
}
