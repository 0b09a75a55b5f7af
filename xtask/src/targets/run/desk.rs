//! The desktop program, without its window: a folder is indexed, and something is found in it.

use super::commands::expect;
use super::program::Program;
use std::fs;

const NOTES: [(&str, &str); 2] = [
    ("bread.md", "Knead the dough for ten minutes, then let the yeast rise overnight."),
    ("apples.txt", "Gravity pulls apples to the ground."),
];

/// Indexes a folder in one process, and searches it in the next.
pub fn indexed_and_found(program: &Program) -> Result<(), String> {
    let folder = format!("{}/notes", program.folder);
    fs::create_dir_all(&folder).map_err(|error| format!("{folder}: {error}"))?;
    for (name, text) in NOTES {
        let path = format!("{folder}/{name}");
        fs::write(&path, text).map_err(|error| format!("{path}: {error}"))?;
    }
    expect(program, &["--data", "data", "index", "notes"], 0, "2 of 2 passages")?;
    let search = ["--data", "data", "search", "-n", "1", "how do I bake a loaf?"];
    expect(program, &search, 0, "bread.md:1")
}
