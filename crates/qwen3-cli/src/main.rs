//! The `qwen3` command.

mod access;
mod ahead;
mod args;
mod convert;
mod doctor;
mod embed;
mod error;
mod input;
mod inspect;
mod output;
mod rerank;
mod run;
mod serve;
mod serve_args;
mod similarity;
#[cfg_attr(not(feature = "otlp"), path = "no_spans.rs")]
mod spans;
mod stats;
mod table;
mod variables;

use args::{Command, parse};
use error::Error;
use std::io::Write;
use std::panic::{self, PanicHookInfo, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;

/// Exit codes, as `qwen3 --help` documents them.
const FAILED: u8 = 1;
const CANCELLED: u8 = 130;

fn main() -> ExitCode {
    let arguments = parse();
    panic::set_hook(Box::new(remember_panic));
    // The engine turns panics of GPU libraries into errors. One that arrives
    // here is a bug, and is told as such.
    match catch_unwind(|| run(arguments.command)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        // The reader of a pipe has seen enough: not our failure.
        Ok(Err(Error::BrokenPipe)) => ExitCode::SUCCESS,
        Ok(Err(Error::Cancelled { message })) => {
            say(&message);
            ExitCode::from(CANCELLED)
        }
        Ok(Err(error)) => {
            say(&error.with_causes());
            ExitCode::from(FAILED)
        }
        Err(_) => {
            let panic = LAST_PANIC.lock().map(|last| last.clone()).unwrap_or_default();
            say(&format!("internal error, please report it: {panic}"));
            ExitCode::from(FAILED)
        }
    }
}

/// One line on standard error, which may be closed.
fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "qwen3: {message}");
}

fn run(command: Command) -> Result<(), Error> {
    if let Ok(isa) = std::env::var("QWEN3_CPU_ISA")
        && !isa.is_empty()
    {
        qwen3_engine::limit_cpu_isa(&isa)?;
    }
    match command {
        Command::Embed(args) => embed::embed(&args),
        Command::Similarity(args) => similarity::similarity(&args),
        Command::Rerank(args) => rerank::rerank(&args),
        Command::Devices(args) => inspect::devices(&args),
        Command::Info(args) => inspect::info(&args),
        Command::Download(args) => inspect::download(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Convert(args) => convert::convert(&args),
        Command::Serve(args) => serve::serve(*args),
        Command::Completions { shell } => inspect::print(&args::completions(shell)),
    }
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn remember_panic(info: &PanicHookInfo) {
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| !value.is_empty() && value != "0") {
        say(&format!("{info}\n{}", std::backtrace::Backtrace::force_capture()));
    }
    if let Ok(mut last) = LAST_PANIC.lock() {
        *last = info.to_string();
    }
}
