//! The command as a developer meets it: the real binary on the fixtures.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn proof(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3-proof"));
    // Mesa's Vulkan driver complains on standard error where there is no session.
    command.args(arguments).env("XDG_RUNTIME_DIR", std::env::temp_dir());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

#[test]
fn parity_says_where_what_and_how_far() {
    let folder = tempfile::TempDir::new().unwrap();
    let (json, svg) = (folder.path().join("parity.json"), folder.path().join("parity.svg"));
    let model = fixture("tiny-embedding");
    let arguments = ["parity", "--devices", "cpu", "--model", model.to_str().unwrap()];
    let files = ["--json", json.to_str().unwrap(), "--plot", svg.to_str().unwrap()];
    let output = proof(&[&arguments[..], &files].concat());
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}");
    let stages: Vec<&str> = report
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with("[OK]"))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(
        stages[..4],
        ["tokens", "embed_tokens", "layers.0.input_layernorm", "layers.0.self_attn.v_proj"]
    );
    assert_eq!(stages[stages.len() - 3..], ["layers.2", "norm", "embedding"]);
    assert!(report.ends_with("parity: everything is within bounds\n"), "{report}");
    let cells: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let dtypes: Vec<_> = cells.as_array().unwrap().iter().map(|cell| &cell["dtype"]).collect();
    assert_eq!(dtypes, ["f32", "bf16", "f16", "q8_0", "q4_0"]);
    assert!(cells[0]["worst_cosine"].as_f64() > Some(0.999_999));
    let picture = std::fs::read_to_string(svg).unwrap();
    assert!(picture.starts_with("<svg") && picture.matches("<polyline").count() >= 3, "{picture}");
}

#[test]
fn a_wrong_model_fails_with_the_name_of_the_stage() {
    // The weights of another checkpoint of the same shape.
    let folder = tempfile::TempDir::new().unwrap();
    let (model, other) = (fixture("tiny-embedding"), fixture("tiny-embedding-overflow"));
    let prompts = "config_sentence_transformers.json";
    let pooling = "1_Pooling/config.json";
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    for name in ["config.json", "tokenizer.json", "modules.json", prompts, pooling] {
        std::fs::copy(model.join(name), folder.path().join(name)).unwrap();
    }
    let weights = "model.safetensors";
    std::fs::copy(other.join(weights), folder.path().join(weights)).unwrap();
    let (model, reference) = (folder.path().to_str().unwrap(), model.to_str().unwrap());
    let arguments = ["parity", "--quiet", "--devices", "cpu", "--dtypes", "f32"];
    let output = proof(&[&arguments[..], &["--model", model, "--reference", reference]].concat());
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("first differs at `embed_tokens`"), "{report}");
    assert!(report.ends_with("parity: NOT the same\n"), "{report}");
}

#[test]
fn what_can_not_be_done_is_told() {
    for (arguments, expected) in [
        (&["parity", "--devices", "cuda:99"][..], "no device `cuda:99` here"),
        (&["parity", "--reference", "transformers"], "name the checkpoint with --model"),
        (&["parity", "--reference", "published"], "Qwen/Qwen3-Reranker-8B"),
        (
            &["parity", "--devices", "cpu", "--model", "/no/such"],
            "can't read `/no/such/reference.json`",
        ),
        (&["bench", "--shapes", "8by8"], "`8by8` is no shape"),
        (&["bench", "--size", "3b", "--devices", "cpu"], "there is no size `3b`"),
        (&["bench", "--compare", "/no/such.json"], "can't read `/no/such.json`"),
    ] {
        let output = proof(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let message = text(&output.stderr);
        assert!(message.starts_with("qwen3-proof: ") && message.contains(expected), "{message}");
    }
}

#[test]
fn bench_measures_and_compares_with_itself() {
    let folder = tempfile::TempDir::new().unwrap();
    let json = folder.path().join("bench.json");
    let shared = [
        "bench",
        "--size",
        "tiny",
        "--devices",
        "cpu",
        "--dtypes",
        "bf16",
        "--shapes",
        "2x8,mixed",
    ];
    let first = proof(&[&shared[..], &["--json", json.to_str().unwrap()]].concat());
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let second =
        proof(&[&shared[..], &["--repeats", "1", "--compare", json.to_str().unwrap()]].concat());
    let table = text(&second.stdout);
    assert!(table.lines().next().unwrap().contains("ratio to earlier"), "{table}");
    for shape in ["2x8", "mixed"] {
        let row = table.lines().find(|line| line.contains(shape)).unwrap();
        let ratio: f64 = row.split_whitespace().last().unwrap().parse().unwrap();
        assert!(ratio > 0.0, "{table}");
    }
}
