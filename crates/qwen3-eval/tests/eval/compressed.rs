//! Files compressed by gzip: the same as what is in them.

use crate::bench::{embed, folder, lines, options, refused};
use flate2::Compression;
use flate2::write::GzEncoder;
use qwen3_eval::{OpenOptions, TaskData, is_data_file, read_qrels, read_run};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Replaces a file by its compressed form.
fn compress(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap().to_string_lossy();
    let other = path.with_file_name(format!("{name}.gz"));
    fs::write(&other, compressed(&fs::read(path).unwrap())).unwrap();
    fs::remove_file(path).unwrap();
    other
}

fn opened(path: &Path) -> TaskData {
    TaskData::open(path, &options()).unwrap()
}

#[test]
fn a_folder_whose_files_are_compressed_has_the_same_scores() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let expected = opened(folder.path()).evaluate(embed).unwrap();
    for name in ["corpus.jsonl", "queries.jsonl", "qrels/test.jsonl"] {
        compress(&at(name));
        assert_eq!(opened(folder.path()).evaluate(embed).unwrap(), expected, "{name}");
    }
    fs::remove_file(at("qrels/test.jsonl.gz")).unwrap();
    let rows = ["q1-og", "q1-changed", "d3"].map(|query| format!("{query}\td1\t1\n"));
    fs::write(at("qrels/test.tsv"), rows.concat()).unwrap();
    compress(&at("qrels/test.tsv"));
    assert_eq!(opened(folder.path()).evaluate(embed).unwrap(), expected);
    let other = OpenOptions { split: "dev".to_owned(), ..options() };
    refused(folder.path(), &other, &["no split `dev`; there are: test"]);
    let list = json!({"query-id": "d3", "corpus-ids": ["d1"]});
    lines(&at("top_ranked/test.jsonl"), &[list]);
    compress(&at("top_ranked/test.jsonl"));
    assert_eq!(opened(folder.path()).task.to_string(), "reranking");
}

#[test]
fn rows_are_called_and_read_as_without_compression() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let row = |at: usize| json!({"text": format!("text {at}"), "label": at % 2});
    let rows: Vec<_> = (0..9).map(row).collect();
    for split in ["train", "test"] {
        lines(&at(&format!("{split}.jsonl")), &rows);
    }
    let expected = opened(folder.path()).evaluate(embed).unwrap();
    for split in ["train", "test"] {
        compress(&at(&format!("{split}.jsonl")));
    }
    assert_eq!(opened(folder.path()).evaluate(embed).unwrap(), expected);
    let data = opened(&at("test.jsonl.gz"));
    assert_eq!((data.name.as_str(), data.evaluate(embed).unwrap()), ("test", expected));
    for (name, tab) in [("pairs.csv", ','), ("pairs.tsv", '\t')] {
        let cells = "sentence1|sentence2|score\na|b|1\nb|c|2.5\n".replace('|', &tab.to_string());
        fs::write(at(name), cells).unwrap();
        let data = opened(&compress(&at(name)));
        assert_eq!(json!([data.name, data.task.to_string()]), json!(["pairs", "sts"]));
    }
}

#[test]
fn a_file_is_known_by_its_bytes_and_may_have_parts() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let parts = [compressed(b"q1\td1\t1\n"), compressed(b"q1\td2\t0\n")].concat();
    fs::write(at("test.tsv"), &parts).unwrap();
    assert_eq!(read_qrels(&at("test.tsv")).unwrap().of("q1").unwrap().len(), 2);
    fs::write(at("run"), compressed(b"q1 Q0 d1 1 0.5 x\n")).unwrap();
    assert_eq!(read_run(&at("run")).unwrap().of("q1").unwrap().len(), 1);
    fs::write(at("test.tsv.gz"), "q1\td1\t1\n").unwrap();
    assert_eq!(read_qrels(&at("test.tsv.gz")).unwrap().of("q1").unwrap().len(), 1);
    for end in [3, parts.len() / 4, parts.len() - 1] {
        fs::write(at("test.tsv"), &parts[..end]).unwrap();
        let told = read_qrels(&at("test.tsv")).unwrap_err().to_string();
        assert!(told.contains("can't read") && told.contains("test.tsv"), "{end}: {told}");
    }
}

#[test]
fn names_of_data_files_may_end_in_gz() {
    for name in ["a.jsonl", "a.jsonl.gz", "a/b.tsv.gz", "a.csv", "test-00000-of-00001.parquet"] {
        assert!(is_data_file(name), "{name}");
    }
    for name in ["a.gz", "a.parquet.gz", "a.jsonl.zst", "a.tar.gz", "README.md.gz", "jsonl"] {
        assert!(!is_data_file(name), "{name}");
    }
}
