//! A program for another system, and what runs it here.

use super::super::{FOLDER, list::Target};
use std::fs;
use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Wine 8 has no such function, which the standard library takes random numbers from.
const RANDOM_NUMBERS: &str = r#"#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T length) {
    return SystemFunction036(bytes, (ULONG)length);
}
"#;
/// A process that should end by itself is ended after this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program, built for another system.
pub struct Program {
    /// Runs it: a command and its arguments.
    runner: &'static [&'static str],
    path: String,
    /// Where it is started, and leaves files. It is empty at first.
    pub folder: String,
}

/// What a process has left.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code, if it was not killed.
    pub code: Option<i32>,
    /// What it said, on standard output and then on standard error.
    pub said: String,
}

impl Program {
    /// The program of this name. Lays beside it what the system lacks, and makes the folder.
    pub fn prepare(
        target: &Target,
        linker: &str,
        runner: &'static [&'static str],
        name: &str,
    ) -> Result<Self, String> {
        let built = format!("{FOLDER}/{}/release", target.triple);
        let folder = format!("{FOLDER}/{}/tried-{name}", target.triple);
        let is_windows = target.triple.contains("windows");
        if is_windows {
            random_numbers(linker, &built)?;
        }
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => fs::create_dir_all(&folder),
        }
        .map_err(|error| format!("{folder}: {error}"))?;
        let path = format!("{built}/{name}{}", if is_windows { ".exe" } else { "" });
        Ok(Self { runner, path, folder })
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Result<Outcome, String> {
        let output = self.command(arguments).output();
        let output = output.map_err(|error| format!("{}: {error}", self.runner[0]))?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Ok(Outcome { code: output.status.code(), said })
    }

    /// Starts it, with pipes for what it says on standard error.
    pub fn start(&self, arguments: &[&str]) -> Result<Child, String> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().map_err(|error| format!("{}: {error}", self.runner[0]))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.runner[0]);
        command.args(&self.runner[1..]).arg(&self.path).args(arguments);
        // A system of our own, which says nothing of what it lacks.
        command.env("WINEPREFIX", format!("{FOLDER}/wine")).env("WINEDEBUG", "-all");
        command.current_dir(&self.folder);
        command
    }
}

/// Waits for a process that is about to end, and kills it if it doesn't.
pub fn code_of(child: &mut Child) -> Result<Option<i32>, String> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(None) => thread::sleep(Duration::from_millis(50)),
            Ok(Some(status)) => return Ok(status.code()),
            Err(error) => return Err(error.to_string()),
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(format!("it did not end within {} s", PATIENCE.as_secs()))
}

/// Lays a library with the missing function beside the programs.
fn random_numbers(linker: &str, folder: &str) -> Result<(), String> {
    let source = format!("{folder}/random-numbers.c");
    fs::write(&source, RANDOM_NUMBERS).map_err(|error| format!("{source}: {error}"))?;
    let mut command = Command::new(linker);
    command.args(["-shared", "-o"]).arg(format!("{folder}/bcryptprimitives.dll"));
    let status = command.args([&source, "-ladvapi32"]).status();
    match status.map_err(|error| format!("{linker}: {error}"))?.success() {
        true => Ok(()),
        false => Err(format!("{linker} failed")),
    }
}
