//! `qwen3 embed`: what its options do to vectors.

use crate::command::{Outcome, on_cpu, qwen3};
use crate::fixtures::{embedding_model, texts};
use crate::vectors::{assert_close, cosine, length, of_objects};
use serde_json::Value;

/// Objects for these texts.
#[track_caller]
fn objects(options: &[&str], texts: &[&str]) -> Vec<Value> {
    run(options, texts).jsonl()
}

#[track_caller]
fn vectors(options: &[&str], texts: &[&str]) -> Vec<Vec<f32>> {
    of_objects(&objects(options, texts))
}

#[track_caller]
fn run(options: &[&str], texts: &[&str]) -> Outcome {
    let texts = std::iter::once("--").chain(texts.iter().copied());
    on_cpu("embed", &embedding_model(), options.iter().copied()).args(texts).succeeds()
}

/// Expects that options don't change the reference's vectors beyond this cosine.
#[track_caller]
fn check(options: &[&str], least_cosine: f64) {
    let texts = texts();
    let found = vectors(options, &texts.iter().map(|text| text.text.as_str()).collect::<Vec<_>>());
    assert_eq!(found.len(), texts.len());
    for (text, found) in texts.iter().zip(found) {
        let cosine = cosine(&found, &text.vector);
        assert!(cosine >= least_cosine, "{options:?}: {cosine} for {:?}", text.text);
    }
}

/// Measured on an x86-64 processor: 1 - 5e-13 at the least in f32, for one
/// thread, and in f16; 1 - 5e-5 in bf16, with bfloat16 products.
#[test]
fn every_dtype_gives_the_vectors_of_transformers() {
    check(&["--dtype", "f32"], 0.99999);
    check(&["--dtype", "bf16"], 0.9995);
    check(&["--dtype", "f16"], 0.99999);
}

#[test]
fn every_set_of_instructions_gives_the_vectors_of_transformers() {
    let text = &texts()[3];
    let embed = |isa| {
        on_cpu("embed", &embedding_model(), ["--dtype", "f32", &text.text])
            .env("QWEN3_CPU_ISA", isa)
    };
    let x86 = "avx2 avx-vnni avx512 avx512-vnni avx512-bf16 amx-bf16";
    let names = format!("portable {x86} neon neon-dotprod neon-bf16");
    for isa in names.split(' ') {
        let found = of_objects(&embed(isa).succeeds().jsonl());
        assert!(cosine(&found[0], &text.vector) >= 0.99999, "{isa}");
    }
    embed("sse9").fails(1, &["`sse9`", "avx512-bf16"]);
}

#[test]
fn one_thread_gives_the_vectors_of_transformers() {
    check(&["--threads", "1", "--dtype", "f32"], 0.99999);
}

/// Measured: within 5e-7.
#[test]
fn small_batches_give_the_same_vectors() {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
    assert_close(&vectors(&["--batch-tokens", "8"], &texts), &vectors(&[], &texts), 1e-5);
}

/// Where no GPU is found: what computes on the processor is no better.
#[test]
fn the_processor_is_chosen_where_there_is_nothing_better() {
    let devices = qwen3(["devices"]).succeeds().json();
    let kinds = devices.as_array().expect("a list of devices").iter().map(|it| &it["kind"]);
    if !kinds.filter_map(|kind| kind.as_str()).all(|kind| ["processor", "software"].contains(&kind))
    {
        println!("not run: there is a GPU");
        return;
    }
    let run = qwen3(["embed", "--stats", "a", "--model"]).arg(embedding_model());
    let outcome = run.succeeds();
    assert!(outcome.stderr.contains("\"device\":\"cpu\""), "{outcome:?}");
    assert_eq!(outcome.jsonl(), objects(&[], &["a"]));
}

#[test]
fn the_other_processor_backend_gives_the_vectors_of_transformers() {
    let model = embedding_model();
    let model = model.to_str().expect("paths of fixtures are text");
    let text = &texts()[2];
    let arguments = ["embed", "--model", model, "--device", "ndarray", "--stats", &text.text];
    let outcome = qwen3(arguments).succeeds();
    assert!(outcome.stderr.contains("\"device\":\"ndarray\",\"dtype\":\"f32\""), "{outcome:?}");
    assert!(cosine(&of_objects(&outcome.jsonl())[0], &text.vector) >= 0.99999);
}

#[test]
fn dimensions_keep_the_first_numbers_at_length_1() {
    let full = vectors(&[], &["a", "The capital of China"]);
    let short = vectors(&["--dimensions", "8"], &["a", "The capital of China"]);
    for (full, short) in full.iter().zip(&short) {
        assert_eq!(short.len(), 8);
        assert!((length(short) - 1.0).abs() < 1e-6, "{}", length(short));
        assert!(cosine(short, &full[..8]) >= 0.999999);
    }
    assert_close(&vectors(&["--dimensions", "32"], &["a", "The capital of China"]), &full, 0.0);
}

#[test]
fn vectors_have_length_1_unless_asked_otherwise() {
    let scaled = vectors(&[], &["a", "b c"]);
    let raw = vectors(&["--no-normalize"], &["a", "b c"]);
    let short = vectors(&["--no-normalize", "--dimensions", "8"], &["a", "b c"]);
    for ((scaled, raw), short) in scaled.iter().zip(&raw).zip(&short) {
        assert!((length(scaled) - 1.0).abs() < 1e-6, "{}", length(scaled));
        assert!((length(raw) - 1.0).abs() > 1e-3, "{}", length(raw));
        assert!(cosine(scaled, raw) >= 0.999999);
        assert_eq!(&raw[..8], short);
    }
}

#[test]
fn a_named_prompt_is_the_same_as_its_instruction_and_its_text() {
    const TASK: &str = "Given a web search query, retrieve relevant passages that answer the query";
    let query = ["What is the capital of China?"];
    let named = vectors(&["--prompt-name", "query"], &query);
    // The checkpoint's bfloat16 is that of all products too: measured 1 - 2.8e-5.
    assert!(cosine(&named[0], &texts()[0].vector) >= 0.9999);
    assert_eq!(vectors(&["--instruction", TASK], &query), named);
    let prompt = format!("Instruct: {TASK}\nQuery:");
    assert_eq!(vectors(&["--prompt", &prompt], &query), named);
    assert_eq!(vectors(&[], &[&format!("{prompt}{}", query[0])]), named);
}

#[test]
fn prompts_make_a_difference_and_the_one_for_documents_is_empty() {
    let plain = vectors(&[], &["gravity"]);
    assert_eq!(vectors(&["--prompt-name", "document"], &["gravity"]), plain);
    assert_eq!(vectors(&["--prompt", ""], &["gravity"]), plain);
    let instructed = vectors(&["--instruction", "Find the law"], &["gravity"]);
    assert!(cosine(&instructed[0], &plain[0]) < 0.999);
}

#[test]
fn long_texts_are_cut_on_the_side_asked_for() {
    // Seven tokens and the end token.
    let text = ["1 2 3 4"];
    let cut = |side| objects(&["--max-tokens", "4", "--truncate", side], &text);
    for object in cut("right").iter().chain(&cut("left")) {
        assert_eq!((&object["tokens"], &object["truncated"]), (&4.into(), &true.into()));
    }
    assert_close(&of_objects(&cut("right")), &vectors(&[], &["1 2"]), 1e-6);
    assert_close(&of_objects(&cut("left")), &vectors(&[], &["3 4"]), 1e-6);
    assert_eq!(objects(&["--max-tokens", "4"], &text), cut("right"));
    let whole = objects(&["--max-tokens", "8", "--truncate", "error"], &text);
    assert_eq!((&whole[0]["tokens"], &whole[0]["truncated"]), (&8.into(), &false.into()));
}

#[test]
fn a_table_marks_texts_that_were_cut() {
    let outcome = run(&["--format", "table", "--max-tokens", "4"], &["1 2", "1 2 3 4"]);
    let lines: Vec<&str> = outcome.text().lines().collect();
    assert!(lines[1].ends_with("  1 2"), "{outcome:?}");
    assert!(lines[2].ends_with("  1 2 3 4 (cut)"), "{outcome:?}");
}

#[test]
fn control_tokens_are_parsed_literal_or_stripped() {
    let control = &texts()[10];
    let text = [control.text.as_str()];
    let under = |policy| objects(&["--special-tokens", policy], &text);
    assert_eq!(objects(&[], &text), under("parse"));
    assert_eq!(under("parse")[0]["tokens"], control.tokens);
    assert!(under("literal")[0]["tokens"].as_u64() > Some(control.tokens as u64));
    assert_eq!(under("strip"), objects(&[], &["user\nhi "]));
}

#[test]
fn statistics_are_one_line_of_json_on_standard_error() {
    let outcome = run(&["--stats", "--dtype", "f16"], &["1 2 3 4", ""]);
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    let stats: Value = serde_json::from_str(&outcome.stderr).unwrap();
    let mut keys: Vec<&str> = stats.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = ["device", "dtype", "load_seconds", "peak_bytes", "seconds", "texts", "tokens"];
    assert_eq!(keys, [&expected[..], &["tokens_per_second"]].concat());
    assert_eq!((&stats["texts"], &stats["tokens"]), (&2.into(), &9.into()), "{stats}");
    assert_eq!((&stats["device"], &stats["dtype"]), (&"cpu".into(), &"f16".into()), "{stats}");
    for key in ["seconds", "load_seconds", "tokens_per_second"] {
        assert!(stats[key].as_f64() > Some(0.0), "{stats}");
    }
    let peak_bytes =
        if cfg!(target_os = "linux") { stats["peak_bytes"].as_u64() } else { Some(1 << 20) };
    assert!(peak_bytes >= Some(1 << 20), "{stats}");
}

#[test]
fn quiet_runs_print_nothing_but_results() {
    let quiet = run(&["--quiet"], &["a"]);
    assert_eq!(quiet.stderr, "");
    assert_eq!(quiet.jsonl(), objects(&[], &["a"]));
}
