//! Every set of instructions gives the bits of plain Rust, and these are near the product.

use super::groups::BLOCKS;
use super::{PACKED_FOR, layout};
use crate::cpu::blocks::tests::blocks;
use crate::cpu::gemm::{Format, GatedOut, Input, Output, Source, gemm};
use crate::cpu::isa::Isa;
use crate::random::random;
use burn::tensor::f16;
use proptest::prelude::*;
use qwen3_dtypes::strips::{ROWS, of_rows};
use qwen3_dtypes::{Dtype, Layout};

const DTYPES: [Dtype; 5] = [Dtype::Q8_0, Dtype::Q5_0, Dtype::Q4_0, Dtype::Q5_K, Dtype::Q4_K];

/// Where the float16 scales of a block are, and which bits of their upper bytes let numbers of
/// any codes be small.
fn scales(dtype: Dtype) -> (&'static [usize], u8) {
    match dtype {
        Dtype::Q5_K | Dtype::Q4_K => (&[0, 2], 0xa7),
        Dtype::Q6_K => (&[208], 0xa7),
        _ => (&[0], 0xbb),
    }
}

/// Blocks of any codes, with small scales.
fn weight(dtype: Dtype, [n, k]: [usize; 2], seed: u64) -> Vec<u8> {
    let mut blocks = blocks(dtype, n * k / dtype.block_len(), seed);
    for block in blocks.chunks_mut(dtype.block_bytes()) {
        let (scales, small) = scales(dtype);
        scales.iter().for_each(|at| block[at + 1] &= small);
    }
    blocks
}

fn product(isa: Isa, [m, k, n]: [usize; 3], x: &[f32], weight: Source<i8>) -> Vec<f32> {
    let mut y = vec![f32::NAN; m * n];
    gemm(isa, [m, k], Input::F32(x), &[Output::store(weight, n, &mut y)]);
    y
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sums_are_the_same_bits_with_all_instructions(
        dtype in prop::sample::select(&DTYPES[..]), m in 0usize..20, blocks in 1usize..6,
        n in 1usize..80, seed: u64,
    ) {
        let k = dtype.block_len() * blocks;
        let (mut x, bytes) = (random(m * k, seed), weight(dtype, [n, k], seed ^ 1));
        // Zeros, and a block of nothing else.
        x.iter_mut().skip(7).step_by(11).for_each(|x| *x = 0.0);
        x.iter_mut().take(32).for_each(|x| *x = 0.0);
        let weight = Source::Blocks(dtype, &bytes);
        let expected = product(Isa::Portable, [m, k, n], &x, weight);
        for isa in Isa::available() {
            prop_assert_eq!(product(isa, [m, k, n], &x, weight), expected.clone(), "{}", isa);
            let (mut gated, mut added) = (vec![f32::NAN; m * n], random(m * n, 3));
            let outputs = [
                Output::swiglu([weight; 2], n, GatedOut::F32(&mut gated)),
                Output::add(weight, n, &mut added),
            ];
            gemm(isa, [m, k], Input::F32(&x), &outputs);
            for (at, (&y, residual)) in expected.iter().zip(random(m * n, 3)).enumerate() {
                prop_assert_eq!(added[at], residual + y);
                let silu = f64::from(y) / (1.0 + f64::from(-y).exp()) * f64::from(y);
                prop_assert!((f64::from(gated[at]) - silu).abs() <= 1e-6 * silu.abs() + 1e-30);
            }
        }
    }

    #[test]
    fn products_are_near_those_of_the_numbers(
        dtype in prop::sample::select(&DTYPES[..]), m in 1usize..9, blocks in 1usize..9,
        n in 1usize..40, seed: u64,
    ) {
        let k = dtype.block_len() * blocks;
        let (x, bytes) = (random(m * k, seed), weight(dtype, [n, k], seed ^ 1));
        let mut numbers = vec![0.0; n * k];
        dtype.widen(&bytes, &mut numbers);
        let y = product(Isa::Portable, [m, k, n], &x, Source::Blocks(dtype, &bytes));
        for (at, &found) in y.iter().enumerate() {
            let (x, w) = (&x[at / n * k..][..k], &numbers[at % n * k..][..k]);
            let expected: f64 = x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum();
            // Each number of `x`, at most 1, is off by at most half a step of 1/127.
            let most: f64 = w.iter().map(|&w| f64::from(w.abs()) * 0.5 / 127.0).sum();
            prop_assert!((f64::from(found) - expected).abs() <= 1.001 * most + 1e-6);
        }
    }
}

/// The bits of a product with the rows as strips, if the processor takes them.
fn assert_strips([m, k, n]: [usize; 3], dtype: Dtype, seed: u64) {
    let (x, bytes) = (random(m * k, seed), weight(dtype, [n, k], seed ^ 1));
    let strips = of_rows(dtype, [n, k], &bytes);
    let expected = product(Isa::Portable, [m, k, n], &x, Source::Blocks(dtype, &bytes));
    let isas = Isa::available().into_iter();
    for isa in isas.filter(|isa| layout(*isa) == Layout::Strips) {
        let found = product(isa, [m, k, n], &x, Source::Strips(dtype, &strips));
        assert!(found == expected, "{isa} {dtype} [{m}, {k}, {n}]");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_and_strips_give_the_same_bits(
        is_q8_0: bool, m in 0usize..20, blocks in 1usize..40, strips in 1usize..5, seed: u64,
    ) {
        let dtype = if is_q8_0 { Dtype::Q8_0 } else { Dtype::Q4_0 };
        assert_strips([m, 32 * blocks, ROWS * strips], dtype, seed);
    }
}

#[test]
fn sums_are_the_same_of_more_blocks_and_rows_than_are_packed_at_once() {
    let [m, k, n] = [PACKED_FOR + 5, 32 * (2 * BLOCKS + 8), 20];
    for dtype in DTYPES {
        let (x, bytes) = (random(m * k, 1), weight(dtype, [n, k], 2));
        let weight = Source::Blocks(dtype, &bytes);
        let expected = product(Isa::Portable, [m, k, n], &x, weight);
        for isa in Isa::available() {
            assert!(product(isa, [m, k, n], &x, weight) == expected, "{isa} {dtype}");
        }
    }
    for dtype in [Dtype::Q8_0, Dtype::Q4_0] {
        assert_strips([m, k, 2 * ROWS], dtype, 3);
    }
}

#[test]
fn the_largest_codes_are_summed_exactly() {
    let [m, k, n] = [7, 512, 33];
    for (dtype, code) in DTYPES
        .into_iter()
        .flat_map(|dtype| [(dtype, 0x80), (dtype, 0x7f), (dtype, 0), (dtype, 0xff)])
    {
        let one = f16::ONE.to_le_bytes();
        let mut bytes = vec![code; n * dtype.bytes_of(k)];
        for block in bytes.chunks_mut(dtype.block_bytes()) {
            scales(dtype).0.iter().for_each(|&at| block[at..at + 2].copy_from_slice(&one));
        }
        let weight = Source::Blocks(dtype, &bytes);
        // Each as 127 or -127, of one sign in a row or of both.
        let x: Vec<f32> = (0..m * k).map(|at| [1.0, -1.0][(at * (at / k % 3) / 2) % 2]).collect();
        let expected = product(Isa::Portable, [m, k, n], &x, weight);
        for isa in Isa::available() {
            let found = product(isa, [m, k, n], &x, weight);
            assert_eq!(found, expected, "{isa} {dtype} {code:#x}");
        }
    }
}

#[test]
fn bad_numbers_spoil_their_row_and_no_other() {
    let [m, k, n] = [8, 256, 20];
    for dtype in DTYPES {
        let bytes = weight(dtype, [n, k], 1);
        for (isa, bad) in Isa::available()
            .into_iter()
            .flat_map(|isa| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(|bad| (isa, bad)))
        {
            let mut x = random(m * k, 2);
            x[3 * k + 40] = bad;
            let y = product(isa, [m, k, n], &x, Source::Blocks(dtype, &bytes));
            for (row, y) in y.chunks(n).enumerate() {
                assert_eq!(y.iter().all(|y| y.is_nan()), row == 3, "{isa} {dtype} {bad} row {row}");
            }
        }
    }
}

#[test]
fn codes_are_the_numbers_of_blocks_whose_scale_is_one() {
    let mut codes = [0; 32];
    let q8_0: Vec<u8> = [7, 9].into_iter().chain((0..32).map(|i| i * 8)).collect();
    i8::widen(Isa::Portable, Dtype::Q8_0, &q8_0, &mut codes);
    assert_eq!(codes, std::array::from_fn(|i| (i * 8) as u8 as i8));
    let q4_0: Vec<u8> = [7, 9].into_iter().chain((0..16).map(|i| i | (15 - i) << 4)).collect();
    i8::widen(Isa::Portable, Dtype::Q4_0, &q4_0, &mut codes);
    assert_eq!(codes, std::array::from_fn(|i| if i < 16 { i as i8 - 8 } else { 23 - i as i8 }));
}
