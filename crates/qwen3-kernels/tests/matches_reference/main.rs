//! The CPU kernels compute what the plain references compute, for odd sizes
//! and bad numbers. The GPU kernels are held against the same references in
//! `crates/qwen3-wgpu/tests/kernels/`, since it takes a backend to run them.
#![cfg(feature = "cpu")]

mod attention;
mod blocks;
mod extremes;
#[path = "../../src/random.rs"]
mod random;

use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::Flex;
use proptest::prelude::*;
use qwen3_kernels::MatmulStrategy::PlainUnits;
use qwen3_kernels::isa::Isa;
use qwen3_kernels::{Kernels, VarlenLayout, Weight, linear, rms_norm, rms_norm_rotary, swiglu_mlp};
use std::sync::{Mutex, PoisonError};

type B = Flex;

/// Lengths around those of registers, tiles and blocks of keys.
const LENGTHS: [usize; 7] = [1, 2, 31, 32, 33, 70, 257];

/// Runs `check` with each set of instructions that this processor has, one
/// test at a time, as the limit is the whole process's.
fn with_each_isa(check: impl Fn(Isa)) {
    static LIMIT: Mutex<()> = Mutex::new(());
    let _ours_alone = LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
    for isa in Isa::available() {
        Isa::limit(isa);
        check(isa);
    }
}

/// Seeded, between -1 and 1.
fn random<const N: usize>(shape: [usize; N], seed: u64) -> Tensor<B, N> {
    let values = random::random(shape.iter().product(), seed);
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

/// `x · weightᵀ`
fn linear(x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    let [y] = B::linears(x, [weight.into()], PlainUnits);
    y
}

/// Whether linear layers with bfloat16 weights round what goes into them.
fn rounds(isa: Isa) -> bool {
    matches!(isa, Isa::Avx512Bf16 | Isa::AmxBf16 | Isa::NeonBf16)
}

fn values<const N: usize>(tensor: Tensor<B, N>) -> Vec<f32> {
    tensor.into_data().into_vec().unwrap()
}

/// To the nearest bfloat16. (Burn Flex's own cast cuts off.)
fn rounded(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let shape = x.dims();
    let numbers: Vec<f32> =
        values(x).into_iter().map(|x| burn::tensor::bf16::from_f32(x).to_f32()).collect();
    Tensor::from_data(TensorData::new(numbers, shape), &Default::default())
}

fn assert_close<const N: usize>(found: Tensor<B, N>, expected: Tensor<B, N>, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims());
    for (index, (found, expected)) in values(found).into_iter().zip(values(expected)).enumerate() {
        let difference = (found - expected).abs();
        let isa = Isa::best();
        assert!(
            difference <= tolerance,
            "{isa} [{index}]: {found} for {expected}, off {difference:e}"
        );
    }
}

/// Sequences of these lengths, with all of their rows as queries.
fn layout(lengths: &[usize]) -> VarlenLayout {
    let bounds = bounds(lengths);
    VarlenLayout::new(bounds.clone(), bounds)
}

fn bounds(lengths: &[usize]) -> Vec<usize> {
    let sums = lengths.iter().scan(0, |sum, length| {
        *sum += length;
        Some(*sum)
    });
    std::iter::once(0).chain(sums).collect()
}

/// Errors of sums of up to 300 products of numbers below 1 in another order:
/// measured at most 2.5e-5.
const LINEAR: f32 = 8e-5;
/// Measured at most 7e-7.
const NORM: f32 = 3e-6;
/// Heads of numbers up to 1, times weights up to 1: measured at most 5e-7.
const NORM_ROTARY: f32 = 1.5e-6;
/// Of sums up to 650: measured at most 6.1e-4, as the order of the sums is another.
const MLP: f32 = 2e-3;
/// The same with a gate that is rounded to bfloat16 on its way into `down`:
/// measured at most 1.12, 2^-9 of the largest sums.
const MLP_ROUNDED: f32 = 3.5;
/// Measured at most 9.5e-7 on values below 1.
const ATTENTION: f32 = 3e-6;
/// The same with everything rounded to bfloat16 (2^-9): measured at most 5e-3.
const ATTENTION_ROUNDED: f32 = 1.5e-2;
/// What attention may round, and how far that takes it.
const ROUND_TO: [(DType, f32); 2] = [(DType::F32, ATTENTION), (DType::BF16, ATTENTION_ROUNDED)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn linear_matches_the_reference(
        tokens in 1usize..70, inputs in 1usize..300, outputs in 1usize..300,
        half: bool, seed: u64,
    ) {
        let x = random([tokens, inputs], seed);
        // Values of the narrow formats, so that widening them is exact.
        let narrow = random([outputs, inputs], seed ^ 1).cast(DType::BF16);
        let wide = narrow.clone().cast(DType::F32);
        let weight = if half { narrow } else { wide.clone() };
        let residual = random([tokens, outputs], seed ^ 2);
        with_each_isa(|isa| {
            let (x, weight, residual) = (x.clone(), weight.clone(), residual.clone());
            let rounds = half && rounds(isa);
            let exact = if rounds { rounded(x.clone()) } else { x.clone() };
            let expected = linear::reference::linear(exact, wide.clone());
            assert_close(linear(x.clone(), weight.clone()), expected.clone(), LINEAR);
            let found = B::linear_add(residual.clone(), x, weight.into(), PlainUnits);
            assert_close(found, residual + expected, LINEAR);
        });
    }

    #[test]
    fn rms_norm_matches_the_reference(rows in 1usize..40, columns in 1usize..200, seed: u64) {
        let x = random([rows, columns], seed) * 1e3;
        let weight = random([columns], seed ^ 1);
        let expected = rms_norm::reference::rms_norm(x.clone(), weight.clone(), 1e-6);
        with_each_isa(|_| {
            assert_close(B::rms_norm(x.clone(), weight.clone(), 1e-6), expected.clone(), NORM);
        });
    }

    #[test]
    fn rms_norm_rotary_matches_the_reference(
        tokens in 1usize..40, heads in 1usize..5, half in 1usize..70, seed: u64,
    ) {
        let x = random([tokens, heads, 2 * half], seed) * 1e3;
        let weight = random([2 * half], seed ^ 3);
        let (cos, sin) = (random([tokens, half], seed ^ 1), random([tokens, half], seed ^ 2));
        let reference = rms_norm_rotary::reference::rms_norm_rotary::<B>;
        let expected = reference(x.clone(), weight.clone(), 1e-6, cos.clone(), sin.clone());
        with_each_isa(|_| {
            let (x, weight, cos, sin) = (x.clone(), weight.clone(), cos.clone(), sin.clone());
            let found = B::rms_norm_rotary(x, weight, 1e-6, cos, sin);
            assert_close(found, expected.clone(), NORM_ROTARY);
        });
    }

    #[test]
    fn swiglu_mlp_matches_the_reference(
        tokens in 1usize..40, columns in 1usize..200, width in 1usize..300, half: bool, seed: u64,
    ) {
        let (residual, x) = (random([tokens, columns], seed), random([tokens, columns], seed ^ 1));
        let narrow = |shape, seed| random::<2>(shape, seed).cast(DType::BF16);
        let (gate, up) = (narrow([width, columns], seed ^ 2), narrow([width, columns], seed ^ 3));
        let down = narrow([columns, width], seed ^ 4);
        let wide = [&gate, &up, &down].map(|weight| weight.clone().cast(DType::F32));
        let weights = if half { [gate, up, down] } else { wide.clone() };
        with_each_isa(|isa| {
            let rounds = half && rounds(isa);
            let exact = if rounds { rounded(x.clone()) } else { x.clone() };
            // The reference on this backend would use the kernels under test for its parts.
            let product = linear::reference::linear::<B>;
            let [gate, up, down] = wide.clone();
            let gated =
                swiglu_mlp::reference::swiglu(product(exact.clone(), gate), product(exact, up));
            let expected = residual.clone() + product(gated, down);
            let tolerance = if rounds { MLP_ROUNDED } else { MLP };
            for swiglu_mlp in [swiglu_mlp::reference::swiglu_mlp::<B>, B::swiglu_mlp] {
                let [gate, up, down] = weights.clone().map(Weight::from);
                let found = swiglu_mlp(residual.clone(), x.clone(), gate, up, down, PlainUnits);
                assert_close(found, expected.clone(), tolerance);
            }
        });
    }
}

#[test]
fn rotation_is_of_halves_and_not_of_neighbours() {
    // One head of four numbers, rotated by a quarter in frequency 0 and by nothing in 1.
    let x = Tensor::<B, 3>::from_data([[[1.0f32, 2.0, 3.0, 4.0]]], &Default::default());
    let weight = Tensor::<B, 1>::from_data([7.5f32.sqrt(); 4], &Default::default());
    let cos = Tensor::<B, 2>::from_data([[0.0f32, 1.0]], &Default::default());
    let sin = Tensor::<B, 2>::from_data([[1.0f32, 0.0]], &Default::default());
    let expected = Tensor::from_data([[[-3.0f32, 2.0, 1.0, 4.0]]], &Default::default());
    // The weight undoes the norm: sqrt((1 + 4 + 9 + 16) / 4).
    assert_close(B::rms_norm_rotary(x, weight, 1e-12, cos, sin), expected, 1e-6);
}

#[test]
fn rms_norm_of_known_numbers() {
    let x = Tensor::<B, 2>::from_data([[3.0f32, -4.0], [0.0, 0.0]], &Default::default());
    let weight = Tensor::<B, 1>::from_data([1.0f32, 0.5], &Default::default());
    // sqrt((9 + 16) / 2) = 3.5355
    let expected = Tensor::from_data([[0.848_528, -0.565_685], [0.0, 0.0]], &Default::default());
    assert_close(B::rms_norm(x, weight, 1e-12), expected, 1e-6);
}

#[test]
fn no_rows_give_no_rows() {
    let (x, weight) = (random([0, 32], 1), random([48, 32], 2));
    let heads = random([0, 2, 16], 3);
    with_each_isa(|_| {
        for weight in [weight.clone(), weight.clone().cast(DType::BF16)] {
            assert_eq!(linear(x.clone(), weight.clone()).dims(), [0, 48]);
            let down = weight.clone().transpose();
            let sum = B::linear_add(x.clone(), random([0, 48], 6), down.clone().into(), PlainUnits);
            assert_eq!(sum.dims(), [0, 32]);
            let (x, gate) = (x.clone(), weight.clone());
            let [gate, up, down] = [gate, weight, down].map(Weight::from);
            assert_eq!(B::swiglu_mlp(x.clone(), x, gate, up, down, PlainUnits).dims(), [0, 32]);
        }
        assert_eq!(B::rms_norm(x.clone(), random([32], 7), 1e-6).dims(), [0, 32]);
        let angles = random([0, 8], 8);
        let norm = random([16], 9);
        let rotated = B::rms_norm_rotary(heads.clone(), norm, 1e-6, angles.clone(), angles);
        assert_eq!(rotated.dims(), [0, 2, 16]);
        for (round_to, _) in ROUND_TO {
            let (qkv, layout) = ([(); 3].map(|()| heads.clone()), layout(&[]));
            let attention = attention::attention(&qkv, &layout, 1.0, round_to);
            assert_eq!(B::varlen_attention(attention).dims(), [0, 2, 16]);
        }
    });
}
