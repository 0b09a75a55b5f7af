//! `qwen3 doctor`

use crate::command::qwen3;
use crate::fixtures::embedding_model;
use tempfile::TempDir;

#[test]
fn the_processor_is_trusted_in_every_dtype() {
    let outcome = qwen3(["doctor", "--device", "cpu"]).succeeds();
    for dtype in ["f32", "bf16", "f16", "q8_0", "q4_0"] {
        let line = format!("[ok]   cpu {dtype}: trusted");
        assert!(outcome.text().contains(&line), "{outcome:?}");
    }
    assert!(outcome.text().contains("tokens/s"), "{outcome:?}");
    assert!(outcome.text().ends_with("all 5 checks passed\n"), "{outcome:?}");
}

#[test]
fn a_report_for_machines_says_the_same() {
    let report = qwen3(["doctor", "--device", "cpu", "--json", "-"]).succeeds().json();
    assert_eq!((&report["checks"], &report["failed"]), (&5.into(), &0.into()));
    let dtypes = report["devices"][0]["dtypes"].as_array().unwrap();
    for dtype in dtypes {
        assert_eq!(dtype["trusted"], true);
        assert!(dtype["cosine"].as_f64() > Some(0.997), "{dtype}");
        assert!(dtype["tokens_per_second"].as_f64() > Some(0.0), "{dtype}");
    }
    assert_eq!(dtypes.len(), 5);
}

#[test]
fn a_model_is_checked_too() {
    let model = embedding_model();
    let command = qwen3(["doctor", "--device", "cpu", "--model"]).arg(&model);
    let outcome = command.succeeds();
    let text = outcome.text();
    assert!(
        text.contains("[?]    model.safetensors: not among the known published files"),
        "{text}"
    );
    assert!(text.contains("no numbers are published of a model of this shape"), "{text}");

    let target = TempDir::new().unwrap();
    let out = target.path().join("model.safetensors");
    qwen3(["convert", "--model"]).arg(&model).arg("--out").arg(&out).succeeds();
    let doctor = || qwen3(["doctor", "--device", "cpu", "--model"]).arg(&out);
    let outcome = doctor().succeeds();
    let expected = "[ok]   all checksums of the converted file are right";
    assert!(outcome.text().contains(expected), "{outcome:?}");
    let mut bytes = std::fs::read(&out).unwrap();
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    std::fs::write(&out, bytes).unwrap();
    let outcome = doctor().outcome();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("is damaged"), "{outcome:?}");
}

#[test]
fn a_device_that_is_not_here_is_an_error() {
    qwen3(["doctor", "--device", "cuda:99"]).fails(1, &["`cuda:99`"]);
    qwen3(["doctor", "--device", "tpu"]).fails(2, &["`tpu`"]);
    let doctor = qwen3(["doctor", "--device", "cpu", "--model", "no/such"]).outcome();
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
}
