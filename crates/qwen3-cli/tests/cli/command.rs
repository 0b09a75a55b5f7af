//! One way to run the command: with nothing of this machine's environment, with
//! a time limit, and with everything it printed.

use crate::hub_server::{Hub, MODEL};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Long enough for the slowest test on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// A run of `qwen3` that is being put together.
pub struct Qwen3 {
    pub command: Command,
    stdin: Vec<u8>,
}

/// `qwen3` with these arguments, empty standard input, and a hub that can't be
/// reached.
pub fn qwen3<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Qwen3 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3"));
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HF_")
            || text.starts_with("RUST_")
            || text.to_lowercase().ends_with("_proxy")
        {
            command.env_remove(&name);
        }
    }
    command.env("HF_HOME", "/nonexistent/huggingface").env("HF_ENDPOINT", "http://127.0.0.1:9");
    command.env("COLUMNS", "100");
    // Mesa's Vulkan driver complains on standard error where there is no session.
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    Qwen3 { command, stdin: vec![] }
}

/// `qwen3 COMMAND --device cpu --model FOLDER` and then `arguments`.
pub fn on_cpu<'a>(
    subcommand: &str,
    model: &Path,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Qwen3 {
    qwen3([subcommand, "--device", "cpu", "--model"]).arg(model).args(arguments)
}

/// A run with the model from this hub, in a cache of its own.
pub fn from_hub(subcommand: &str, hub: &Hub, home: &TempDir) -> Qwen3 {
    named_from_hub([subcommand, MODEL], hub, home)
}

/// A subcommand with a model from this hub by its name.
pub fn named_from_hub([subcommand, name]: [&str; 2], hub: &Hub, home: &TempDir) -> Qwen3 {
    let run = qwen3([subcommand, "--model", name]);
    run.env("HF_ENDPOINT", hub.endpoint()).env("HF_HOME", home.path())
}

/// A run with what is in a cache.
pub fn offline(subcommand: &str, home: &TempDir) -> Qwen3 {
    named_offline([subcommand, MODEL], home)
}

/// A subcommand with a model in a cache by its name.
pub fn named_offline([subcommand, name]: [&str; 2], home: &TempDir) -> Qwen3 {
    let run = qwen3([subcommand, "--model", name]);
    run.env("HF_HUB_OFFLINE", "1").env("HF_HOME", home.path())
}

impl Qwen3 {
    pub fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Starts it with open pipes, for tests that talk to a running process.
    pub fn start(mut self) -> Child {
        let command = &mut self.command;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("cargo builds the binary before its tests")
    }

    /// Runs it to its end, whatever that is.
    pub fn outcome(mut self) -> Outcome {
        let called = format!("{:?}", self.command.get_args().collect::<Vec<_>>());
        let stdin = std::mem::take(&mut self.stdin);
        let mut child = self.start();
        let mut pipe = child.stdin.take().expect("it was asked for");
        // A run that fails early reads none of it.
        let writer = thread::spawn(move || drop(pipe.write_all(&stdin)));
        let outcome = finish(child, &called);
        writer.join().expect("writing to a pipe doesn't panic");
        outcome
    }

    /// Runs it and expects success.
    #[track_caller]
    pub fn succeeds(self) -> Outcome {
        let outcome = self.outcome();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome
    }

    /// Runs it and expects this exit code, nothing on standard output, and all
    /// of `words` in one message on standard error.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Outcome {
        let outcome = self.outcome();
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert!(outcome.stdout.is_empty(), "{outcome:?}");
        for word in words {
            assert!(outcome.stderr.contains(word), "no {word:?} in {outcome:?}");
        }
        // Failures are told in one line; wrong arguments by clap.
        if code == 1 {
            assert!(outcome.stderr.starts_with("qwen3: "), "{outcome:?}");
            assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
        }
        outcome
    }
}

/// What a run left behind.
pub struct Outcome {
    called: String,
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Outcome {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("this format is text")
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub fn jsonl(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        self.text().lines().map(line).collect()
    }
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { called, code, stdout, stderr } = self;
        let stdout: String = String::from_utf8_lossy(stdout).chars().take(2_000).collect();
        write!(f, "qwen3 {called} ended with {code:?}\n-- stdout\n{stdout}\n-- stderr\n{stderr}")
    }
}

/// Waits for the end of a process and all it prints.
pub fn finish(mut child: Child, called: &str) -> Outcome {
    let stdout = child.stdout.take().map(read_to_end);
    let stderr = child.stderr.take().map(read_to_end);
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the process is ours") {
            break status;
        }
        if started.elapsed() > TIME_LIMIT {
            drop(child.kill());
            panic!("qwen3 {called} did not end within {TIME_LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let bytes = |reader: Option<JoinHandle<Vec<u8>>>| {
        reader.map_or(vec![], |reader| reader.join().expect("reading a pipe doesn't panic"))
    };
    let stderr = String::from_utf8(bytes(stderr)).expect("messages are text");
    Outcome { called: called.to_owned(), code: status.code(), stdout: bytes(stdout), stderr }
}

fn read_to_end(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = vec![];
        pipe.read_to_end(&mut bytes).expect("a pipe can be read to its end");
        bytes
    })
}
