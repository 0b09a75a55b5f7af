//! The commands without a window, with what people type and files hold.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3-desk"));
    command.arg("--data").arg(data).args(arguments).output().unwrap()
}

fn told(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn a_reranker_that_can_not_be_loaded_leaves_the_results() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(notes.path().join("bread.md"), "Knead the dough.").unwrap();
    let settings = serde_json::json!({ "reranker": data.path().join("none"), "device": "cpu" });
    fs::write(data.path().join("settings.json"), settings.to_string()).unwrap();
    let indexed = run(data.path(), &["index", notes.path().to_str().unwrap()]);
    assert!(indexed.status.success(), "{}", told(&indexed));
    let found = run(data.path(), &["search", "how is dough made?"]);
    assert!(found.status.success(), "{}", told(&found));
    assert!(told(&found).contains("reranke"), "{}", told(&found));
    assert!(str::from_utf8(&found.stdout).unwrap().contains("Knead the dough."));
}

#[test]
fn the_model_of_the_index_answers_for_one_that_is_gone() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(notes.path().join("bread.md"), "Knead the dough.").unwrap();
    assert!(run(data.path(), &["index", notes.path().to_str().unwrap()]).status.success());
    let settings = serde_json::json!({ "model": "/no/such/model", "folders": [notes.path()] });
    fs::write(data.path().join("settings.json"), settings.to_string()).unwrap();
    let found = run(data.path(), &["search", "how is dough made?"]);
    assert!(found.status.success(), "{}", told(&found));
    assert!(told(&found).contains("/no/such/model"), "{}", told(&found));
    assert!(str::from_utf8(&found.stdout).unwrap().contains("Knead the dough."));
}

#[test]
fn a_folder_in_another_one_is_told() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = notes.path().canonicalize().unwrap();
    fs::create_dir(root.join(".hidden")).unwrap();
    let index = |name: &str| run(data.path(), &["index", root.join(name).to_str().unwrap()]);
    assert!(!told(&index("")).contains("already"));
    let again = index("");
    assert!(!told(&again).contains("already"), "{}", told(&again));
    let hidden = index(".hidden");
    assert!(told(&hidden).contains("unless it is hidden or ignored"), "{}", told(&hidden));
}

#[test]
fn files_do_not_speak_to_the_terminal() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(notes.path().join("bread.md"), "Knead \x1b[2J the dough.").unwrap();
    assert!(run(data.path(), &["index", notes.path().to_str().unwrap()]).status.success());
    let found = run(data.path(), &["search", "dough"]);
    let printed = str::from_utf8(&found.stdout).unwrap();
    assert!(printed.contains(r"Knead \u{1b}[2J the dough."), "{printed}");
}

#[test]
fn what_can_not_be_done_is_told() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("a file");
    fs::write(&file, "").unwrap();
    let name = file.to_str().unwrap();
    let cases: [(&Path, &[&str], &str); 7] = [
        (data.path(), &["search", " "], "the query is empty"),
        (data.path(), &["search", "-n", "0", "bread"], "`--count` is 0"),
        (data.path(), &["search", "-n", "51", "bread"], "finds 50 passages at most"),
        (data.path(), &["search", "bread"], "there is nothing to search"),
        (data.path(), &["index", name], "is a file; name the folder"),
        (data.path(), &["index"], "there is no folder yet"),
        (&file, &["index"], "is a file, and no folder"),
    ];
    for (data, arguments, expected) in cases {
        let output = run(data, arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(told(&output).contains(expected), "{arguments:?}: {}", told(&output));
    }
}

#[test]
fn as_many_passages_are_printed_as_can_be_asked_for() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for n in 0..60 {
        fs::write(notes.path().join(format!("{n}.md")), format!("Bake loaf {n}.")).unwrap();
    }
    assert!(run(data.path(), &["index", notes.path().to_str().unwrap()]).status.success());
    let found = run(data.path(), &["search", "-n", "50", "bread"]);
    assert!(found.status.success(), "{}", told(&found));
    let printed = str::from_utf8(&found.stdout).unwrap();
    assert_eq!(printed.matches("Bake loaf").count(), 50, "{printed}");
}
