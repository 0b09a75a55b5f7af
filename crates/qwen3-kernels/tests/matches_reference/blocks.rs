//! Weights in blocks give what their numbers give.

use super::{B, random, rounded, rounds, values, with_each_isa};
use burn::tensor::{DType, Int, Tensor, TensorData};
use proptest::prelude::*;
use qwen3_dtypes::{Dtype, Layout, strips};
use qwen3_kernels::MatmulStrategy::PlainUnits;
use qwen3_kernels::isa::Isa;
use qwen3_kernels::{Blocks, Kernels, Weight, linear, swiglu_mlp};

/// Those in blocks.
fn dtypes() -> impl Strategy<Value = Dtype> {
    prop::sample::select(Dtype::all().filter(|dtype| dtype.is_blocks()).collect::<Vec<_>>())
}

/// Where the float16 scales of a block are.
fn scales(dtype: Dtype) -> &'static [usize] {
    match dtype {
        Dtype::Q4_1 | Dtype::Q5_1 | Dtype::Q4_K | Dtype::Q5_K => &[0, 2],
        Dtype::Q2_K => &[80, 82],
        Dtype::Q3_K => &[108],
        Dtype::Q6_K => &[208],
        _ => &[0],
    }
}

/// Random codes, and scales of about a hundredth.
fn weight(dtype: Dtype, [rows, blocks]: [usize; 2], seed: u64) -> Blocks<B> {
    let shape = [rows, blocks * dtype.block_len()];
    let length = dtype.bytes_of(rows * shape[1]);
    let random = super::random::random(length, seed);
    let mut bytes: Vec<u8> = random.iter().map(|x| (x * 1e6) as i32 as u8).collect();
    for block in bytes.chunks_mut(dtype.block_bytes()) {
        for &at in scales(dtype) {
            // From 0.0078 to 0.0156, either sign.
            let [low, high] = [block[at], block[at + 1]];
            block[at..at + 2].copy_from_slice(&[low, 0x20 | high & 0x83]);
        }
    }
    bytes.resize(length.next_multiple_of(4), 0xff);
    let words = bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
    let data = TensorData::new(words.collect::<Vec<u32>>(), [bytes.len() / 4]);
    Blocks::new(
        dtype,
        shape,
        Tensor::<B, 1, Int>::from_data(data, (&Default::default(), DType::U32)),
    )
}

/// The same blocks as the backend takes them fastest.
fn laid(weight: &Blocks<B>) -> Blocks<B> {
    let (dtype, dims, layout) = (weight.dtype(), weight.dims(), B::layout());
    if layout == Layout::Rows {
        return weight.clone();
    }
    let words: Vec<u32> = weight.words().to_data().to_vec().unwrap();
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    let bytes = &bytes[..dtype.bytes_of(dims[0] * dims[1])];
    let bytes = strips::of_rows(dtype, dims, bytes);
    let words = bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
    let words = TensorData::new(words.collect::<Vec<u32>>(), [bytes.len() / 4]);
    let words = Tensor::<B, 1, Int>::from_data(words, (&Default::default(), DType::U32));
    Blocks::new(dtype, dims, words).laid(layout)
}

/// Whether such weights are multiplied in 8 bits.
fn is_in_8_bits(isa: Isa, dtype: Dtype) -> bool {
    let of_32 = matches!(dtype, Dtype::Q8_0 | Dtype::Q5_0 | Dtype::Q4_0);
    let takes = of_32 || matches!(dtype, Dtype::Q6_K | Dtype::Q5_K | Dtype::Q4_K);
    takes && matches!(isa, Isa::Avx2 | Isa::AvxVnni | Isa::Avx512Vnni | Isa::Avx512Bf16)
}

/// Each number within a part of the size of what it is the sum of.
fn assert_sums(found: Tensor<B, 2>, expected: Tensor<B, 2>, size: Tensor<B, 2>, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims());
    let expected = values(expected).into_iter().zip(values(size));
    for (at, (found, (expected, size))) in values(found).into_iter().zip(expected).enumerate() {
        let off = (found - expected).abs() / (size + 1e-30);
        assert!(
            off <= tolerance,
            "{} [{at}]: {found} for {expected}, {off:e} of {size}",
            Isa::best()
        );
    }
}

/// Of the products in another order: up to 768 roundings of 6e-8, most of which even out.
const SUMS: f32 = 2e-6;
/// Of numbers rounded to steps of 1/127 of the largest of 32: off by half a step each, where the
/// average is half of the largest.
const IN_8_BITS: f32 = 1.2e-2;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn products_are_those_of_the_numbers(
        dtypes in [dtypes(), dtypes()], tokens in 1usize..70, outputs in 1usize..150,
        blocks in 1usize..4, seed: u64,
    ) {
        // Of as many columns, whatever the block.
        let [a, b] = dtypes.map(|dtype| {
            weight(dtype, [outputs, blocks * 256 / dtype.block_len()], seed)
        });
        let (x, residual) = (random([tokens, blocks * 256], seed ^ 1), random([tokens, outputs], 2));
        with_each_isa(|isa| {
            let weights = [&a, &b].map(|weight| Weight::Blocks(weight.clone()));
            let found = B::linears(x.clone(), weights.clone(), PlainUnits);
            for (found, weight) in found.into_iter().zip([&a, &b]) {
                let in_8_bits = is_in_8_bits(isa, weight.dtype());
                let rounds = rounds(isa) && !in_8_bits;
                let seen = |x| if rounds { rounded(x) } else { x };
                let (x, wide) = (seen(x.clone()), seen(weight.widened()));
                let size = linear::reference::linear(x.clone().abs(), wide.clone().abs());
                let expected = linear::reference::linear(x, wide);
                assert_sums(found, expected, size, if in_8_bits { IN_8_BITS } else { SUMS });
            }
            let [first, _] = weights;
            let [alone] = B::linears(x.clone(), [first.clone()], PlainUnits);
            let sum = B::linear_add(residual.clone(), x.clone(), first, PlainUnits);
            assert_eq!(values(sum), values(residual.clone() + alone));
        });
    }

    #[test]
    fn the_gate_may_be_of_another_dtype(
        gate in dtypes(), up in dtypes(), down in dtypes(), tokens in 1usize..40, seed: u64,
    ) {
        let of = |dtype: Dtype, rows, seed| weight(dtype, [rows, 256 / dtype.block_len()], seed);
        let [gate, up] = [(gate, 3), (up, 4)].map(|(dtype, seed)| of(dtype, 256, seed));
        let [gate, up, down] = [gate, up, of(down, 256, 5)].map(Weight::Blocks);
        let (x, residual) = (random([tokens, 256], seed) * 0.1, random([tokens, 256], seed ^ 1));
        with_each_isa(|_| {
            let mlp = |swiglu_mlp: fn(_, _, _, _, _, _) -> Tensor<B, 2>| {
                let (gate, up, down) = (gate.clone(), up.clone(), down.clone());
                swiglu_mlp(residual.clone(), x.clone(), gate, up, down, PlainUnits)
            };
            let expected = mlp(swiglu_mlp::reference::swiglu_mlp::<B>);
            let size = expected.clone().abs().max_dim(1).expand([tokens, 256]);
            assert_sums(mlp(B::swiglu_mlp), expected, size, MLP);
        });
    }

    #[test]
    fn the_layout_changes_no_bit(
        is_q8_0: bool, tokens in 1usize..40, strips in 1usize..5, blocks in 1usize..40, seed: u64,
    ) {
        let dtype = if is_q8_0 { Dtype::Q8_0 } else { Dtype::Q4_0 };
        let rows = weight(dtype, [32 * strips, blocks], seed);
        let x = random([tokens, 32 * blocks], seed ^ 1);
        with_each_isa(|_| {
            let laid = laid(&rows);
            assert_eq!(values(laid.widened()), values(rows.widened()));
            let weights = [rows.clone(), laid].map(Weight::Blocks);
            let [expected, found] = B::linears(x.clone(), weights, PlainUnits);
            assert_eq!(values(found), values(expected));
        });
    }

    #[test]
    fn a_row_is_the_same_alone_and_among_others(dtype in dtypes(), tokens in 2usize..40) {
        let weight = Weight::Blocks(weight(dtype, [37, 512 / dtype.block_len()], 6));
        let x = random([tokens, 512], 7);
        with_each_isa(|isa| {
            let [together] = B::linears(x.clone(), [weight.clone()], PlainUnits);
            for row in [0, tokens / 2, tokens - 1] {
                let x = x.clone().slice([row..row + 1, 0..512]);
                let [alone] = B::linears(x, [weight.clone()], PlainUnits);
                let together = together.clone().slice([row..row + 1, 0..37]);
                assert_eq!(values(alone), values(together), "{isa} {dtype} row {row}");
            }
        });
    }

    #[test]
    fn rows_of_a_table_are_its_numbers(dtype in dtypes(), ids in prop::collection::vec(0i32..9, 0..9)) {
        let table = weight(dtype, [9, 3], 8);
        let n = ids.len();
        let ids = Tensor::<B, 1, Int>::from_data(TensorData::new(ids, [n]), &Default::default());
        let expected = values(table.widened().select(0, ids.clone()));
        with_each_isa(|_| {
            let found = B::embed_tokens(Weight::Blocks(table.clone()), ids.clone());
            assert_eq!(values(found), expected.clone());
        });
    }
}

/// Of what is rounded to bfloat16 on its way into `down`, once more or less.
const MLP: f32 = 4e-2;

#[test]
fn no_rows_give_no_rows_and_bad_numbers_are_never_swallowed() {
    for dtype in Dtype::all().filter(|dtype| dtype.is_blocks()) {
        let weight = Weight::Blocks(weight(dtype, [5, 256 / dtype.block_len()], 9));
        with_each_isa(|isa| {
            let [y] = B::linears(random([0, 256], 1), [weight.clone()], PlainUnits);
            assert_eq!(y.dims(), [0, 5]);
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let x = random([3, 256], 10).slice_fill([1..2, 77..78], bad);
                let [y] = B::linears(x, [weight.clone()], PlainUnits);
                for (at, y) in values(y).into_iter().enumerate() {
                    assert_eq!(y.is_finite(), at / 5 != 1, "{isa} {dtype} {bad} at {at}");
                }
            }
        });
    }
}

#[test]
#[should_panic(expected = "row 9 of a table of 9")]
fn a_row_beyond_the_table_is_refused() {
    let ids = Tensor::<B, 1, Int>::from_data([9], &Default::default());
    B::embed_tokens(Weight::Blocks(weight(Dtype::Q8_0, [9, 1], 1)), ids);
}
