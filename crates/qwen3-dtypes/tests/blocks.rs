//! What holds of blocks whatever is in them. That they are ggml's, bit for bit, is shown with
//! the files of the crate `qwen3-gguf`.

use proptest::prelude::*;
use qwen3_dtypes::Dtype;

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
