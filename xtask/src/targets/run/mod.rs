//! Does with the programs what users do, on another system.

mod commands;
mod desk;
mod program;
mod server;
mod tables;

use super::list::{Package, Target, Work};
use super::say;
use program::Program;
use std::time::Instant;

/// What is done with a program of a package.
struct Try {
    package: &'static str,
    /// As it is said.
    what: &'static str,
    /// Does it, and says what went wrong.
    run: fn(&Program) -> Result<(), String>,
}

const TRIES: [Try; 10] = [
    Try { package: "qwen3-cli", what: "qwen3 --version", run: commands::version },
    Try { package: "qwen3-cli", what: "qwen3 similarity", run: commands::similarity },
    Try { package: "qwen3-cli", what: "qwen3 doctor", run: commands::doctor },
    Try { package: "qwen3-cli", what: "qwen3 embed", run: commands::embed },
    Try { package: "qwen3-cli", what: "qwen3 rerank", run: commands::rerank },
    Try { package: "qwen3-cli", what: "qwen3, wrong arguments", run: commands::wrong_arguments },
    Try { package: "qwen3-cli", what: "qwen3, no such folder", run: commands::unwritable },
    Try { package: "qwen3-cli", what: "qwen3 embed, tables", run: tables::killed_and_resumed },
    Try { package: "qwen3-cli", what: "qwen3 serve", run: server::asked_and_stopped },
    Try { package: "qwen3-desk", what: "qwen3-desk search", run: desk::indexed_and_found },
];

/// Runs the programs of these packages. False: something went wrong.
pub fn run(target: &Target, packages: &[&Package]) -> bool {
    let Work::Run { linker, runner } = target.work else { return true };
    let mut is_well = true;
    for (package, program) in [("qwen3-cli", "qwen3"), ("qwen3-desk", "qwen3-desk")] {
        if packages.iter().any(|built| built.name == package) {
            let program = Program::prepare(target, linker, runner, program);
            is_well &= program.map_or_else(fails, |program| try_all(target, package, &program));
        }
    }
    is_well
}

fn try_all(target: &Target, package: &str, program: &Program) -> bool {
    let mut is_well = true;
    for one in TRIES.iter().filter(|one| one.package == package) {
        let begin = Instant::now();
        let result = (one.run)(program);
        say(target, one.what, if result.is_ok() { "ran" } else { "failed" }, begin);
        is_well &= result.map_or_else(fails, |()| true);
    }
    is_well
}

fn fails(message: String) -> bool {
    eprintln!("targets: {message}");
    false
}
