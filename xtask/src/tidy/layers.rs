//! Which crate may depend on which: arrows point down only.

use super::manifest::{dependencies, package};
use super::source::{Found, Source};

/// Our crates, and which of ours each of them may depend on.
pub const OURS: [(&str, &[&str]); 25] = [
    ("qwen3-text", &[]),
    ("qwen3-sys", &[]),
    ("qwen3-dtypes", &[]),
    ("qwen3-gguf", &["qwen3-dtypes", "qwen3-sys"]),
    ("qwen3-kernels", &["qwen3-dtypes"]),
    ("qwen3", &["qwen3-dtypes", "qwen3-gguf", "qwen3-kernels", "qwen3-sys"]),
    ("qwen3-autodiff", &["qwen3", "qwen3-kernels"]),
    ("qwen3-cpu", &["qwen3", "qwen3-autodiff", "qwen3-kernels"]),
    ("qwen3-ndarray", &["qwen3", "qwen3-autodiff", "qwen3-kernels"]),
    ("qwen3-wgpu", &["qwen3", "qwen3-autodiff", "qwen3-kernels", "qwen3-sys"]),
    ("qwen3-cuda", &["qwen3", "qwen3-autodiff", "qwen3-kernels", "qwen3-sys"]),
    ("qwen3-mini", &[]),
    (
        "qwen3-engine",
        &[
            "qwen3-text",
            "qwen3-sys",
            "qwen3-gguf",
            "qwen3",
            "qwen3-autodiff",
            "qwen3-cpu",
            "qwen3-ndarray",
            "qwen3-wgpu",
            "qwen3-cuda",
            "qwen3-mini",
        ],
    ),
    ("qwen3-train", &["qwen3-engine", "qwen3-sys"]),
    ("qwen3-tables", &[]),
    ("qwen3-eval", &["qwen3-tables"]),
    ("qwen3-checks", &["qwen3-engine"]),
    ("qwen3-server", &["qwen3-engine"]),
    ("qwen3-otlp", &[]),
    ("qwen3-python", &["qwen3-engine"]),
    (
        "qwen3-cli",
        &[
            "qwen3-engine",
            "qwen3-train",
            "qwen3-eval",
            "qwen3-checks",
            "qwen3-server",
            "qwen3-otlp",
            "qwen3-tables",
        ],
    ),
    ("qwen3-desk", &["qwen3-engine"]),
    ("qwen3-proof", &["qwen3-engine", "qwen3-checks"]),
    (
        "qwen3-fuzz",
        &["qwen3-text", "qwen3-gguf", "qwen3", "qwen3-engine", "qwen3-eval", "qwen3-server"],
    ),
    ("xtask", &[]),
];

/// The crates that may depend on what names a backend.
const BACKENDS: &[&str] =
    &["qwen3-kernels", "qwen3-cpu", "qwen3-ndarray", "qwen3-wgpu", "qwen3-cuda"];
const ASYNCHRONOUS: &[&str] =
    &["qwen3-server", "qwen3-otlp", "qwen3-cli", "qwen3-datafusion", "qwen3-fuzz"];

/// Heavy crates of others, and which of ours may depend on them. A name that
/// ends in `-` is the beginning of many.
const HEAVY: [(&str, &[&str]); 13] = [
    ("burn", &["qwen3", "qwen3-kernels", "qwen3-autodiff"]),
    ("burn-autodiff", &["qwen3-kernels", "qwen3-autodiff"]),
    ("burn-", BACKENDS),
    ("cubecl", BACKENDS),
    ("cubecl-", BACKENDS),
    ("cubek", BACKENDS),
    ("wgpu", &["qwen3-kernels", "qwen3-sys", "qwen3-wgpu"]),
    ("cudarc", &["qwen3-kernels", "qwen3-sys", "qwen3-cuda"]),
    ("tokenizers", &["qwen3-text"]),
    ("ureq", &["qwen3-engine"]),
    ("axum", ASYNCHRONOUS),
    ("tokio", ASYNCHRONOUS),
    ("hyper", ASYNCHRONOUS),
];

/// Dependencies point down only, and heavy ones stay where they belong.
pub fn arrows(source: &Source) -> Found {
    let Some(name) = package(source.text).filter(|_| source.path.ends_with("Cargo.toml")) else {
        return vec![];
    };
    let has_place = ["apps/", "crates/"].iter().any(|place| source.path.starts_with(place));
    if has_place && !OURS.iter().any(|(of, _)| *of == name) {
        return vec![(0, format!("`{name}` has no place yet; give it one in xtask's `OURS`"))];
    }
    let seen = dependencies(source.text).into_iter().filter(|to| !to.for_tests || name == "xtask");
    let bad = seen.filter(|to| !may(name, to.name));
    bad.map(|to| (to.at, format!("`{name}` must not depend on `{}`", to.name))).collect()
}

fn may(name: &str, to: &str) -> bool {
    let ours = OURS.iter().find(|(of, _)| *of == name).map(|(_, may)| *may);
    if name == "xtask" {
        false
    } else if OURS.iter().any(|(of, _)| *of == to) {
        // The tests of the whole path see all.
        ours.is_none_or(|ours| ours.contains(&to))
    } else {
        // A crate that has a row of its own is no longer one of many.
        let of_its_own = HEAVY.iter().find(|(what, _)| to == *what);
        let is_of_many = |what: &str| what.ends_with('-') && to.starts_with(what);
        let of_many = || HEAVY.iter().find(|(what, _)| is_of_many(what));
        of_its_own.or_else(of_many).is_none_or(|(_, may)| may.contains(&name))
    }
}
