//! Blocks against those of PyPI `gguf`, bit for bit; `make_gguf.py` of the fixtures wrote them.

mod support;

use proptest::prelude::*;
use qwen3_gguf::format::{OutOfRange, quantize_q4_0, quantize_q8_0};
use qwen3_gguf::{Format, GgufFile};
use support::fixture;

type Quantize = fn(&[f32], &mut Vec<u8>) -> Result<(), OutOfRange>;

const QUANTISERS: [(Format, Quantize); 2] =
    [(Format::Q8_0, quantize_q8_0), (Format::Q4_0, quantize_q4_0)];

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

fn blocks_file() -> GgufFile {
    GgufFile::open(&fixture("gguf/blocks.gguf")).unwrap()
}

fn numbers(file: &GgufFile, name: &str) -> Vec<f32> {
    file.tensor(name).unwrap_or_else(|| panic!("no tensor `{name}`")).widened(file)
}

#[test]
fn every_format_is_widened_to_the_numbers_of_gguf() {
    let file = blocks_file();
    for format in Format::all().filter(|format| *format != Format::F32) {
        let blocks = file.tensor(&format!("{format}.blocks")).unwrap();
        assert_eq!(blocks.format, format);
        let expected = numbers(&file, &format!("{format}.values"));
        assert!(expected.len() >= 512, "{format}: {} numbers", expected.len());
        assert_eq!(bits(&blocks.widened(&file)), bits(&expected), "{format}");
    }
}

#[test]
fn numbers_become_the_blocks_of_gguf() {
    let file = blocks_file();
    let source = numbers(&file, "source");
    for (format, quantize) in QUANTISERS {
        let expected = file.tensor(&format!("{format}.blocks")).unwrap().bytes.clone();
        let mut blocks = vec![];
        quantize(&source, &mut blocks).unwrap();
        assert_eq!(blocks, file.bytes()[expected], "{format}");
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

#[test]
fn numbers_without_a_scale_are_told() {
    for (value, quantize) in [
        (f32::NAN, quantize_q8_0 as Quantize),
        (f32::INFINITY, quantize_q8_0),
        (f32::NEG_INFINITY, quantize_q4_0),
        (8.4e6, quantize_q8_0),
        (-5.3e5, quantize_q4_0),
    ] {
        let mut numbers = [1.0; 64];
        numbers[40] = value;
        let error = quantize(&numbers, &mut vec![]).unwrap_err();
        assert_eq!((error.index, error.value.to_bits()), (40, value.to_bits()), "{error}");
    }
}

proptest! {
    /// A code is the nearest one; the scale is rounded to float16, by a 2,048th at most.
    #[test]
    fn a_block_is_near_its_numbers(numbers in prop::array::uniform32(-1e3f32..1e3)) {
        let largest = numbers.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
        for ((format, quantize), steps) in QUANTISERS.into_iter().zip([127.0, 8.0]) {
            let (mut blocks, mut widened) = (vec![], [0.0; 32]);
            quantize(&numbers, &mut blocks).unwrap();
            format.widen(&blocks, &mut widened);
            let step = largest / steps;
            // In Q4_0 the code 16 that +8 would need is cut to 15, a whole step away.
            let bound = if format == Format::Q4_0 { step } else { step / 2.0 } + largest / 2048.0;
            for (x, y) in numbers.iter().zip(widened) {
                prop_assert!((x - y).abs() <= bound * 1.001, "{format}: {x} became {y}");
            }
        }
    }

    #[test]
    fn any_bytes_are_blocks(bytes in prop::collection::vec(any::<u8>(), 256)) {
        for format in Format::all() {
            let n_blocks = bytes.len() / format.block_bytes();
            let mut numbers = vec![0.0; n_blocks * format.block_len()];
            format.widen(&bytes[..n_blocks * format.block_bytes()], &mut numbers);
        }
    }
}
