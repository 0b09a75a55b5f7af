//! The rules. Each says what must not be, and where it may be after all.

use super::code::{code, without_tests, words};
use super::manifest::{dependencies, package};
use super::{File, Violation, extension};
use std::collections::BTreeSet;

/// What a rule finds: where, as an offset, and what is wrong.
type Found = Vec<(usize, String)>;
/// A rule looks at one file at a time.
type Rule = fn(&Source) -> Found;

/// Every rule by its name, but for [`kernels_without_reference`].
pub const RULES: [(&str, Rule); 14] = [
    ("one-network", one_network),
    ("no-backend-in-the-model", no_backend_in_the_model),
    ("arrows", arrows),
    ("features", features),
    ("unsafe", no_unsafe_elsewhere),
    ("safety", unsafe_is_explained),
    ("unfinished", unfinished),
    ("printing", printing),
    ("environment", environment),
    ("threads", threads),
    ("white-space", white_space),
    ("header", header),
    ("length", length),
    ("file-name", file_name),
];

pub const MODEL: &str = "crates/qwen3/src/model.rs";
pub const BACKEND: &str = "crates/qwen3-engine/src/backend.rs";
pub const HUB: &str = "crates/qwen3-engine/src/hub.rs";
const KERNELS: &str = "crates/qwen3-kernels/";
const ENGINE: &str = "crates/qwen3-engine/";
const SERVER: &str = "crates/qwen3-server/";
const OTLP: &str = "crates/qwen3-otlp/";
const CLI: &str = "crates/qwen3-cli/";

const MAX_LINES: usize = 450;
/// Lines of code that may stand between a `// Safety:` comment and its `unsafe`.
const SAFETY_REACH: usize = 6;

/// A file as the rules see it.
pub struct Source<'a> {
    path: &'a str,
    text: &'a str,
    /// Rust code without comments and what is inside of literals.
    code: String,
    /// The same without tests, examples and build scripts.
    shipped: String,
}

impl<'a> Source<'a> {
    pub fn new(file: &'a File) -> Self {
        let path = file.path.as_str();
        let is_rust = extension(path) == "rs";
        let code = if is_rust { code(&file.text) } else { String::new() };
        let in_folder = |name| path.split('/').rev().skip(1).any(|folder| folder == name);
        let is_shipped = !["tests", "benches", "examples"].into_iter().any(in_folder)
            && !path.ends_with("/tests.rs")
            && !path.ends_with("/build.rs");
        let shipped = if is_shipped { without_tests(&code) } else { String::new() };
        Self { path, text: &file.text, code, shipped }
    }

    fn is_rust(&self) -> bool {
        extension(self.path) == "rs"
    }

    fn is_in(&self, folder_or_file: &str) -> bool {
        self.path.starts_with(folder_or_file)
    }
}

/// Words of `code` that `is_bad`, with what to say of each.
fn bad_words(code: &str, is_bad: impl Fn(usize, &str) -> bool, say: &str) -> Found {
    let bad = words(code).filter(|&(at, word)| is_bad(at, word));
    bad.map(|(at, word)| (at, format!("`{word}` {say}"))).collect()
}

/// The network is defined once.
fn one_network(source: &Source) -> Found {
    if source.is_in(MODEL) {
        return vec![];
    }
    let is_bad = |at: usize, word: &str| {
        ["Qwen3", "DecoderLayer"].contains(&word)
            && source.shipped[..at].trim_end().ends_with("struct")
    };
    bad_words(&source.shipped, is_bad, &format!("is defined in {MODEL}, and only there"))
}

/// The crate of the network runs on every backend, so it names none.
fn no_backend_in_the_model(source: &Source) -> Found {
    if !source.is_in("crates/qwen3/src/") {
        return vec![];
    }
    let is_bad = |_, word: &str| {
        let lower = word.to_lowercase();
        let parts = ["burn_flex", "ndarray", "cubecl", "cubebackend", "wgpu", "cuda", "vulkan"];
        word == "Flex" || parts.iter().any(|part| lower.contains(part))
    };
    bad_words(&source.code, is_bad, "names a backend; the network knows none")
}

/// Which of our crates each of them may depend on: arrows point down only.
pub const OURS: [(&str, &[&str]); 14] = [
    ("qwen3-text", &[]),
    ("qwen3-kernels", &[]),
    ("qwen3", &["qwen3-kernels"]),
    ("qwen3-cpu", &["qwen3", "qwen3-kernels"]),
    ("qwen3-ndarray", &["qwen3", "qwen3-kernels"]),
    ("qwen3-wgpu", &["qwen3", "qwen3-kernels"]),
    ("qwen3-cuda", &["qwen3", "qwen3-kernels"]),
    (
        "qwen3-engine",
        &["qwen3-text", "qwen3", "qwen3-cpu", "qwen3-ndarray", "qwen3-wgpu", "qwen3-cuda"],
    ),
    ("qwen3-server", &["qwen3-engine"]),
    ("qwen3-otlp", &[]),
    ("qwen3-cli", &["qwen3-engine", "qwen3-server", "qwen3-otlp"]),
    ("qwen3-proof", &["qwen3-engine"]),
    ("qwen3-fuzz", &["qwen3-text", "qwen3", "qwen3-engine", "qwen3-server"]),
    ("xtask", &[]),
];
/// The crates that may depend on what names a backend.
const NAME_BACKENDS: [&str; 5] =
    ["qwen3-kernels", "qwen3-cpu", "qwen3-ndarray", "qwen3-wgpu", "qwen3-cuda"];

/// Dependencies point down only, and heavy ones stay where they belong.
fn arrows(source: &Source) -> Found {
    let Some(name) = package(source.text).filter(|_| source.path.ends_with("Cargo.toml")) else {
        return vec![];
    };
    let ours = OURS.iter().find(|(of, _)| *of == name).map(|(_, to)| *to);
    if ours.is_none() && source.is_in("crates/") {
        return vec![(0, format!("`{name}` has no place yet; give it one in xtask's `OURS`"))];
    }
    let may = |to: &str| match to {
        _ if name == "xtask" => false,
        "burn" => name == "qwen3" || NAME_BACKENDS.contains(&name),
        "cubecl" | "wgpu" | "cudarc" => NAME_BACKENDS.contains(&name),
        "tokenizers" => name == "qwen3-text",
        "ureq" => name == "qwen3-engine",
        "axum" | "tokio" | "hyper" => {
            ["qwen3-server", "qwen3-otlp", "qwen3-cli", "qwen3-fuzz"].contains(&name)
        }
        _ if to.starts_with("burn-") || to.starts_with("cubecl-") => NAME_BACKENDS.contains(&name),
        _ if OURS.iter().any(|(of, _)| *of == to) => ours.is_none_or(|ours| ours.contains(&to)),
        _ => true,
    };
    let seen = dependencies(source.text).into_iter().filter(|to| !to.for_tests || name == "xtask");
    let bad = seen.filter(|to| !may(to.name));
    bad.map(|to| (to.at, format!("`{name}` must not depend on `{}`", to.name))).collect()
}

/// Backends are switched on and off in the kernels and in the engine's one
/// enum; elsewhere there is one code for all of them.
fn features(source: &Source) -> Found {
    if source.is_in(KERNELS) || source.is_in(BACKEND) {
        return vec![];
    }
    // Tests may ask which backends they were built with.
    if source.is_in("crates/qwen3-cli/tests/") {
        return vec![];
    }
    let code = if source.is_in(ENGINE) { &source.shipped } else { &source.code };
    let feature_of = |at: usize| {
        let value = code[at..].strip_prefix("feature")?.trim_start().strip_prefix('=')?;
        let start = code.len() - value.trim_start().strip_prefix('"')?.len();
        source.text[start..].split('"').next()
    };
    let is_bad = |at, word: &str| {
        let backends = ["cpu", "ndarray", "cube", "wgpu", "cuda"];
        word == "feature" && feature_of(at).is_some_and(|feature| backends.contains(&feature))
    };
    bad_words(code, is_bad, &format!("of a backend is asked for only in {BACKEND} and the kernels"))
}

/// `unsafe` code is in one crate.
fn no_unsafe_elsewhere(source: &Source) -> Found {
    if source.is_in(KERNELS) {
        return vec![];
    }
    let is_bad = |_, word: &str| word == "unsafe";
    bad_words(&source.code, is_bad, &format!("code is only in {KERNELS}"))
}

/// Every `unsafe` says why it is sound, or what it asks of its caller.
fn unsafe_is_explained(source: &Source) -> Found {
    if !source.is_in(KERNELS) {
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

/// What is begun is finished, and every test runs.
fn unfinished(source: &Source) -> Found {
    let is_bad = |at: usize, word: &str| match word {
        "todo" | "unimplemented" | "dbg" => is_macro(&source.code, at, word),
        "ignore" => source.code[..at].ends_with("#["),
        _ => false,
    };
    bad_words(&source.code, is_bad, "is for drafts only")
}

fn is_macro(code: &str, at: usize, word: &str) -> bool {
    let after = &code[at + word.len()..];
    after.starts_with('!') && !after.starts_with("!=")
}

/// Libraries return values; the command prints them.
fn printing(source: &Source) -> Found {
    if !source.is_in("crates/") || source.is_in(CLI) {
        return vec![];
    }
    let is_bad = |at: usize, word: &str| match word {
        "print" | "println" | "eprint" | "eprintln" => is_macro(&source.shipped, at, word),
        "stdout" | "stderr" => source.shipped[at + word.len()..].starts_with('('),
        _ => false,
    };
    bad_words(&source.shipped, is_bad, "in a library; return it, or log it with `tracing`")
}

/// Options are passed, so that a call depends on its arguments alone.
fn environment(source: &Source) -> Found {
    // The command's, the proofs' and the automation's own are theirs to read.
    if [HUB, CLI, "proof/", "xtask/"].into_iter().any(|place| source.is_in(place)) {
        return vec![];
    }
    let is_bad =
        |at: usize, word: &str| word == "env" && source.shipped[at..].starts_with("env::var");
    bad_words(&source.shipped, is_bad, &format!("variables are read only in {HUB} and {CLI}"))
}

/// Threads belong to the engine and what is above it; kernels use the pool that
/// they are called on.
fn threads(source: &Source) -> Found {
    let may = [ENGINE, SERVER, OTLP, CLI].into_iter().any(|place| source.is_in(place));
    if !source.is_in("crates/") || may {
        return vec![];
    }
    let is_bad = |at: usize, word: &str| match word {
        "spawn" | "ThreadPoolBuilder" | "async" | "tokio" => true,
        "scope" | "Builder" => source.shipped[..at].ends_with("thread::"),
        _ => false,
    };
    bad_words(&source.shipped, is_bad, &format!("below {ENGINE}: threads are started there"))
}

/// No noise in diffs.
fn white_space(source: &Source) -> Found {
    let mut found = vec![];
    let mut at = 0;
    for line in source.text.split('\n') {
        let end = at + line.trim_end().len();
        if line.trim_end() != line {
            found.push((end, "white space at the end of the line".to_owned()));
        }
        if let Some(tab) = line.find('\t').filter(|_| source.is_rust()) {
            found.push((at + tab, "a tab".to_owned()));
        }
        at += line.len() + 1;
    }
    if !source.text.is_empty() && !source.text.ends_with('\n') {
        found.push((source.text.len(), "no newline at the end of the file".to_owned()));
    }
    found
}

/// Every file says what it is for.
fn header(source: &Source) -> Found {
    if !source.is_rust() || source.text.starts_with("//! ") {
        return vec![];
    }
    vec![(0, "begin with a `//!` line that says what the file is for".to_owned())]
}

/// A file is read in one sitting.
fn length(source: &Source) -> Found {
    let lines = source.text.lines().count();
    if !source.is_rust() || lines <= MAX_LINES {
        return vec![];
    }
    vec![(source.text.len() - 1, format!("{lines} lines, at most {MAX_LINES}; split the file"))]
}

/// A file is named for what a newcomer would look for.
fn file_name(source: &Source) -> Found {
    let empty = ["utils", "util", "common", "base", "types", "helpers"];
    let mut names = source.path.trim_end_matches(".rs").split('/');
    match names.find(|name| empty.contains(name)).filter(|_| source.is_rust()) {
        Some(name) => vec![(0, format!("`{name}` says nothing; name the file for what is in it"))],
        None => vec![],
    }
}

/// Every operation has a reference that defines "correct"; `cpu/` and `gpu/` are
/// what bodies share.
pub fn kernels_without_reference(files: &[File]) -> Vec<Violation> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let folder_of = |path: &&str| {
        let inside = path.strip_prefix(KERNELS)?.strip_prefix("src/")?;
        Some(format!("{KERNELS}src/{}", inside.split_once('/')?.0))
    };
    let folders: BTreeSet<String> = paths.iter().filter_map(folder_of).collect();
    let is_bare = |folder: &String| {
        let is_shared = folder.ends_with("/cpu") || folder.ends_with("/gpu");
        !is_shared && !paths.contains(format!("{folder}/reference.rs").as_str())
    };
    let bare = folders.into_iter().filter(is_bare);
    bare.map(|path| Violation {
        path,
        line: 1,
        rule: "reference",
        text: "no reference.rs: the operation in plain Burn operations".to_owned(),
    })
    .collect()
}
