//! Names as publishers give them, and as users type them.

use super::*;

const QWEN: [&str; 4] = [
    "Qwen3-Embedding-0.6B-Q8_0.gguf",
    "Qwen3-Embedding-0.6B-f16.gguf",
    "README.md",
    "../Qwen3-Q4_0.gguf",
];
const MANY: [&str; 8] = [
    "model.Q4_K.gguf",
    "model.Q4_K_M.gguf",
    "model_iq4_xs.gguf",
    "model-bf16.gguf",
    "model-f16.gguf",
    "mmproj-model-f16.gguf",
    "F32/model-F32-00001-of-00002.gguf",
    "F32/model-F32-00002-of-00002.gguf",
];

fn chosen(file: Option<&str>, files: &[&str]) -> Result<String, Error> {
    choose(HubName { model: "a/b", file }, files.iter().copied())
}

#[track_caller]
fn check(asked: &str, files: &[&str], expected: &str) {
    let found = chosen(Some(asked), files);
    assert!(matches!(&found, Ok(file) if file == expected), "{asked}: {found:?}");
}

/// The choices that an error leaves.
#[track_caller]
fn several(file: Option<&str>, files: &[&str]) -> Vec<String> {
    match chosen(file, files) {
        Err(Error::SeveralGguf { choices, .. }) => choices,
        other => panic!("{file:?}: {other:?}"),
    }
}

#[test]
fn a_file_is_named_by_its_quantisation_in_any_case() {
    for asked in ["Q8_0", "q8_0", "0.6B-Q8_0", "Qwen3-Embedding-0.6B-Q8_0"] {
        check(asked, &QWEN, QWEN[0]);
    }
    for asked in ["F16", "f16", "Qwen3-Embedding-0.6B-f16.gguf", "qwen3-embedding-0.6b-F16.GGUF"] {
        check(asked, &QWEN, QWEN[1]);
    }
    for (asked, file) in [("Q4_K", 0), ("Q4_K_M", 1), ("BF16", 3), ("F16", 4)] {
        check(asked, &MANY, MANY[file]);
    }
    check("Q8_0", &["Q8_0/model.gguf", "Q4_0/model.gguf"], "Q8_0/model.gguf");
}

#[test]
fn a_whole_name_comes_before_parts_of_names() {
    let files = ["Q8_0.gguf", "old-Q8_0.gguf", "x/Q8_0.gguf"];
    check("Q8_0", &files, "Q8_0.gguf");
    check("Q8_0.gguf", &files, "Q8_0.gguf");
    check("x/Q8_0.gguf", &files, "x/Q8_0.gguf");
    check("old", &files, "old-Q8_0.gguf");
}

#[test]
fn parts_of_words_are_no_parts_of_names() {
    for asked in ["Q8", "8_0", "Embed", "6", "Q4_0", "K_M.", "-", "README.md", "latest"] {
        let found = chosen(Some(asked), &QWEN);
        let Err(Error::NoSuchGguf { model, choices }) = found else { panic!("{asked}: {found:?}") };
        assert_eq!(model, format!("a/b:{asked}"));
        assert_eq!(choices, ["a/b:Q8_0", "a/b:f16"]);
    }
}

#[test]
fn choices_are_written_as_they_are_typed() {
    assert_eq!(several(None, &QWEN), ["a/b:Q8_0", "a/b:f16"]);
    let expected = ["a/b:bf16", "a/b:f16", "a/b:Q4_K", "a/b:Q4_K_M"];
    assert_eq!(several(None, &MANY), expected);
    // Two files of one quantisation, and one that tells none.
    let files = ["v1-Q8_0.gguf", "v2-Q8_0.gguf", "v2-q4_0-tuned.gguf", "Qwen3.gguf"];
    let both = ["a/b:v1-Q8_0.gguf", "a/b:v2-Q8_0.gguf"];
    assert_eq!(several(Some("q8_0"), &files), both);
    let all = [&["a/b:Qwen3.gguf"], &both[..], &["a/b:q4_0"]].concat();
    assert_eq!(several(None, &files), all);
    for choice in all {
        assert!(chosen(HubName::parse(choice).unwrap().file, &files).is_ok(), "{choice}");
    }
}

#[test]
fn only_the_only_file_needs_no_name() {
    assert!(chosen(None, &["a.gguf", "config.json", "mmproj-a.gguf", "a/../b.gguf"]).is_ok());
    // One of its files is whole, but it isn't the only one.
    assert_eq!(several(None, &[&MANY[..1], &MANY[6..]].concat()), ["a/b:Q4_K"]);
    for none in [&[][..], &["mmproj-a.gguf"], &["a.gguf.part", "/a.gguf", "a\n.gguf", "..gguf"]] {
        for asked in [None, Some("Q8_0"), Some("mmproj-a.gguf"), Some("/a.gguf")] {
            let found = chosen(asked, none);
            let is_none = |found: &Result<String, Error>| match found {
                Err(Error::NoSuchGguf { choices, .. }) => choices.is_empty(),
                _ => false,
            };
            assert!(is_none(&found), "{asked:?} of {none:?}: {found:?}");
        }
    }
}

#[test]
fn files_in_dtypes_that_are_not_read_are_refused_by_name() {
    let files = ["Q8_0.gguf", "x-IQ4_XS.gguf", "x-mxfp4_moe.gguf", "x.TQ1_0.gguf", "IQ-Q4_0.gguf"];
    for (asked, expected) in
        [("iq4_xs", files[1]), ("MXFP4_MOE", files[2]), ("x.TQ1_0", files[3]), (files[1], files[1])]
    {
        let found = chosen(Some(asked), &files);
        let Err(Error::GgufDtype { file, choices, .. }) = found else { panic!("{found:?}") };
        assert_eq!(
            (file.as_str(), &choices[..]),
            (expected, &["a/b:Q4_0", "a/b:Q8_0"].map(str::to_owned)[..])
        );
    }
    assert_eq!(chosen(None, &files[..2]).unwrap(), files[0]);
    let found = chosen(None, &files[1..2]);
    assert!(matches!(&found, Err(Error::GgufDtype { choices, .. }) if choices.is_empty()));
}

#[test]
fn files_in_parts_are_refused_by_name() {
    for asked in [Some("F32"), Some("f32/model-f32"), Some(MANY[7]), None] {
        let files = if asked.is_some() { &MANY[..] } else { &MANY[5..] };
        let found = chosen(asked, files);
        let Err(Error::GgufParts { file, .. }) = &found else { panic!("{asked:?}: {found:?}") };
        assert!(file.contains("-of-00002"), "{file}");
    }
}
