//! Starts what was built for another system.

use super::list::{Package, Target, Work};
use super::{FOLDER, say};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Wine 8 has no such function, which the standard library takes random numbers from.
const RANDOM_NUMBERS: &str = r#"#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T length) {
    return SystemFunction036(bytes, (ULONG)length);
}
"#;
/// The first result of README.md, and how its cosines begin on every processor.
const FIRST_RESULT: [&str; 8] = [
    "similarity",
    "--model",
    "mini",
    "--query",
    "What is the capital of China?",
    "--document",
    "The capital of China is Beijing.",
    "Apples fall.",
];
const COSINE: &str = "0.869";

/// Runs the command with the model inside it, if it was built. False: it went wrong.
pub fn run(target: &Target, packages: &[&Package]) -> bool {
    let Work::Run { linker, runner } = target.work else { return true };
    if packages.iter().all(|package| package.name != "qwen3-cli") {
        return true;
    }
    let begin = Instant::now();
    let folder = format!("{FOLDER}/{}/release", target.triple);
    let is_windows = target.triple.contains("windows");
    let result = match is_windows {
        true => random_numbers(linker, &folder),
        false => Ok(()),
    };
    let program = format!("{folder}/qwen3{}", if is_windows { ".exe" } else { "" });
    for (arguments, expected) in [(&["--version"][..], "qwen3 "), (&FIRST_RESULT, COSINE)] {
        let printed = result.clone().and_then(|()| output(runner, &program, arguments));
        match printed {
            Ok(printed) if printed.contains(expected) => {
                say(target, &format!("qwen3 {}", arguments[0]), "ran", begin);
            }
            other => {
                say(target, &format!("qwen3 {}", arguments[0]), "failed", begin);
                eprintln!("targets: no `{expected}` in {other:?}");
                return false;
            }
        }
    }
    true
}

fn output(runner: &[&str], program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(runner[0]);
    command.args(&runner[1..]).arg(program).args(arguments).stderr(Stdio::inherit());
    // A system of our own, which says nothing of what it lacks.
    command.env("WINEPREFIX", format!("{FOLDER}/wine")).env("WINEDEBUG", "-all");
    let output = command.output().map_err(|error| format!("{}: {error}", runner[0]))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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
