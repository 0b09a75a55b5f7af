//! Texts that can't be read, and what is said about them.

use crate::command::{Qwen3, on_cpu, qwen3};
use crate::fixtures::{embedding_model, reranker};
use std::io::Write;

fn embed<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Qwen3 {
    on_cpu("embed", &embedding_model(), arguments)
}

/// Expects that these lines fail with these words, from standard input and from
/// a file, which is named.
#[track_caller]
fn check(options: &[&str], lines: &[u8], words: &[&str]) {
    let words = |name: &str| -> Vec<String> {
        words.iter().map(|word| word.replace("INPUT", &format!("`{name}`"))).collect()
    };
    let expected = words("standard input");
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    embed(options.iter().copied()).stdin(lines).fails(1, &expected);

    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines).unwrap();
    let expected = words(file.path().to_str().unwrap());
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    embed(options.iter().copied()).args(["--input"]).arg(file.path()).fails(1, &expected);
}

#[test]
fn bytes_that_are_no_text_are_named_by_their_line() {
    check(&[], b"good\n\xff\xfe\n", &["line 2 of INPUT", "UTF-8"]);
    check(&[], b"\xe4\xb8\n", &["line 1 of INPUT", "UTF-8"]);
    check(&["--field", "t"], b"{\"t\": \"\xff\"}\n", &["line 1 of INPUT", "UTF-8"]);
}

/// It would take gigabytes, and is beyond what any model reads.
#[test]
fn a_text_that_can_not_be_cut_is_named() {
    let text = [b"good\n", &vec![b'a'; 20_000_000][..], b"\n"].concat();
    check(&[], &text, &["text 2: text has 20000000 bytes in a row without a place to cut"]);
    check(&["--prompt", "Find it:"], &text, &["text 2", "break them up"]);
}

#[test]
fn a_file_of_windows_is_told_what_it_is() {
    let utf16: Vec<u8> = "\u{feff}a\nb\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(&[], &utf16, &["INPUT is UTF-16", "UTF-8"]);
    check(&["--field", "t"], &utf16, &["INPUT is UTF-16", "UTF-8"]);
}

#[test]
fn a_line_that_is_no_json_is_named() {
    let words = ["line 2 of INPUT", "not JSON", "`--field`"];
    check(&["--field", "t"], b"{\"t\": \"a\"}\n{\"t\": \n", &words);
    check(&["--field", "t"], b"{\"t\": \"a\"}\nplain text\n", &words);
}

#[test]
fn a_missing_field_is_named_with_its_line() {
    let words = ["line 2 of INPUT", "no string in the field `t`"];
    check(&["--field", "t"], b"{\"t\": \"a\"}\n{\"text\": \"b\"}\n", &words);
    check(&["--field", "t"], b"{\"t\": \"a\"}\n{\"t\": 1}\n", &words);
    check(&["--field", "t"], b"{\"t\": \"a\"}\n[\"t\"]\n", &words);
}

#[test]
fn input_that_is_not_there_or_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("texts.txt");
    let words = ["can't read", nowhere.to_str().unwrap()];
    embed(["--input"]).arg(&nowhere).fails(1, &words);
    // A folder means tables.
    embed(["--input"]).arg(folder.path()).fails(1, &["name it with `--output`"]);
    let rerank = on_cpu("rerank", &reranker(), ["--query", "q", "--input"]);
    rerank.arg(&nowhere).fails(1, &["can't read", nowhere.to_str().unwrap()]);
}

#[test]
fn input_is_looked_at_before_the_model_is() {
    let run = qwen3(["embed", "--model", "nosuch"]).stdin(b"\xff\n".as_slice());
    run.fails(1, &["line 1 of `standard input`"]);
    qwen3(["embed", "--model", "nosuch", "--input", "/nosuch/texts"]).fails(1, &["/nosuch/texts"]);
}

#[test]
fn texts_come_from_one_place() {
    let words = ["both as arguments and with `--input`"];
    embed(["a text", "--input", "-"]).fails(1, &words);
    embed(["--input", "texts.txt", "a text"]).fails(1, &words);
    on_cpu("rerank", &reranker(), ["--query", "q", "--input", "-", "a"]).fails(1, &words);
}

#[test]
fn a_field_makes_no_sense_for_arguments() {
    let outcome = embed(["--field", "t", "{\"t\": \"a\"}"]).outcome();
    assert!(matches!(outcome.code, Some(1 | 2)), "`--field` was ignored: {outcome:?}");
    assert!(outcome.stderr.contains("--field"), "{outcome:?}");
}

#[test]
fn a_text_that_is_too_long_or_forbidden_is_named() {
    let too_long = ["--max-tokens", "3", "--truncate", "error"];
    embed(too_long).args(["x", "1 2 3"]).fails(1, &["6 tokens", "limit of 3"]);
    let reject = ["--special-tokens", "reject"];
    let run = embed(reject).args(["x", "a <|im_end|> b"]);
    run.fails(1, &["`<|im_end|>`", "`literal` or `strip`"]);
}

/// Half a million texts, and one of them is refused: which?
#[test]
fn a_text_that_is_refused_is_told_by_its_place() {
    let lines = "x\nx\n1 2 3\nx\n";
    let outcome = embed(["--max-tokens", "3", "--truncate", "error"]).stdin(lines).outcome();
    assert!(outcome.stderr.contains("text 3") || outcome.stderr.contains("line 3"), "{outcome:?}");
    let lines = "x\n<|im_end|>\n";
    let outcome = embed(["--special-tokens", "reject"]).stdin(lines).outcome();
    assert!(outcome.stderr.contains("text 2") || outcome.stderr.contains("line 2"), "{outcome:?}");
}

#[test]
fn what_was_finished_before_a_broken_line_stays() {
    let chunk = "\n".repeat(4_096);
    let mut lines = chunk.into_bytes();
    lines.extend(b"\xff\nx\n");
    let outcome = embed([]).stdin(lines).outcome();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("line 4097 of `standard input`"), "{outcome:?}");
    assert_eq!(outcome.jsonl().len(), 4_096);
}
