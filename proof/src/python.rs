//! Transformers at hand: a virtual environment with pinned versions under
//! `target/`, and the committed scripts run in it. Only for proofs; nothing
//! that users run needs Python.

use crate::error::Error;
use crate::in_repository;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the references were made with; a change makes another environment.
const PACKAGES: [&str; 4] =
    ["torch==2.15.0", "transformers==5.23.0", "peft==0.21.2", "gguf==0.19.0"];
/// Only for comparing speeds.
const PEER_PACKAGES: [&str; 1] = ["sentence-transformers==6.2.0"];

/// The script that records every stage of a checkpoint.
pub const REFERENCE: &str = "tests/fixtures/transformers_reference.py";
/// The script that makes the fixtures.
pub const FIXTURES: &str = "tests/fixtures/make_fixtures.py";
/// The script that times sentence-transformers.
pub const PEER: &str = "proof/src/bench/peer.py";

/// A Python interpreter that has the packages: the one given, or that of the
/// environment, which is made where it isn't there yet.
///
/// # Errors
/// If there is no Python, or the packages can't be installed.
pub fn python(given: Option<&Path>, with_peer: bool) -> Result<PathBuf, Error> {
    if let Some(python) = given {
        return Ok(python.to_owned());
    }
    let packages =
        if with_peer { [&PACKAGES[..], &PEER_PACKAGES].concat() } else { PACKAGES.to_vec() };
    let folder = in_repository("target/python");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let installed = folder.join("installed.txt");
    let wanted = packages.join("\n");
    let has = std::fs::read_to_string(&installed).unwrap_or_default();
    if packages.iter().all(|package| has.lines().any(|line| line == *package)) {
        return Ok(python);
    }
    let system = if cfg!(windows) { "python" } else { "python3" };
    run(Command::new(system).args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(&packages))?;
    std::fs::write(&installed, wanted)
        .map_err(|source| Error::Write { path: installed, source })?;
    Ok(python)
}

/// Runs a committed script to its end; what it prints is seen.
///
/// # Errors
/// If it can't be started, or ends with an error.
pub fn script(python: &Path, script: &str, arguments: &[&str]) -> Result<(), Error> {
    run(Command::new(python).arg(in_repository(script)).args(arguments))
}

fn run(command: &mut Command) -> Result<(), Error> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(command, &status)),
        Err(error) => Err(failed(command, &error)),
    }
}

fn failed(command: &Command, why: &dyn std::fmt::Display) -> Error {
    let arguments: Vec<_> = command.get_args().map(|part| part.to_string_lossy()).collect();
    let program = format!("{} {}", command.get_program().to_string_lossy(), arguments.join(" "));
    Error::Program { program, message: why.to_string() }
}
