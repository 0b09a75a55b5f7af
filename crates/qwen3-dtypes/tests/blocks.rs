//! What holds of blocks whatever is in them. That they are ggml's, bit for bit, is shown with
//! the files of the crate `qwen3-gguf`.

use proptest::prelude::*;
use qwen3_dtypes::{Dtype, Layout, strips};

#[test]
fn names_are_read_in_any_case() {
    for dtype in Dtype::all() {
        assert_eq!(Dtype::named(&dtype.to_string()), Some(dtype));
        assert_eq!(Dtype::named(&dtype.to_string().to_uppercase()), Some(dtype));
        assert_eq!(dtype.bytes_of(3 * dtype.block_len()), 3 * dtype.block_bytes());
    }
    assert_eq!(Dtype::named("Q9"), None);
    assert_eq!((Dtype::Q8_0.bits(), Dtype::Q4_K.bits(), Dtype::Bf16.bits()), (8.5, 4.5, 16.0));
}

#[test]
fn numbers_without_a_scale_are_told() {
    for (value, dtype) in [
        (f32::NAN, Dtype::Q8_0),
        (f32::INFINITY, Dtype::Q8_0),
        (f32::NEG_INFINITY, Dtype::Q4_0),
        (8.4e6, Dtype::Q8_0),
        (-5.3e5, Dtype::Q4_0),
    ] {
        let mut numbers = [1.0; 64];
        numbers[40] = value;
        let error = dtype.quantize(&numbers, &mut vec![]).unwrap_err();
        assert_eq!((error.index, error.value.to_bits()), (40, value.to_bits()), "{error}");
    }
}

proptest! {
    /// A code is the nearest one; the scale is rounded to float16, by a 2,048th at most.
    #[test]
    fn a_block_is_near_its_numbers(numbers in prop::array::uniform32(-1e3f32..1e3)) {
        let largest = numbers.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
        for (dtype, steps) in [(Dtype::Q8_0, 127.0), (Dtype::Q4_0, 8.0)] {
            let (mut blocks, mut widened) = (vec![], [0.0; 32]);
            dtype.quantize(&numbers, &mut blocks).unwrap();
            dtype.widen(&blocks, &mut widened);
            let step = largest / steps;
            // In Q4_0 the code 16 that +8 would need is cut to 15, a whole step away.
            let bound = if dtype == Dtype::Q4_0 { step } else { step / 2.0 } + largest / 2048.0;
            for (x, y) in numbers.iter().zip(widened) {
                prop_assert!((x - y).abs() <= bound * 1.001, "{dtype}: {x} became {y}");
            }
        }
    }

    #[test]
    fn any_bytes_are_blocks(bytes in prop::collection::vec(any::<u8>(), 256)) {
        for dtype in Dtype::all() {
            let n_blocks = bytes.len() / dtype.block_bytes();
            let mut numbers = vec![0.0; n_blocks * dtype.block_len()];
            dtype.widen(&bytes[..n_blocks * dtype.block_bytes()], &mut numbers);
        }
    }
}

#[test]
fn strips_have_the_words_of_rows_side_by_side() {
    let [rows, columns] = [2 * strips::ROWS, 3 * 32];
    for (dtype, offset) in [(Dtype::Q8_0, 0x80), (Dtype::Q4_0, 0)] {
        let bytes: Vec<u8> =
            (0..dtype.bytes_of(rows * columns)).map(|i| (i * 7 / 3) as u8).collect();
        let laid = strips::of_rows(dtype, [rows, columns], &bytes);
        let (block_bytes, words) = (dtype.block_bytes(), (dtype.block_bytes() - 2) / 4);
        for (row, column) in (0..rows).flat_map(|row| (0..3).map(move |column| (row, column))) {
            let block = &bytes[(row * 3 + column) * block_bytes..][..block_bytes];
            let group = &laid[(row / 32 * 3 + column) * 32 * block_bytes..][..32 * block_bytes];
            assert_eq!(block[..2], group[32 * (block_bytes - 2) + row % 32 * 2..][..2]);
            for word in 0..words {
                let at = (row % 32 / 16 * words + word) * 16 + row % 16;
                let found = &group[at * 4..][..4];
                let expected: Vec<u8> =
                    block[2 + 4 * word..][..4].iter().map(|q| q ^ offset).collect();
                assert_eq!(found, expected, "{dtype} row {row}, block {column}, word {word}");
            }
        }
        assert_eq!(strips::to_rows(dtype, [rows, columns], &laid), bytes);
        assert!(!Layout::Strips.takes(dtype, [31, 32]));
    }
    assert!(!Layout::Strips.takes(Dtype::Q6_K, [32, 256]));
}
