//! `cargo xtask targets`: builds, type-checks and runs the project for other systems.
//!
//! Debian's Rust comes with the source of the standard library, so cargo builds it for any
//! target. It is another compiler than the project's, and has a target folder of its own.

mod list;
mod run;
mod tools;

use list::{PACKAGES, Package, TARGETS, Target};
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Where everything that this command makes is.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/other");
/// How cargo says that it has finished a part of a package, and that the part is a build script.
const ARTIFACT: &str = r#""reason":"compiler-artifact""#;
const BUILD_SCRIPT: &str = r#""kind":["custom-build"]"#;
const USAGE: &str = "\
usage: cargo xtask targets [TARGET | PACKAGE]...

Builds or type-checks the programs and libraries for other systems, on Debian for x86-64, and
starts what was built under Wine or QEMU. Without a target all of them are done, without a
package all packages. QWEN3_FEATURES chooses the backends [default: cpu,gpu].

targets:
  windows      x86_64-pc-windows-gnu       built, and run under Wine
  msvc         x86_64-pc-windows-msvc      type-checked
  macos        aarch64-apple-darwin        type-checked, with Metal
  macos-intel  x86_64-apple-darwin         type-checked, with Metal
  arm          aarch64-unknown-linux-gnu   built, and run under QEMU

packages: qwen3-sys, qwen3-engine, qwen3-tables, qwen3-eval, qwen3-server, qwen3-cli, qwen3-desk";

/// Does what the words ask for, and says of every target and package how it went.
pub fn targets(words: &[&str]) -> ExitCode {
    let targets = chosen(&TARGETS, words, |target| target.name);
    let packages = chosen(&PACKAGES, words, |package| package.name);
    if targets.len() + packages.len() < words.len() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let targets = if targets.is_empty() { TARGETS.iter().collect() } else { targets };
    let packages = if packages.is_empty() { PACKAGES.iter().collect() } else { packages };
    if let Err(message) = tools::check(&targets) {
        eprintln!("targets: {message}");
        return ExitCode::FAILURE;
    }
    let mut is_well = true;
    for target in targets {
        is_well &= build(target, &packages) && run::run(target, &packages);
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Those that a word names.
fn chosen<'t, T>(all: &'t [T], words: &[&str], name: impl Fn(&T) -> &str) -> Vec<&'t T> {
    all.iter().filter(|one| words.contains(&name(one))).collect()
}

/// Lets cargo do all packages at once, so that what they share is compiled once. False: it
/// has not finished all of them.
fn build(target: &Target, packages: &[&Package]) -> bool {
    let mut cargo = tools::cargo(target);
    cargo.args(["--locked", "--keep-going", "--message-format=json-render-diagnostics"]);
    let backends = std::env::var("QWEN3_FEATURES").unwrap_or_else(|_| "cpu,gpu".to_owned());
    for package in packages {
        cargo.args(["--package", package.name]);
        for backend in backends.split(',').filter(|_| package.has_backends) {
            cargo.arg(format!("--features={}/{backend}", package.name));
        }
    }
    let begin = Instant::now();
    let done = finished(&mut cargo, packages, |name| say(target, name, "ok", begin));
    let is_missing = |package: &&&Package| !done.contains(&package.name);
    let missing: Vec<_> = packages.iter().filter(is_missing).collect();
    for package in &missing {
        say(target, package.name, "failed", begin);
    }
    missing.is_empty()
}

/// The packages that cargo has finished. It says so in JSON, an object a line.
fn finished<'p>(
    cargo: &mut Command,
    packages: &[&'p Package],
    tell: impl Fn(&str),
) -> Vec<&'p str> {
    let mut done = vec![];
    let mut cargo = match cargo.stdout(Stdio::piped()).spawn() {
        Ok(cargo) => cargo,
        Err(error) => {
            eprintln!("targets: can't run cargo: {error}");
            return done;
        }
    };
    let said = BufReader::new(cargo.stdout.take().expect("it is a pipe"));
    for line in said.lines().map_while(Result::ok) {
        if !line.contains(ARTIFACT) || line.contains(BUILD_SCRIPT) {
            continue;
        }
        let is_of = |name: &str| line.contains(&format!("/{name}/Cargo.toml"));
        if let Some(package) = packages.iter().find(|package| is_of(package.name)) {
            tell(package.name);
            done.push(package.name);
        }
    }
    let _ = cargo.wait();
    done
}

/// One line: what, how, and after how many seconds.
fn say(target: &Target, what: &str, how: &str, begin: Instant) {
    let seconds = begin.elapsed().as_secs();
    println!("{:<27} {what:<24} {how:<6} {seconds:>5} s", target.triple);
}
