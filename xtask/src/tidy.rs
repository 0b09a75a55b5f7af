//! The invariants of ARCHITECTURE.md that can be read off the source.
//!
//! Every rule is an absence: it names the one place where something may be,
//! and reports it everywhere else as `path:line: rule: text`. The rules are in
//! [`rules`]; `tests` shows each of them a bad example.

mod code;
mod manifest;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Where `cargo xtask` was built: the repository, whatever the current folder.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Folders of other programs.
const SKIPPED: [&str; 5] = [".git", "target", "__pycache__", "corpus", "artifacts"];
/// Ends of the names of files that people write; `""` is a name without a dot.
const EXTENSIONS: [&str; 7] = ["rs", "toml", "md", "py", "sh", "yml", ""];

/// Checks the repository, and says what it found.
pub fn tidy() -> ExitCode {
    match violations(Path::new(ROOT)) {
        Ok((files, found)) if found.is_empty() => {
            println!("tidy: {files} files, nothing to report");
            ExitCode::SUCCESS
        }
        Ok((_, found)) => {
            for violation in &found {
                println!("{violation}");
            }
            eprintln!("tidy: {} to put right, ARCHITECTURE.md says why", found.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tidy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How many files there are, and what is wrong with them, by path and line.
fn violations(root: &Path) -> io::Result<(usize, Vec<Violation>)> {
    let mut files = vec![];
    walk(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((files.len(), check(&files)))
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
    for file in files {
        let source = rules::Source::new(file);
        for (rule, of) in rules::RULES {
            found.extend(of(&source).into_iter().map(|(at, text)| Violation {
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
