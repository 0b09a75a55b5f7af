//! What kind of file something is, by its name.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// How a file is read, and what people filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Kind {
    Markdown,
    Text,
    Code,
    Html,
    Pdf,
    Table,
}

const MARKDOWN: &[&str] = &["md", "markdown", "mdx", "qmd", "rmd"];
const TEXT: &[&str] =
    &["txt", "text", "rst", "adoc", "asciidoc", "org", "tex", "srt", "vtt", "log"];
const CODE: &[&str] = &[
    "rs", "py", "pyi", "js", "mjs", "cjs", "ts", "tsx", "jsx", "c", "h", "cc", "cpp", "cxx", "hh",
    "hpp", "cs", "go", "java", "kt", "kts", "swift", "rb", "php", "pl", "pm", "lua", "r", "jl",
    "scala", "clj", "ex", "exs", "erl", "hs", "ml", "mli", "fs", "dart", "zig", "nim", "sh",
    "bash", "zsh", "fish", "ps1", "bat", "sql", "css", "scss", "less", "vue", "svelte", "toml",
    "yaml", "yml", "ini", "cfg", "conf", "cmake", "gradle", "tf", "proto", "wgsl", "glsl", "cu",
    "cuh", "el", "lisp", "scm", "vim",
];
const HTML: &[&str] = &["html", "htm", "xhtml"];
const PDF: &[&str] = &["pdf"];
const TABLE: &[&str] = &["csv", "tsv"];
/// Files that have no extension, but text.
const NAMES: &[&str] =
    &["readme", "license", "licence", "copying", "authors", "changelog", "notes", "todo"];
const CODE_NAMES: &[&str] = &["makefile", "dockerfile", "justfile", "rakefile", "gemfile"];

const KINDS: [(Kind, &str, &[&str]); 6] = [
    (Kind::Markdown, "Markdown", MARKDOWN),
    (Kind::Text, "Text", TEXT),
    (Kind::Code, "Code", CODE),
    (Kind::Html, "Web pages", HTML),
    (Kind::Pdf, "PDF", PDF),
    (Kind::Table, "Tables", TABLE),
];

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Markdown, Self::Text, Self::Code, Self::Html, Self::Pdf, Self::Table];

    /// The kind of a file; `None`: it is left alone.
    pub fn of(path: &Path) -> Option<Self> {
        let lower = |part: &std::ffi::OsStr| part.to_str().map(str::to_ascii_lowercase);
        match path.extension().and_then(lower) {
            Some(extension) => KINDS
                .iter()
                .find(|(_, _, extensions)| extensions.contains(&extension.as_str()))
                .map(|(kind, _, _)| *kind),
            None => {
                let name = path.file_name().and_then(lower)?;
                let is_text = NAMES.contains(&name.as_str()).then_some(Self::Text);
                is_text.or_else(|| CODE_NAMES.contains(&name.as_str()).then_some(Self::Code))
            }
        }
    }

    /// What it is called in the window.
    pub fn label(self) -> &'static str {
        KINDS[self as usize].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_kind() {
        let kind = |name: &str| Kind::of(Path::new(name));
        assert_eq!(kind("a/b/Notes.MD"), Some(Kind::Markdown));
        assert_eq!(kind("README"), Some(Kind::Text));
        assert_eq!(kind("Makefile"), Some(Kind::Code));
        assert_eq!(kind("paper.pdf"), Some(Kind::Pdf));
        assert_eq!(kind("photo.jpg"), None);
        assert_eq!(kind(".gitignore"), None);
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!((kind as usize, KINDS[at].0), (at, kind));
        }
    }
}
