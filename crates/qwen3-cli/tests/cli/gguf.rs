//! GGUF files on the disk: what they are, what is wrong with them, and what is told of it.

use crate::command::{named_from_hub, named_offline, on_cpu, qwen3};
use crate::fixtures::folder;
use crate::hub_server::{Flaw, Hub, MODEL};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const NAN_16: [u8; 2] = [0xff, 0x7f];

fn fixture(name: &str) -> Vec<u8> {
    fs::read(folder("gguf").join(name)).unwrap()
}

fn model() -> Vec<u8> {
    fixture("tiny-embedding-q8_0.gguf")
}

/// A model that says nothing of what it is for, and has another name in it of the same length.
fn silent() -> Vec<u8> {
    let mut bytes = fixture("tiny-reranker-bare.gguf");
    let name = b"tiny-reranker-untied";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at..at + name.len()].fill(b'x');
    bytes
}

fn written(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

/// Where some bytes are, in the only place.
fn place_of(bytes: &[u8], file: &[u8]) -> usize {
    let mut found = file.windows(bytes.len()).enumerate().filter(|(_, window)| *window == bytes);
    let (at, _) = found.next().unwrap();
    assert!(found.next().is_none());
    at
}

/// The table of tensors has name, number of dimensions, dimensions, dtype and offset.
fn entry_of(tensor: &str, file: &[u8]) -> usize {
    place_of(&[&(tensor.len() as u64).to_le_bytes(), tensor.as_bytes()].concat(), file)
        + 8
        + tensor.len()
}

/// A file with NaN as the scale of a block: the last one before the last norm's 32 numbers.
fn with_nan() -> Vec<u8> {
    let mut bytes = model();
    let at = bytes.len() - 4 * 32 - 34;
    bytes[at..at + 2].copy_from_slice(&NAN_16);
    bytes
}

#[test]
fn a_name_tells_what_a_file_is_for_and_a_link_has_a_name() {
    let folder = TempDir::new().unwrap();
    let kind = |path: &Path| {
        let outcome = qwen3(["info", "--model"]).arg(path).succeeds();
        let kind = outcome.json()["kind"].as_str().unwrap().to_owned();
        (kind, outcome.stderr.contains("taken for a reranker"))
    };
    let silent = written(&folder, "0123/any.gguf", &silent());
    assert_eq!(kind(&silent), ("reranker".to_owned(), true));
    let told = ("embedding".to_owned(), false);
    #[cfg(unix)]
    {
        let link = folder.path().join("My-Embedding.gguf");
        std::os::unix::fs::symlink(&silent, &link).unwrap();
        assert_eq!(kind(&link), told);
    }
    let within = folder.path().join("my-embedding/any.gguf");
    fs::create_dir(within.parent().unwrap()).unwrap();
    fs::rename(&silent, &within).unwrap();
    assert_eq!(kind(&within), told);
}

/// The names in the cache are links to digests.
#[test]
fn a_file_of_the_hub_keeps_its_name() {
    let folder = TempDir::new().unwrap();
    for name in ["Tiny-Reranker-Q8_0.gguf", "Tiny-Embedding-F16.gguf"] {
        fs::write(folder.path().join(name), silent()).unwrap();
    }
    let (hub, home) = (Hub::serve(folder.path(), Flaw::None), TempDir::new().unwrap());
    for (name, kind, out) in [
        ("Q8_0", "reranker", "Tiny-Reranker-Q8_0.safetensors"),
        ("F16", "embedding", "Tiny-Embedding-F16-q8_0.safetensors"),
    ] {
        let info =
            named_from_hub(["info", &format!("{MODEL}:{name}")], &hub, &home).succeeds().json();
        assert_eq!((&info["kind"], &info["format"]), (&kind.into(), &"GGUF".into()));
        let mut run = named_offline(["convert", &format!("{MODEL}:{name}")], &home);
        run.command.current_dir(folder.path());
        assert_eq!(run.succeeds().text(), format!("{out}\n"));
    }
}

#[test]
fn the_doctor_loads_a_model_and_computes() {
    let folder = TempDir::new().unwrap();
    let doctor = |name: &str, content: &[u8]| {
        let path = written(&folder, name, content);
        qwen3(["doctor", "--device", "cpu", "--model"]).arg(path)
    };
    let outcome = doctor("whole.gguf", &model()).succeeds();
    for line in [
        "[?]    whole.gguf: not among the known published files, sha256",
        "[ok]   every number of the weights is finite",
        "[ok]   cpu q8_0: loads, and computes a text",
        "all 7 checks passed",
    ] {
        assert!(outcome.text().contains(line), "{line}: {outcome:?}");
    }
    let outcome = doctor("nan.gguf", &with_nan()).outcome();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.text().contains("nan.gguf` holds NaN or infinity"), "{outcome:?}");
    // The metadata says another shape.
    let mut bytes = model();
    let at = entry_of("blk.0.ffn_up.weight", &bytes) + 4;
    let rows: [u8; 8] = bytes[at + 8..at + 16].try_into().unwrap();
    let rows = u64::from_le_bytes(rows) - 1;
    bytes[at + 8..at + 16].copy_from_slice(&rows.to_le_bytes());
    let outcome = doctor("misshapen.gguf", &bytes).outcome();
    let words = ["[FAIL] cpu", "tensor `blk.0.ffn_up.weight` of `", "misshapen.gguf` has shape"];
    for word in words {
        assert!(outcome.text().contains(word), "{word}: {outcome:?}");
    }
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
}

#[test]
fn what_convert_would_not_write_is_told() {
    let folder = TempDir::new().unwrap();
    let path = written(&folder, "nan.gguf", &with_nan());
    for dtype in ["auto", "q8_0", "q4_0", "f32", "f16"] {
        let out = folder.path().join("out.safetensors");
        let run = qwen3(["convert", "--dtype", dtype, "--model"]).arg(&path).arg("--out").arg(&out);
        let outcome = run.fails(1, &["tensor `blk.2.attn_v.weight` of `", "nan.gguf` holds NaN"]);
        assert!(!outcome.stderr.contains("load it with"), "{outcome:?}");
        assert!(!out.exists());
    }
    let path = written(&folder, "model.gguf", &model());
    for (out, word) in [("x.gguf", "`.safetensors`"), ("-", "the path of a file")] {
        let mut run = qwen3(["convert", "--out", out, "--model"]).arg(&path);
        run.command.current_dir(&folder);
        run.fails(1, &[word]);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// The file's own names, and no file that there isn't.
#[test]
fn messages_speak_of_the_file() {
    let folder = TempDir::new().unwrap();
    let refused = |content: &[u8], words: &[&str]| {
        let path = written(&folder, "model.gguf", content);
        let outcome = on_cpu("embed", &path, ["a"]).fails(1, words);
        let elsewhere = ["config.json", "tokenizer.json", "self_attn", "layers."];
        assert!(!elsewhere.iter().any(|word| outcome.stderr.contains(word)), "{outcome:?}");
    };
    let renamed = |from: &str, to: &str| {
        let mut bytes = model();
        let at = place_of(from.as_bytes(), &bytes);
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let words = ["model.gguf` has no tensor `blk.1.attn_q.weight`"];
    refused(&renamed("blk.1.attn_q.weight", "blk.7.attn_q.weight"), &words);
    let mut bytes = model();
    let at = place_of(b"qwen3.attention.head_count_kv", &bytes) + 29 + 4;
    bytes[at] = 3;
    refused(&bytes, &["model.gguf` asks for `num_key_value_heads`: `3`"]);
}

#[cfg(unix)]
#[test]
fn a_device_in_place_of_a_model_is_told() {
    qwen3(["info", "--model", "/dev/null"]).fails(1, &["`/dev/null` is a device"]);
}
