//! A file as the rules see it, and what they find there.

use super::code::{code, without_tests};
use super::{File, extension};

pub const KERNELS: &str = "crates/qwen3-kernels/";
pub const SYSTEM: &str = "crates/qwen3-sys/";

/// What a rule finds: where, as an offset, and what is wrong.
pub type Found = Vec<(usize, String)>;

/// A file as the rules see it.
pub struct Source<'a> {
    pub path: &'a str,
    pub text: &'a str,
    /// Rust code without comments and what is inside of literals.
    pub code: String,
    /// The same without tests, examples and build scripts.
    pub shipped: String,
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

    pub fn is_rust(&self) -> bool {
        extension(self.path) == "rs"
    }
}
