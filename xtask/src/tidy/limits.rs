//! How long files and functions are, and how many parameters: CONTRIBUTING's
//! limits, and what is beyond them still.

use super::code::{code, item, words};
use super::{File, Violation, extension};
use std::collections::BTreeMap;

/// What is beyond the limits still. Lines go and numbers fall, never the other way.
pub const EXCEPTIONS: &str = "xtask/src/tidy/exceptions.txt";

/// What is measured of a file or a function, how much of it is allowed, and the way out.
type Limit = (&'static str, usize, &'static str);
const FILE: Limit = ("lines", 300, "split the file");
const FUNCTION: Limit = ("lines in", 40, "split the function");
const PARAMETERS: Limit = ("parameters of", 4, "make it a struct");

/// A number beyond its limit.
struct Excess {
    line: usize,
    value: usize,
    limit: Limit,
}

/// By the path and what was measured there, as in `lines in main`. Functions of
/// one name in one file count as the worst of them.
type Excesses = BTreeMap<(String, String), Excess>;

/// Everything beyond a limit that is no exception, and every exception that
/// allows more than is needed.
pub fn violations(files: &[File]) -> Vec<Violation> {
    let excesses = excesses(files);
    let exceptions = exceptions(files);
    let allowed = |key| exceptions.get(key).map(|(_, value)| *value);
    let beyond = excesses.iter().filter(|(key, excess)| Some(excess.value) > allowed(key));
    let beyond = beyond.map(|((path, what), Excess { line, value, limit: (_, most, way_out) })| {
        let text = format!("{value} {what}, at most {most}; {way_out}");
        Violation { path: path.clone(), line: *line, rule: "limits", text }
    });
    let slack = exceptions.iter().filter_map(|(key, (line, allowed))| {
        let text = match excesses.get(key) {
            None => "nothing is beyond a limit here now, so remove the line".to_owned(),
            Some(excess) if excess.value < *allowed => format!("lower it to {}", excess.value),
            Some(_) => return None,
        };
        let text = format!("{text}; `cargo xtask tidy --write-exceptions` does it");
        Some(Violation { path: EXCEPTIONS.to_owned(), line: *line, rule: "exceptions", text })
    });
    beyond.chain(slack).collect()
}

/// The list with every number as low as it can be. Without a list it is
/// everything that is beyond a limit.
pub fn lowered(files: &[File]) -> String {
    let is_new = !files.iter().any(|file| file.path == EXCEPTIONS);
    let exceptions = exceptions(files);
    let lowered = excesses(files).into_iter().filter_map(|(key, excess)| {
        let value = match exceptions.get(&key) {
            Some((_, allowed)) => excess.value.min(*allowed),
            None if is_new => excess.value,
            None => return None,
        };
        Some(format!("{} {value} {}\n", key.0, key.1))
    });
    lowered.collect()
}

/// The list: a path, a number and what it counts on each line. With the line's number.
fn exceptions(files: &[File]) -> BTreeMap<(String, String), (usize, usize)> {
    let list = files.iter().find(|file| file.path == EXCEPTIONS);
    let lines = list.map_or("", |list| &list.text).lines().enumerate();
    lines
        .map(|(index, line)| {
            let mut parts = line.splitn(3, ' ').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            let (path, value, what) = (next(), next(), next());
            // What is no number allows nothing, and is reported as such.
            ((path, what), (index + 1, value.parse().unwrap_or(usize::MAX)))
        })
        .collect()
}

fn excesses(files: &[File]) -> Excesses {
    let mut found = Excesses::new();
    for file in files.iter().filter(|file| extension(&file.path) == "rs") {
        let mut see = |name: &str, at: usize, value: usize, limit: Limit| {
            let key = (file.path.clone(), format!("{} {name}", limit.0).trim_end().to_owned());
            if value > limit.1 && found.get(&key).is_none_or(|worst| worst.value < value) {
                let line = file.text[..at].matches('\n').count() + 1;
                found.insert(key, Excess { line, value, limit });
            }
        };
        see("", file.text.len().saturating_sub(1), file.text.lines().count(), FILE);
        for function in functions(&code(&file.text)) {
            see(function.name, function.at, function.lines, FUNCTION);
            see(function.name, function.at, function.parameters, PARAMETERS);
        }
    }
    found
}

/// A function, a method or what a trait asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Function<'a> {
    pub name: &'a str,
    pub at: usize,
    /// Between the lines of its braces.
    pub lines: usize,
    /// `self` is none.
    pub parameters: usize,
}

/// The functions of code without comments.
pub fn functions(code: &str) -> Vec<Function<'_>> {
    let keywords = words(code).filter(|(_, word)| *word == "fn");
    keywords.filter_map(|(at, _)| function(code, at)).collect()
}

fn function(code: &str, at: usize) -> Option<Function<'_>> {
    let code = &code[at..at + item(&code.as_bytes()[at..])];
    // What has no name is the type of a pointer.
    let name = code.strip_prefix("fn")?.strip_prefix([' ', '\n'])?.trim_start();
    let name = &name[..name.find(['<', '(', ' ', '\n'])?];
    let open = find(code, 0, &['('])?;
    let close = find(code, open + 1, &[')'])?;
    let parameters = pieces(&code[open + 1..close]).filter(|piece| is_parameter(piece)).count();
    let body = find(code, close + 1, &['{', ';']).map_or("", |start| &code[start..]);
    let lines = body.matches('\n').count().saturating_sub(1);
    Some(Function { name, at, lines, parameters })
}

/// Neither `self` nor what `proptest!` draws, as in `n in 1..9`.
fn is_parameter(piece: &str) -> bool {
    let pattern_and_type = piece.split_once(':').filter(|(_, rest)| !rest.starts_with(':'));
    pattern_and_type.is_some_and(|(pattern, _)| pattern != "self")
}

/// Where the first of these is, from an offset on and outside of all brackets.
fn find(code: &str, from: usize, wanted: &[char]) -> Option<usize> {
    outside(&code[from..]).find(|(_, c)| wanted.contains(c)).map(|(at, _)| from + at)
}

/// What commas outside of all brackets separate.
fn pieces(code: &str) -> impl Iterator<Item = &str> {
    let commas = outside(code).filter(|(_, c)| *c == ',').map(|(at, _)| at);
    let mut start = 0;
    commas
        .chain([code.len()])
        .map(move |end| code[std::mem::replace(&mut start, end + 1)..end].trim())
}

/// The characters of types and patterns outside of all brackets: of those the
/// ones that open, and the one that closes around all.
fn outside(code: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut depth, mut last) = (0, ' ');
    code.char_indices().filter(move |&(_, c)| {
        // The end of an arrow is no bracket.
        let is_arrow = c == '>' && ['-', '='].contains(&last);
        last = c;
        match c {
            '(' | '[' | '{' | '<' => {
                depth += 1;
                depth == 1
            }
            ')' | ']' | '}' | '>' if !is_arrow => {
                depth -= 1;
                depth < 0
            }
            _ => depth == 0,
        }
    })
}
