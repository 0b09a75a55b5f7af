//! The invariants of ARCHITECTURE.md that can be read off the source.
//!
//! Every rule is an absence: it names the one place where something may be,
//! and reports it everywhere else as `path:line: rule: text`. The rules are in
//! [`rules`], [`layers`], [`unsafe_code`] and [`limits`]; `tests` shows each of
//! them a bad example.

mod code;
mod layers;
mod limits;
mod manifest;
mod rules;
mod source;
#[cfg(test)]
mod tests;
mod unsafe_code;

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Where `cargo xtask` was built: the repository, whatever the current folder.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Folders of other programs.
const SKIPPED: [&str; 5] = [".git", "target", "__pycache__", "corpus", "artifacts"];
/// Ends of the names of files that people write; `""` is a name without a dot.
const EXTENSIONS: [&str; 8] = ["rs", "toml", "md", "py", "sh", "yml", "txt", ""];

/// Checks the repository, and says what it found.
pub fn tidy() -> ExitCode {
    let Some(files) = read() else { return ExitCode::FAILURE };
    let found = check(&files);
    for violation in &found {
        println!("{violation}");
    }
    if found.is_empty() {
        println!("tidy: {} files, nothing to report", files.len());
        return ExitCode::SUCCESS;
    }
    eprintln!("tidy: {} to put right, ARCHITECTURE.md and CONTRIBUTING.md say why", found.len());
    ExitCode::FAILURE
}

/// Lowers the exceptions to the limits as far as they can be.
pub fn write_exceptions() -> ExitCode {
    let Some(files) = read() else { return ExitCode::FAILURE };
    let list = limits::lowered(&files);
    if let Err(error) = std::fs::write(Path::new(ROOT).join(limits::EXCEPTIONS), &list) {
        eprintln!("tidy: {}: {error}", limits::EXCEPTIONS);
        return ExitCode::FAILURE;
    }
    println!("tidy: {} exceptions", list.lines().count());
    ExitCode::SUCCESS
}

/// The repository's files by their paths.
fn read() -> Option<Vec<File>> {
    let mut files = vec![];
    if let Err(error) = walk(Path::new(ROOT), "", &mut files) {
        eprintln!("tidy: {error}");
        return None;
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Some(files)
}

/// A file that people write.
struct File {
    /// From the repository's root, with `/`.
    path: String,
    text: String,
}

/// Something where it must not be.
#[derive(Debug)]
struct Violation {
    path: String,
    /// Counted from 1.
    line: usize,
    rule: &'static str,
    text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.text)
    }
}

fn check(files: &[File]) -> Vec<Violation> {
    let mut found = rules::kernels_without_reference(files);
    found.extend(limits::violations(files));
    for file in files {
        let source = source::Source::new(file);
        let rules = rules::RULES.iter().map(|(rule, of)| (*rule, of(&source)));
        let bans = rules::BANS.iter().map(|ban| (ban.rule, ban.broken(&source)));
        for (rule, places) in rules.chain(bans) {
            found.extend(places.into_iter().map(|(at, text)| Violation {
                path: file.path.clone(),
                line: file.text[..at].matches('\n').count() + 1,
                rule,
                text,
            }));
        }
    }
    found.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    found
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() && EXTENSIONS.contains(&extension(&name)) {
            let text = std::fs::read_to_string(entry.path())
                .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
            files.push(File { path, text });
        }
    }
    Ok(())
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}
