//! The rules. Each says what must not be, and where it may be after all.

use super::code::words;
use super::source::{Found, KERNELS, SYSTEM, Source};
use super::{File, Violation, layers, unsafe_code};
use std::collections::BTreeSet;

/// A rule looks at one file at a time.
type Rule = fn(&Source) -> Found;

/// Every rule by its name, beside [`BANS`], [`kernels_without_reference`] and `limits`.
pub const RULES: [(&str, Rule); 6] = [
    ("arrows", layers::arrows),
    ("safety", unsafe_code::unsafe_is_explained),
    ("dialects", dialects),
    ("white-space", white_space),
    ("header", header),
    ("file-name", file_name),
];

pub const MODEL: &str = "crates/qwen3/src/model.rs";
pub const BACKEND: &str = "crates/qwen3-engine/src/device/backends.rs";
pub const HUB: &str = "crates/qwen3-engine/src/files/hub.rs";
const ENGINE: &str = "crates/qwen3-engine/";
const SERVER: &str = "crates/qwen3-server/";
pub const DIALECTS: &str = "crates/qwen3-server/src/dialects/";
const OTLP: &str = "crates/qwen3-otlp/";
const CLI: &str = "crates/qwen3-cli/";
const PYTHON: &str = "crates/qwen3-python/";

/// Words that stand in some places only.
pub struct Ban {
    pub rule: &'static str,
    /// The paths that it is about begin with this.
    within: &'static str,
    /// Where the words may be after all.
    except: &'static [&'static str],
    /// Whether tests, examples and build scripts are free.
    spares_tests: bool,
    is_bad: fn(&Source, usize, &str) -> bool,
    /// What is wrong with "`word` …".
    say: &'static str,
}

pub const BANS: [Ban; 9] = [
    Ban {
        rule: "one-network",
        within: "",
        except: &[MODEL],
        spares_tests: true,
        is_bad: |source, at, word| {
            ["Qwen3", "DecoderLayer"].contains(&word)
                && source.code[..at].trim_end().ends_with("struct")
        },
        say: "is defined once, in the model of the network's crate",
    },
    Ban {
        rule: "no-backend-in-the-model",
        within: "crates/qwen3/src/",
        except: &[],
        spares_tests: false,
        is_bad: |_, _, word| word == "Flex" || names_a_backend(&word.to_lowercase()),
        say: "names a backend; the network knows none",
    },
    Ban {
        rule: "features",
        within: "",
        // Tests of the command may ask what it was built with.
        except: &[KERNELS, ENGINE, "crates/qwen3-cli/tests/"],
        spares_tests: false,
        is_bad: is_feature_of_a_backend,
        say: "of a backend is asked for only by the engine's choice of a device and the kernels",
    },
    Ban {
        rule: "features",
        within: ENGINE,
        except: &[BACKEND],
        spares_tests: true,
        is_bad: is_feature_of_a_backend,
        say: "of a backend is asked for only where the engine chooses a device",
    },
    Ban {
        rule: "unsafe",
        within: "",
        except: &[KERNELS, SYSTEM],
        spares_tests: false,
        is_bad: |_, _, word| word == "unsafe",
        say: "code is only in `qwen3-kernels` and `qwen3-sys`",
    },
    Ban {
        rule: "unfinished",
        within: "",
        except: &[],
        spares_tests: false,
        is_bad: |source, at, word| match word {
            "todo" | "unimplemented" | "dbg" => is_macro(&source.code, at, word),
            "ignore" => source.code[..at].ends_with("#["),
            _ => false,
        },
        say: "is for drafts only",
    },
    Ban {
        rule: "printing",
        within: "crates/",
        except: &[CLI],
        spares_tests: true,
        is_bad: |source, at, word| match word {
            "print" | "println" | "eprint" | "eprintln" => is_macro(&source.code, at, word),
            "stdout" | "stderr" => source.code[at + word.len()..].starts_with('('),
            _ => false,
        },
        say: "in a library; return it, or log it with `tracing`",
    },
    Ban {
        rule: "environment",
        within: "",
        // The command's, the proofs' and the automation's own are theirs to read.
        except: &[HUB, CLI, "proof/", "xtask/"],
        spares_tests: true,
        is_bad: |source, at, word| word == "env" && source.code[at..].starts_with("env::var"),
        say: "variables are read only for the hub and by the command: options are passed",
    },
    Ban {
        rule: "threads",
        within: "crates/",
        except: &[ENGINE, SERVER, OTLP, CLI, PYTHON],
        spares_tests: true,
        is_bad: |source, at, word| match word {
            "spawn" | "ThreadPoolBuilder" | "async" | "tokio" => true,
            "scope" | "Builder" => source.code[..at].ends_with("thread::"),
            _ => false,
        },
        say: "below the engine, which starts the threads",
    },
];

impl Ban {
    /// The banned words of a file.
    pub fn broken(&self, source: &Source) -> Found {
        let is_spared = self.except.iter().any(|place| source.path.starts_with(place));
        if is_spared || !source.path.starts_with(self.within) {
            return vec![];
        }
        let code = if self.spares_tests { &source.shipped } else { &source.code };
        let bad = words(code).filter(|&(at, word)| (self.is_bad)(source, at, word));
        bad.map(|(at, word)| (at, format!("`{word}` {}", self.say))).collect()
    }
}

fn names_a_backend(lower: &str) -> bool {
    let parts = ["burn_flex", "ndarray", "cubecl", "cubebackend", "wgpu", "cuda", "vulkan"];
    parts.iter().any(|part| lower.contains(part))
}

/// `feature = "cpu"`, of which the literal stands in the text alone.
fn is_feature_of_a_backend(source: &Source, at: usize, word: &str) -> bool {
    let feature = || {
        let value = source.code[at + word.len()..].trim_start().strip_prefix('=')?;
        let start = source.code.len() - value.trim_start().strip_prefix('"')?.len();
        source.text[start..].split('"').next()
    };
    let backends = ["cpu", "ndarray", "cube", "wgpu", "gpu", "cuda"];
    word == "feature" && feature().is_some_and(|feature| backends.contains(&feature))
}

fn is_macro(code: &str, at: usize, word: &str) -> bool {
    let after = &code[at + word.len()..];
    after.starts_with('!') && !after.starts_with("!=")
}

/// The dialects of the server don't know each other: what they share is beside them.
fn dialects(source: &Source) -> Found {
    let of = source.path.strip_prefix(DIALECTS).and_then(|path| path.split(['/', '.']).next());
    let names = ["cohere", "jina", "llama_cpp", "ollama", "openai", "tei", "vllm"];
    if !of.is_some_and(|of| names.contains(&of)) {
        return vec![];
    }
    let others =
        words(&source.shipped).filter(|(_, word)| names.contains(word) && of != Some(word));
    let say = |(at, word)| {
        (at, format!("`{word}` is another dialect; what both need belongs to {DIALECTS}"))
    };
    others.map(say).collect()
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

/// A file is named for what a newcomer would look for.
fn file_name(source: &Source) -> Found {
    let empty = ["utils", "util", "common", "base", "types", "helpers"];
    let mut names = source.path.trim_end_matches(".rs").split('/');
    match names.find(|name| empty.contains(name)).filter(|_| source.is_rust()) {
        Some(name) => vec![(0, format!("`{name}` says nothing; name the file for what is in it"))],
        None => vec![],
    }
}

/// Every operation has a reference that defines "correct"; `cpu/`, `gpu/` and `autodiff/`
/// are what bodies share.
pub fn kernels_without_reference(files: &[File]) -> Vec<Violation> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let folder_of = |path: &&str| {
        let inside = path.strip_prefix(KERNELS)?.strip_prefix("src/")?;
        Some(format!("{KERNELS}src/{}", inside.split_once('/')?.0))
    };
    let folders: BTreeSet<String> = paths.iter().filter_map(folder_of).collect();
    let is_bare = |folder: &String| {
        let is_shared = ["/cpu", "/gpu", "/autodiff"].iter().any(|name| folder.ends_with(name));
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
