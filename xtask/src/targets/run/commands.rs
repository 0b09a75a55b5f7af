//! Commands that do one thing and end.

use super::super::ROOT;
use super::program::Program;
use std::fs;

/// The first result of README.md, and how its cosines begin on every processor.
const FIRST_RESULT: [&str; 8] = [
    "similarity",
    "--model",
    "mini",
    "--query",
    "What is the capital of China?",
    "--document",
    "The capital of China is Beijing.",
    "Apples fall.",
];
const COSINE: &str = "0.869";
/// A vector of the model inside the program, as NumPy's file: so long is it.
const VECTOR_BYTES: usize = 128 + 256 * 4;

/// Says what it is.
pub fn version(program: &Program) -> Result<(), String> {
    expect(program, &["--version"], 0, "qwen3 ")
}

/// Computes what it computes on Linux.
pub fn similarity(program: &Program) -> Result<(), String> {
    expect(program, &FIRST_RESULT, 0, COSINE)
}

/// Compares the fast kernels with the plain ones, and the model with its checksums.
pub fn doctor(program: &Program) -> Result<(), String> {
    let arguments = ["doctor", "--device", "cpu", "--model", "mini", "--json", "doctor.json"];
    expect(program, &arguments, 0, "checks passed")
}

/// Writes a file.
pub fn embed(program: &Program) -> Result<(), String> {
    // Twice, so that the second replaces a file.
    for text in ["Apples fall.", "Die Hauptstadt Chinas ist Peking."] {
        let arguments = ["embed", "--model", "mini", "--output", "vector.npy", text];
        expect(program, &arguments, 0, "")?;
    }
    let path = format!("{}/vector.npy", program.folder);
    match fs::read(&path).map_err(|error| format!("{path}: {error}"))?.len() {
        VECTOR_BYTES => Ok(()),
        bytes => Err(format!("`{path}` has {bytes} bytes, not {VECTOR_BYTES}")),
    }
}

/// Orders documents, with a model from a folder.
pub fn rerank(program: &Program) -> Result<(), String> {
    let model = format!("{ROOT}/tests/fixtures/tiny-reranker-tied");
    let arguments = ["rerank", "--model", &model, "--query", "cat", "dog", "cat"];
    expect(program, &arguments, 0, r#"{"index":1,"score":0.656"#)
}

/// Says which words it doesn't know.
pub fn wrong_arguments(program: &Program) -> Result<(), String> {
    expect(program, &["embed", "--wrong"], 2, "unexpected argument '--wrong'")
}

/// Says where it can't write, before it has computed anything.
pub fn unwritable(program: &Program) -> Result<(), String> {
    let arguments = ["embed", "--model", "mini", "--output", "missing/vector.npy", "a"];
    expect(program, &arguments, 1, "can't write `missing/vector.npy`")?;
    let arguments = ["embed", "--model", "mini", "--output", ".", "a"];
    expect(program, &arguments, 1, "can't write `.`: is a directory")
}

/// An exit code, and some of the words.
pub fn expect(program: &Program, arguments: &[&str], code: i32, words: &str) -> Result<(), String> {
    let outcome = program.run(arguments)?;
    match outcome.code == Some(code) && outcome.said.contains(words) {
        true => Ok(()),
        false => Err(format!("not {code} and `{words}`, but {outcome:?}")),
    }
}
