//! `cargo xtask COMMAND`: the project's automation, in Rust and nothing else.
//!
//! It starts in seconds because it links nothing: what needs the network is
//! another program, built when it is asked for.

mod mini;
mod targets;
mod tidy;

use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND [OPTIONS]

commands:
  tidy      check the invariants of ARCHITECTURE.md and the limits of CONTRIBUTING.md;
            with --write-exceptions, lower what xtask/src/tidy/exceptions.txt allows,
            or without that file list everything that is beyond a limit
  convert   write a checkpoint as one file (`qwen3 convert`)
  parity    compare every stage of the network with Hugging Face Transformers
  bench     measure tokens per second over devices, dtypes and shapes
  dtypes    tell what dtypes cost in accuracy, beside float32
  fixtures  make the fixtures of the tests again, with Python
  mini      make the small model: texts, tokenizer, teacher, training, evaluation
  targets   build and check everything for Windows, macOS and Arm, on Debian

`cargo xtask COMMAND --help` tells the options. QWEN3_FEATURES chooses the backends that are
built, as in QWEN3_FEATURES=cpu,cuda";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["tidy"] => tidy::tidy(),
        ["tidy", "--write-exceptions"] => tidy::write_exceptions(),
        ["mini", ref arguments @ ..] => mini::mini(arguments),
        ["targets", ref words @ ..] => targets::targets(words),
        ["convert", ..] => run("qwen3", "cpu", &arguments),
        ["parity" | "bench" | "dtypes" | "fixtures", ..] => {
            run("qwen3-proof", "cpu,ndarray,wgpu", &arguments)
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Builds one of our programs if need be, and runs it in the user's folder.
fn run(program: &str, features: &str, arguments: &[String]) -> ExitCode {
    let features = std::env::var("QWEN3_FEATURES").unwrap_or_else(|_| features.to_owned());
    // Not `--package`: the set of packages decides about features, and another
    // set would build the backends once more.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--release", "--bin", program, "--features", &features]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")]);
    match cargo.arg("--").args(arguments).status() {
        Ok(status) => {
            ExitCode::from(status.code().and_then(|code| code.try_into().ok()).unwrap_or(1))
        }
        Err(error) => {
            eprintln!("xtask: can't run cargo: {error}");
            ExitCode::FAILURE
        }
    }
}
