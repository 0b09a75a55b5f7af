//! `unsafe` code says why it is sound.

use super::code::words;
use super::source::{Found, KERNELS, SYSTEM, Source};

/// Lines of code that may stand between a `// Safety:` comment and its `unsafe`.
const SAFETY_REACH: usize = 6;

/// Every `unsafe` says why it is sound, or what it asks of its caller.
pub fn unsafe_is_explained(source: &Source) -> Found {
    if ![KERNELS, SYSTEM].iter().any(|place| source.path.starts_with(place)) {
        return vec![];
    }
    let unexplained = |(at, word): (usize, &str)| {
        if word != "unsafe" {
            return None;
        }
        let after = &source.code[at + word.len()..];
        let head = &after[..after.find(['{', '(', ';']).unwrap_or(after.len())];
        let head: Vec<&str> =
            words(head).map(|(_, word)| word).filter(|word| *word != "extern").collect();
        let missing = match head[..] {
            // The type of a pointer.
            ["fn"] => return None,
            ["fn" | "trait", ..] if has_safety_section(source, at) => return None,
            ["fn", ..] if is_in_unsafe_impl(source, at) => return None,
            ["fn" | "trait", ..] => "a `# Safety` section in its docs",
            _ if has_safety_comment(source, at) => return None,
            _ => "a `// Safety:` comment above",
        };
        Some((at, format!("`unsafe` without {missing}")))
    };
    words(&source.code).filter_map(unexplained).collect()
}

/// The lines above the one at `at`, nearest first, up to an empty one: each
/// trimmed, as text and as code.
fn lines_above<'s>(source: &'s Source, at: usize) -> impl Iterator<Item = (&'s str, &'s str)> {
    let start = source.code[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let text = source.text[..start].lines().rev().map(str::trim);
    let code = source.code[..start].lines().rev().map(str::trim);
    text.zip(code).take_while(|(text, _)| !text.is_empty())
}

fn has_safety_comment(source: &Source, at: usize) -> bool {
    let mut lines_of_code = 0;
    lines_above(source, at)
        .take_while(|(_, code)| {
            lines_of_code += usize::from(!code.is_empty());
            lines_of_code <= SAFETY_REACH
        })
        .any(|(text, code)| code.is_empty() && text.starts_with("// Safety:"))
}

/// Whether the item at the margin before `at` is an `unsafe impl`, whose trait
/// says what its functions ask for.
fn is_in_unsafe_impl(source: &Source, at: usize) -> bool {
    let is_item = |line: &&str| line.starts_with(|c: char| c.is_alphabetic());
    let item = source.code[..at].lines().rev().find(is_item);
    item.is_some_and(|line| line.starts_with("unsafe impl"))
}

fn has_safety_section(source: &Source, at: usize) -> bool {
    lines_above(source, at)
        // Attributes may stand between, the item before may not.
        .take_while(|(_, code)| !code.ends_with(['{', '}', ';']))
        .any(|(text, _)| text == "/// # Safety")
}
