//! Folders with a tokenizer: the fixtures, and edited copies of them.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// A folder of `tests/fixtures`, whose tokenizer has 606 tokens and five added ones:
/// `<|endoftext|>` 606, `<|im_start|>` 607, `<|im_end|>` 608, `<think>` 609 and `</think>`
/// 610.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

pub fn json(path: &Path) -> Value {
    let json = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&json).unwrap()
}

/// A folder of its own for the test `name`, with a copy of the fixture's `tokenizer.json`
/// after `edit`.
#[allow(dead_code, reason = "not every test file edits")]
pub fn edited(name: &str, fixture_name: &str, edit: impl FnOnce(&mut Value)) -> PathBuf {
    let mut tokenizer = json(&fixture(fixture_name).join("tokenizer.json"));
    edit(&mut tokenizer);
    with_file(name, "tokenizer.json", tokenizer.to_string().as_bytes())
}

/// A copy of the fixture with another spelling of its pattern, which the rules for pieces
/// don't know: the slow, obvious way.
#[allow(dead_code, reason = "not every test file needs it")]
pub fn in_one_piece(name: &str, fixture_name: &str) -> PathBuf {
    edited(&format!("{fixture_name} in one piece for {name}"), fixture_name, |json| {
        let pattern = &mut json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"];
        *pattern = format!("(?:{})", pattern.as_str().unwrap()).into();
    })
}

/// A folder of its own for the test `name`, with one file.
#[allow(dead_code, reason = "not every test file edits")]
pub fn with_file(name: &str, file: &str, content: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(file), content).unwrap();
    folder
}
