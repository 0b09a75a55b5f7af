//! Headers, right and wrong.

mod support;

use proptest::prelude::*;
use qwen3_gguf::{Description, Dtype, Error, Fault, GgufFile, Value, tokenizer_json, weights};
use support::*;

/// Everything that is read of a file.
fn read_all(bytes: Vec<u8>) {
    let Ok(file) = open(bytes) else { return };
    for key in file.metadata().keys() {
        if let Some(Value::Array(array)) = file.metadata().get(key) {
            assert_eq!(array.iter().count(), array.len(), "{key}");
        }
    }
    for tensor in file.tensors() {
        let numbers: usize = tensor.shape.iter().product();
        assert_eq!(tensor.widened(&file).len(), numbers, "{}", tensor.name);
    }
    if let Ok(model) = Description::of(&file) {
        let _ = (weights(&file, &model), model.config_json());
    }
    let _ = tokenizer_json(&file);
}

fn with_value(value: Vec<u8>) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.set("key", value);
    writer.bytes()
}

fn with_tensor(change: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.tensor("first", &[32, 2]);
    writer.tensor("second", &[32]);
    change(&mut writer);
    writer.bytes()
}

#[test]
fn a_file_of_versions_2_and_3_is_read() {
    for version in [2, 3] {
        let mut writer = Writer::model();
        writer.version = version;
        let file = open(writer.bytes()).unwrap();
        assert_eq!(file.metadata().text("general.architecture").unwrap(), Some("qwen3"));
        let tensor = file.tensor("token_embd.weight").unwrap();
        assert_eq!((&tensor.shape[..], tensor.dtype), (&[4, 32][..], Dtype::F32));
        assert_eq!(tensor.widened(&file), [0.0; 4 * 32]);
    }
}

#[test]
fn what_is_no_gguf_file_of_today_is_told() {
    let of_version = |version: u32| [&b"GGUF"[..], &version.to_le_bytes(), &[0; 16]].concat();
    assert!(matches!(open(b"<html>".to_vec()), Err(Error::NotGguf { .. })));
    assert!(matches!(open(vec![]), Err(Error::NotGguf { .. })));
    assert!(matches!(open(of_version(1)), Err(Error::Version { found: 1, .. })));
    assert!(matches!(open(of_version(4)), Err(Error::Version { found: 4, .. })));
    assert!(matches!(open(of_version(3 << 24)), Err(Error::BigEndian { .. })));
    assert!(open(of_version(3)).is_ok(), "of nothing");
}

#[test]
fn what_is_no_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(GgufFile::open(folder.path()), Err(Error::NotRegular { .. })));
    let missing = folder.path().join("missing.gguf");
    assert!(matches!(GgufFile::open(&missing), Err(Error::Read { .. })));
}

#[test]
fn a_file_that_ends_too_early_is_told_wherever_it_does() {
    let whole = Writer::model().bytes();
    let header = whole.len() - 4 * 32 * 4;
    for length in 8..header - 32 {
        let found = fault(whole[..length].to_vec());
        assert_eq!(found, Fault::End { at: length }, "{length} bytes");
    }
    let cut = fault(whole[..whole.len() - 1].to_vec());
    let (name, file_bytes) = ("token_embd.weight".to_owned(), whole.len() - 1);
    assert_eq!(cut, Fault::Outside { name, file_bytes });
}

#[test]
fn lies_about_lengths_and_types_are_told() {
    let lie = u64::MAX.to_le_bytes();
    for (value, expected) in [
        (value(8, &lie), "the file ends"),
        (array(8, u64::MAX, &[]), "the file ends"),
        (array(12, u64::MAX / 2, &[]), "the file ends"),
        (array(0, 1 << 40, &[]), "the file ends"),
        (array(9, u64::MAX, &[]), "the file ends"),
        (value(13, &[]), "unknown type 13"),
        (array(99, 1, &[0; 8]), "unknown type 99"),
        (value(7, &[2]), "is 2, neither 0 nor 1"),
        (array(7, 2, &[1, 7]), "is 7, neither 0 nor 1"),
        (value(8, &[&1u64.to_le_bytes()[..], &[0xff]].concat()), "not UTF-8"),
    ] {
        let found = fault(with_value(value)).to_string();
        assert!(found.contains(expected), "`{found}` has `{expected}`");
    }
}

#[test]
fn arrays_in_arrays_are_read_to_a_depth() {
    let nested = |depth: usize| {
        let inner = array(4, 1, &7u32.to_le_bytes());
        (1..depth).fold(inner, |inner, _| array(9, 1, &inner[4..]))
    };
    let file = open(with_value(nested(4))).unwrap();
    let mut found = file.metadata().get("key").unwrap();
    while let Value::Array(array) = found {
        found = array.iter().next().unwrap();
    }
    assert_eq!(found, Value::Unsigned(7));
    assert!(matches!(fault(with_value(nested(5))), Fault::Nesting { max: 4, .. }));
}

#[test]
fn counts_keys_and_alignments_that_cannot_be_are_told() {
    let mut many = Writer::new().bytes();
    many[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(fault(many), Fault::TooMany { what: "tensors", found: u64::MAX, .. }));
    let mut twice = Writer::new();
    twice.entries = vec![("key".to_owned(), u32(1)), ("key".to_owned(), u32(1))];
    assert_eq!(fault(twice.bytes()), Fault::KeyTwice { key: "key".to_owned() });
    let mut long = Writer::new();
    long.set(&"k".repeat(65_536), u32(1));
    assert!(matches!(fault(long.bytes()), Fault::LongName { .. }));
    for (alignment, found) in [(u32(0), 0), (u32(48), 48), (u32(1 << 31), 1 << 31), (f32(1.0), 0)] {
        let mut writer = Writer::new();
        writer.set("general.alignment", alignment);
        assert_eq!(fault(writer.bytes()), Fault::Alignment { found });
    }
}

#[test]
fn a_file_has_the_alignment_that_it_says() {
    let bytes = |alignment: u32, offset: usize| {
        let mut writer = Writer::new();
        writer.alignment = alignment as usize;
        writer.set("general.alignment", u32(alignment));
        writer.tensor("first", &[32, 2]);
        writer.tensors[0].offset = offset as u64;
        writer.data = [vec![0; offset], 7f32.to_le_bytes().repeat(64)].concat();
        writer.bytes()
    };
    for (alignment, offset) in [(8, 8), (1, 3), (512, 0), (512, 1024)] {
        let file = open(bytes(alignment, offset)).unwrap();
        assert_eq!(file.tensors()[0].widened(&file), [7.0; 64], "{alignment}");
    }
    assert!(matches!(fault(bytes(8, 4)), Fault::Offset { offset: 4, alignment: 8, .. }));
}

#[test]
fn tensors_that_cannot_be_are_told() {
    type Change = fn(&mut Writer);
    let changes: [(Change, &str); 11] = [
        (|w| w.tensors[1].name = "first".to_owned(), "`first` is there twice"),
        (|w| w.tensors[0].dimensions = vec![], "has 0 dimensions"),
        (|w| w.tensors[0].dimensions = vec![1; 5], "has 5 dimensions"),
        (|w| w.tensors[0].dimensions = vec![32, 0], "shape [0, 32]"),
        (|w| w.tensors[0].dimensions = vec![1 << 40, 1 << 40], "impossible shape"),
        (|w| w.tensors[0].dimensions = vec![1 << 62], "`first` is not within"),
        (|w| (w.tensors[0].format, w.tensors[0].dimensions[0]) = (8, 48), "48 numbers"),
        (|w| w.tensors[0].offset = 4, "begins at 4"),
        (|w| w.tensors[0].offset = u64::MAX - 31, "`first` is not within"),
        (|w| w.tensors[0].offset = 512, "`first` is not within"),
        (|w| w.tensors[0].offset = 128, "`first` and `second` overlap"),
    ];
    for (change, expected) in changes {
        let found = fault(with_tensor(change)).to_string();
        assert!(found.contains(expected), "`{found}` has `{expected}`");
    }
}

#[test]
fn a_format_that_is_not_read_is_named_with_the_tensor() {
    for (number, expected) in [(20, "IQ4_NL"), (4, "ggml's type 4"), (9999, "ggml's type 9999")] {
        let error = open(with_tensor(|writer| writer.tensors[1].format = number)).unwrap_err();
        let found = error.to_string();
        let expected = format!("tensor `second` of `model.gguf` is stored as {expected}");
        assert!(found.contains(&expected), "`{found}` has `{expected}`");
    }
}

#[test]
fn a_mapped_file_is_the_same_as_one_in_memory() {
    let name = "gguf/tiny-embedding-q8_0.gguf";
    let (mapped, owned) = (GgufFile::open(&fixture(name)).unwrap(), open(content(name)).unwrap());
    assert_eq!(mapped.tensors(), owned.tensors());
    for tensor in mapped.tensors() {
        assert!(tensor.bytes.start.is_multiple_of(32), "{}", tensor.name);
        let shared = mapped.share(tensor.bytes.clone());
        assert_eq!(shared.as_ptr(), mapped.bytes()[tensor.bytes.start..].as_ptr(), "no copy");
        assert_eq!(shared, owned.share(tensor.bytes.clone()), "{}", tensor.name);
    }
}

/// A number of each type, an array of it, and what is read of both.
fn values() -> impl Strategy<Value = (Vec<u8>, Value<'static>)> {
    fn of(value_type: u32, bytes: &[u8], read: Value<'static>) -> (Vec<u8>, Value<'static>) {
        (value(value_type, bytes), read)
    }
    prop_oneof![
        any::<u8>().prop_map(|x| of(0, &x.to_le_bytes(), Value::Unsigned(x.into()))),
        any::<i8>().prop_map(|x| of(1, &x.to_le_bytes(), Value::Signed(x.into()))),
        any::<u16>().prop_map(|x| of(2, &x.to_le_bytes(), Value::Unsigned(x.into()))),
        any::<i16>().prop_map(|x| of(3, &x.to_le_bytes(), Value::Signed(x.into()))),
        any::<u32>().prop_map(|x| of(4, &x.to_le_bytes(), Value::Unsigned(x.into()))),
        any::<i32>().prop_map(|x| of(5, &x.to_le_bytes(), Value::Signed(x.into()))),
        any::<f32>().prop_map(|x| of(6, &x.to_le_bytes(), Value::F32(x))),
        any::<bool>().prop_map(|x| of(7, &[x.into()], Value::Bool(x))),
        any::<u64>().prop_map(|x| of(10, &x.to_le_bytes(), Value::Unsigned(x))),
        any::<i64>().prop_map(|x| of(11, &x.to_le_bytes(), Value::Signed(x))),
        any::<f64>().prop_map(|x| of(12, &x.to_le_bytes(), Value::F64(x))),
    ]
}

proptest! {
    #[test]
    fn any_value_is_read_as_it_was_written((written, read) in values(), n in 0..5u64) {
        let value_type = u32::from_le_bytes(written[..4].try_into().unwrap());
        let elements = written[4..].repeat(n as usize);
        let mut writer = Writer::new();
        writer.set("value", written);
        writer.set("array", array(value_type, n, &elements));
        let file = open(writer.bytes()).unwrap();
        prop_assert_eq!(file.metadata().get("value"), Some(read));
        let array = file.metadata().array("array").unwrap().unwrap();
        prop_assert_eq!(array.iter().collect::<Vec<_>>(), vec![read; n as usize]);
    }

    #[test]
    fn any_texts_are_read_as_they_were_written(texts_written in prop::collection::vec(any::<String>(), 0..5)) {
        let texts_written: Vec<&str> = texts_written.iter().map(String::as_str).collect();
        let mut writer = Writer::new();
        writer.set("texts", texts(&texts_written));
        writer.set("last", bool(true));
        let file = open(writer.bytes()).unwrap();
        prop_assert_eq!(file.metadata().texts("texts").unwrap(), Some(texts_written));
        prop_assert_eq!(file.metadata().bool("last").unwrap(), Some(true));
    }

    #[test]
    fn any_bytes_after_the_magic_are_handled(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all([&b"GGUF\x03\0\0\0"[..], &bytes].concat());
    }

    #[test]
    fn a_model_with_other_bytes_is_handled(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Writer::model().bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(64));
        read_all(bytes);
    }
}
