//! The `qwen3` command.

// What can be typed.
mod args;

// The commands.
mod convert;
mod devices;
mod doctor;
mod download;
mod embed;
mod eval;
mod info;
mod rerank;
mod serve;
mod similarity;
#[cfg(feature = "train")]
mod train;

// Texts in, results out.
mod ahead;
mod field;
mod input;
mod npy;
mod output;
mod print;
mod table;
mod tables;
mod vectors;

// The run itself: its model, what is told meanwhile, what ends it.
mod cache;
mod error;
mod fingerprint;
mod loading;
mod notes;
mod progress;
mod stats;
mod stop;
mod terminal;

use args::{Command, parse};
use error::Error;
use std::io::Write;
use std::panic::{self, PanicHookInfo, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use stop::Stop;

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
    let _ = writeln!(std::io::stderr(), "qwen3: {}", terminal::escaped(message));
}

fn run(command: Command) -> Result<(), Error> {
    if let Ok(isa) = std::env::var("QWEN3_CPU_ISA")
        && !isa.is_empty()
    {
        qwen3_engine::internals::limit_cpu_isa(&isa)?;
    }
    if let Some(folder) = cache::cache_folder() {
        qwen3_engine::keep_kernels_in(folder.join("kernels"));
    }
    let stop = match &command {
        // It has a runtime to listen with.
        Command::Serve(_) => Stop::default(),
        _ => Stop::listen()?,
    };
    match command {
        Command::Embed(args) => embed::embed(&args, &stop),
        Command::Similarity(args) => similarity::similarity(&args, &stop),
        Command::Rerank(args) => rerank::rerank(&args, &stop),
        Command::Eval(args) => eval::eval(&args, &stop),
        Command::Devices(args) => devices::devices(&args),
        Command::Info(args) => info::info(&args, &stop),
        Command::Download(args) => download::download(&args, &stop),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Convert(args) => convert::convert(&args, &stop),
        Command::Serve(args) => serve::serve(*args),
        #[cfg(feature = "train")]
        Command::Train(args) => train::train(&args, &stop),
        #[cfg(feature = "train")]
        Command::Merge(args) => train::merge(&args, &stop),
        Command::Completions { shell } => print::print(&args::completions(shell)),
    }
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn remember_panic(info: &PanicHookInfo) {
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| !value.is_empty() && value != "0") {
        let backtrace = std::backtrace::Backtrace::force_capture();
        let _ = writeln!(std::io::stderr(), "qwen3: {info}\n{backtrace}");
    }
    if let Ok(mut last) = LAST_PANIC.lock() {
        *last = info.to_string();
    }
}
