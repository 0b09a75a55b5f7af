//! `cargo xtask COMMAND`: the project's automation, in Rust and nothing else.
//!
//! It starts in seconds because it links nothing: what needs the network is
//! another program, built when it is asked for.

mod tidy;

use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND [OPTIONS]

commands:
  tidy      check the invariants of ARCHITECTURE.md that can be read off the source
  convert   write a checkpoint as one file (`qwen3 convert`)
  parity    compare every stage of the network with Hugging Face Transformers
  bench     measure tokens per second over devices, dtypes and shapes
  fixtures  make the fixtures of the tests again, with Python

`cargo xtask COMMAND --help` tells the options. QWEN3_FEATURES chooses the backends that are
built, as in QWEN3_FEATURES=cpu,cuda";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("tidy") if arguments.len() == 1 => tidy::tidy(),
        Some("convert") => run("qwen3", &arguments),
        Some("parity" | "bench" | "fixtures") => run("qwen3-proof", &arguments),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Builds one of our programs if need be, and runs it in the user's folder.
fn run(program: &str, arguments: &[String]) -> ExitCode {
    // Not `--package`: the set of packages decides about features, and another
    // set would build the backends once more.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--release", "--bin", program]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")]);
    if let Ok(features) = std::env::var("QWEN3_FEATURES") {
        cargo.args(["--package", if program == "qwen3" { "qwen3-cli" } else { program }]);
        cargo.args(["--no-default-features", "--features", &features]);
    }
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
