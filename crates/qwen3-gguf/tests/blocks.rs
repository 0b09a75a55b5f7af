//! Blocks against those of PyPI `gguf`, bit for bit; `make_gguf.py` of the fixtures wrote them.

mod support;

use qwen3_gguf::{Dtype, GgufFile, Tensor};
use support::fixture;

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

fn blocks_file() -> GgufFile {
    GgufFile::open(&fixture("gguf/blocks.gguf")).unwrap()
}

/// A tensor of the fixtures for a dtype: ggml's names are in capitals.
fn tensor<'f>(file: &'f GgufFile, dtype: Dtype, what: &str) -> &'f Tensor {
    let name = format!("{}.{what}", dtype.to_string().to_uppercase());
    file.tensor(&name).unwrap_or_else(|| panic!("no tensor `{name}`"))
}

#[test]
fn every_dtype_is_widened_to_the_numbers_of_gguf() {
    let file = blocks_file();
    for dtype in Dtype::all().filter(|dtype| *dtype != Dtype::F32) {
        let blocks = tensor(&file, dtype, "blocks");
        assert_eq!(blocks.dtype, dtype);
        let expected = tensor(&file, dtype, "values").widened(&file);
        assert!(expected.len() >= 512, "{dtype}: {} numbers", expected.len());
        assert_eq!(bits(&blocks.widened(&file)), bits(&expected), "{dtype}");
    }
}

#[test]
fn numbers_become_the_blocks_of_gguf() {
    let file = blocks_file();
    let source = file.tensor("source").unwrap().widened(&file);
    for dtype in [Dtype::Q8_0, Dtype::Q4_0] {
        let expected = tensor(&file, dtype, "blocks").bytes.clone();
        let mut blocks = vec![];
        dtype.quantize(&source, &mut blocks).unwrap();
        assert_eq!(blocks, file.bytes()[expected], "{dtype}");
    }
}

#[test]
fn a_row_is_where_it_is_in_the_whole() {
    let file = blocks_file();
    let matrix = file.tensor("Q5_0.blocks").unwrap();
    let whole = matrix.widened(&file);
    let rows = matrix.rows(1..3);
    assert_eq!(rows.shape, [2, 256]);
    assert_eq!(bits(&rows.widened(&file)), bits(&whole[256..]));
}
