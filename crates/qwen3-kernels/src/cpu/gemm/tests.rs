//! Every path against float64, over odd sizes and bad numbers.

use super::bf16::{nearest_bf16, pair, round};
use super::widen::Widen;
use super::{
    Format, GatedOut, Input, Output, Sum, accumulate_f32, accumulate_pairs, gemm, rounds_input,
};
use crate::cpu::destination::Destination;
use crate::cpu::isa::Isa;
use crate::cpu::matrix::Matrix;
use crate::random::random;
use burn::tensor::{bf16, f16};
use proptest::prelude::*;

/// A weight format whose numbers come from float32.
pub(super) trait Narrow: Format + Widen + PartialEq {
    fn narrow(x: f32) -> Self;
}

impl Narrow for f32 {
    fn narrow(x: f32) -> Self {
        x
    }
}

impl Narrow for bf16 {
    fn narrow(x: f32) -> Self {
        Self::from_f32(x)
    }
}

impl Narrow for f16 {
    fn narrow(x: f32) -> Self {
        Self::from_f32(x)
    }
}

fn narrow<W: Narrow>(numbers: &[f32]) -> Vec<W> {
    numbers.iter().map(|&x| W::narrow(x)).collect()
}

/// `x · weightᵀ`, `[m, n]`
fn product<W: Format>(isa: Isa, [m, k, n]: [usize; 3], x: &[f32], weight: &[W]) -> Vec<f32> {
    let mut out = vec![f32::NAN; m * n];
    gemm(isa, [m, k], Input::F32(x), &[Output::store(weight, n, &mut out)]);
    out
}

fn rounded(x: &[f32]) -> Vec<bf16> {
    let mut rounded = vec![bf16::ZERO; x.len()];
    round(Isa::best(), x, &mut rounded);
    rounded
}

/// What a path computes from.
fn seen_by<W: Format>(isa: Isa, x: &[f32]) -> Vec<f32> {
    match rounds_input::<W>(isa) {
        true => x.iter().map(|&x| nearest_bf16(x).to_f32()).collect(),
        false => x.to_vec(),
    }
}

/// Every format, on every set of instructions that this processor has.
fn check(shape: [usize; 3], seed: u64) {
    for isa in Isa::available() {
        check_format::<f32>(isa, shape, seed);
        check_format::<bf16>(isa, shape, seed);
        check_format::<f16>(isa, shape, seed);
    }
}

fn check_format<W: Narrow>(isa: Isa, [m, k, n]: [usize; 3], seed: u64) {
    let (x, weight) = (random(m * k, seed), narrow::<W>(&random(n * k, seed ^ 1)));
    let found = product(isa, [m, k, n], &x, &weight);
    let x = seen_by::<W>(isa, &x);
    for (index, &found) in found.iter().enumerate() {
        let (row, column) = (index / n, index % n);
        let pairs = x[row * k..][..k].iter().zip(&weight[column * k..][..k]);
        let products = pairs.map(|(&x, &w)| f64::from(x) * f64::from(w.widened()));
        let (sum, size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
        // At most k products one after the other; measured at most 4e-7 of the sizes.
        let bound = 2e-6 * size + 1e-30;
        let off = (f64::from(found) - sum).abs();
        assert!(off <= bound, "{isa} [{m}, {k}, {n}] at {row}, {column}: off {off:e}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn products_are_right_for_odd_sizes(
        m in 1usize..20, k in 1usize..200, n in 1usize..40, seed: u64,
    ) {
        check([m, k, n], seed);
    }

    #[test]
    fn products_are_right_around_the_sizes_of_registers_and_panels(
        m in sizes(), k in sizes(), n in sizes(), seed: u64,
    ) {
        check([m, k, n], seed);
    }
}

fn sizes() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1usize, 2, 31, 32, 33, 257])
}

fn check_outputs(shape: [usize; 3], seed: u64) {
    for isa in Isa::available() {
        check_outputs_of::<f32>(shape, seed, &isa.to_string(), |shape, x, out| {
            gemm(isa, shape, x, out);
        });
        check_outputs_of::<bf16>(shape, seed, &isa.to_string(), |shape, x, out| {
            gemm(isa, shape, x, out);
        });
        check_outputs_of::<f16>(shape, seed, &isa.to_string(), |shape, x, out| {
            gemm(isa, shape, x, out);
        });
    }
}

/// Four outputs at once: one stored, one added to what is there, one gated, and that
/// in bfloat16.
pub(super) fn check_outputs_of<W: Narrow>(
    [m, k, n]: [usize; 3],
    seed: u64,
    name: &str,
    gemm: impl Fn([usize; 2], Input, &[Output<W>]),
) {
    let x = random(m * k, seed);
    let weights = [1, 2, 3].map(|part| narrow::<W>(&random(n * k, seed ^ part)));
    let [a, b, c] = weights.each_ref().map(|weight| &weight[..]);
    let alone = [a, b, c].map(|weight| {
        let mut y = vec![f32::NAN; m * n];
        gemm([m, k], Input::F32(&x), &[Output::store(weight, n, &mut y)]);
        y
    });
    let residual = random(m * n, seed ^ 4);
    let (mut stored, mut added) = (vec![f32::NAN; m * n], residual.clone());
    let (mut gated, mut rounded) = (vec![f32::NAN; m * n], vec![bf16::NAN; m * n]);
    let outputs = [
        Output::store(a, n, &mut stored),
        Output::add(b, n, &mut added),
        Output::swiglu([b, c], n, GatedOut::F32(&mut gated)),
        Output::swiglu([b, c], n, GatedOut::Bf16(&mut rounded)),
    ];
    gemm([m, k], Input::F32(&x), &outputs);
    for i in 0..m * n {
        let [a, b, c] = alone.each_ref().map(|y| y[i]);
        assert_eq!((stored[i], added[i]), (a, residual[i] + b), "{name} at {i}");
        let (b, c) = (f64::from(b), f64::from(c));
        let expected = b / (1.0 + (-b).exp()) * c;
        let off = (f64::from(gated[i]) - expected).abs();
        // Measured at most 2e-7 of the result.
        assert!(off <= 1e-6 * expected.abs() + 1e-30, "{name} at {i}: off {off:e}");
        assert_eq!(rounded[i], nearest_bf16(gated[i]), "{name} at {i}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn several_parts_end_each_in_its_own_way(
        m in 1usize..40, k in 1usize..100, n in 1usize..40, seed: u64,
    ) {
        check_outputs([m, k, n], seed);
    }
}

/// Rows apart from each other, and `out` wider than what is added to.
fn check_strided([m, k, n]: [usize; 3], gap: usize, seed: u64) {
    let apart = |rows: usize, columns: usize, seed| random(rows * (columns + gap), seed);
    let (a, b) = (apart(m, k, seed), apart(k, n, seed ^ 1));
    let before = apart(m, n, seed ^ 2);
    for isa in Isa::available() {
        let rows = |data, columns| Matrix { data, stride: columns + gap };
        let mut found = before.clone();
        let c = Destination::new(&mut found, n + gap);
        // Safety: `found` is ours alone.
        unsafe { accumulate_f32(isa)(Sum { shape: [m, k, n], a: rows(&a, k), b: rows(&b, n), c }) };
        for (index, (&found, &before)) in found.iter().zip(&before).enumerate() {
            let (row, column) = (index / (n + gap), index % (n + gap));
            if column >= n {
                assert_eq!(found, before, "{isa}: beyond the row");
                continue;
            }
            let terms = (0..k)
                .map(|i| f64::from(a[row * (k + gap) + i]) * f64::from(b[i * (n + gap) + column]));
            let first = (f64::from(before), f64::from(before.abs()));
            let (sum, size) = terms.fold(first, |(s, a), t: f64| (s + t, a + t.abs()));
            let off = (f64::from(found) - sum).abs();
            // Up to 300 terms one after the other; measured at most 3e-7 of the sizes.
            assert!(off <= 2e-6 * size + 1e-30, "{isa} [{m}, {k}, {n}]: off {off:e}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn strided_products_are_right_for_odd_sizes(
        m in 1usize..20, k in 1usize..300, n in 1usize..200, gap in 0usize..9, seed: u64,
    ) {
        check_strided([m, k, n], gap, seed);
    }
}

/// Expects that `accumulate` adds products of pairs of bfloat16 numbers, `[m, 2k] ·
/// [2k, n]`, to what is there already, and leaves what is between the rows.
pub(super) fn check_pairs(
    name: &str,
    [m, k, n]: [usize; 3],
    gap: usize,
    seed: u64,
    accumulate: impl Fn(Sum<u32>),
) {
    let numbers = |length, seed| -> Vec<[f32; 2]> {
        let rounded = rounded(&random(2 * length, seed));
        rounded.as_chunks::<2>().0.iter().map(|pair| pair.map(bf16::to_f32)).collect()
    };
    let (a, b) = (numbers(m * (k + gap), seed), numbers(k * (n + gap), seed ^ 1));
    let packed = |pairs: &[[f32; 2]]| -> Vec<u32> {
        pairs.iter().map(|&[first, second]| pair(first, second)).collect()
    };
    let (a_pairs, b_pairs) = (packed(&a), packed(&b));
    let before = random(m * (n + gap), seed ^ 2);
    let mut found = before.clone();
    accumulate(Sum {
        shape: [m, k, n],
        a: Matrix { data: &a_pairs, stride: k + gap },
        b: Matrix { data: &b_pairs, stride: n + gap },
        c: Destination::new(&mut found, n + gap),
    });
    for (at, (&found, &before)) in found.iter().zip(&before).enumerate() {
        let (row, column) = (at / (n + gap), at % (n + gap));
        if column >= n {
            assert_eq!(found, before, "{name}: beyond the row");
            continue;
        }
        let products = (0..k).flat_map(|i| {
            let (a, b) = (a[row * (k + gap) + i], b[i * (n + gap) + column]);
            [0, 1].map(|half| f64::from(a[half]) * f64::from(b[half]))
        });
        let start = (f64::from(before), f64::from(before).abs());
        let (sum, size) = products.fold(start, |(sum, size), p| (sum + p, size + p.abs()));
        let off = (f64::from(found) - sum).abs();
        // Sums of up to 99 pairs one after the other; measured at most 1.2e-7.
        assert!(off <= 4e-7 * size + 1e-30, "{name} [{m}, {k}, {n}]: off {:e}", off / size);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn sums_of_pairs_are_right_for_odd_sizes(
        m in 1usize..20, k in 1usize..100, n in 1usize..200, gap in 0usize..9, seed: u64,
    ) {
        for isa in Isa::available() {
            check_pairs(&isa.to_string(), [m, k, n], gap, seed, |sum| {
                // Safety: its memory is nobody else's.
                unsafe { accumulate_pairs(isa)(sum) };
            });
        }
    }
}

#[test]
fn products_over_several_panels_and_blocks_are_right() {
    // 500 columns of 2,048 bytes and more are several panels.
    check([3, 1024, 500], 1);
    check([97, 64, 9], 2);
    check([1, 3072, 130], 3);
    // Beyond a block of `k`, for few rows and for many.
    check([2, 1025, 5], 4);
    check([40, 1057, 5], 5);
}

#[test]
fn products_of_nothing_are_nothing() {
    for shape in [[0, 5, 5], [3, 0, 5], [3, 5, 0]] {
        check(shape, 1);
        check_outputs(shape, 2);
    }
}

/// Products of bfloat16 numbers take them for zeros; the smallest of float16 are
/// normal numbers of float32.
#[test]
fn denormal_numbers_are_kept_where_products_are_in_float32() {
    const X: f32 = 1e-39;
    for isa in Isa::available() {
        assert_eq!(product(isa, [1; 3], &[X], &[1f32]), [X], "{isa}");
        assert_eq!(product(isa, [1; 3], &[X], &[f16::ONE]), [X], "{isa}");
        let expected = if rounds_input::<bf16>(isa) { 0.0 } else { X };
        assert_eq!(product(isa, [1; 3], &[X], &[bf16::ONE]), [expected], "{isa}");
        let smallest = [f16::from_bits(1)];
        assert_eq!(product(isa, [1; 3], &[1.0], &smallest), [1.0 / (1 << 24) as f32], "{isa}");
    }
}

/// A text's vector doesn't depend on its batch: to the last bit.
#[test]
fn a_row_is_the_same_alone_and_among_others() {
    fn check<W: Narrow>(isa: Isa) {
        let (m, k, n) = (23, 160, 37);
        let (x, weight) = (random(m * k, 1), narrow::<W>(&random(n * k, 2)));
        let together = product(isa, [m, k, n], &x, &weight);
        for row in 0..m {
            let alone = product(isa, [1, k, n], &x[row * k..][..k], &weight);
            assert_eq!(alone, together[row * n..][..n], "{isa} row {row}");
        }
    }
    for isa in Isa::available() {
        check::<f32>(isa);
        check::<bf16>(isa);
        check::<f16>(isa);
    }
}

#[test]
fn bad_numbers_spoil_their_row_and_no_other() {
    fn check<W: Narrow>(isa: Isa, bad: f32, at: usize) {
        let (m, k, n) = (9, 100, 6);
        let (mut x, weight) = (random(m * k, 1), narrow::<W>(&random(n * k, 2)));
        x[4 * k + at] = bad;
        for (row, y) in product(isa, [m, k, n], &x, &weight).chunks(n).enumerate() {
            let spoiled = y.iter().all(|y| !y.is_finite());
            assert_eq!(spoiled, row == 4, "{isa} {bad} at {at}, row {row}: {y:?}");
        }
    }
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (isa, at) in Isa::available().into_iter().flat_map(|isa| [(isa, 3), (isa, 99)]) {
            check::<f32>(isa, bad, at);
            check::<bf16>(isa, bad, at);
            check::<f16>(isa, bad, at);
        }
    }
}

#[test]
fn rounding_is_to_the_nearest_and_keeps_nan() {
    let numbers = [
        0.0,
        -0.0,
        1.0,
        1.003_906_3,
        1.001_953_1,
        1.005_859_4,
        -3.3e38,
        f32::MAX,
        f32::MIN_POSITIVE,
        1e-40,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::from_bits(0xffff_ffff),
    ];
    for (x, rounded) in numbers.iter().zip(rounded(&numbers)) {
        let expected = bf16::from_f32(*x);
        let same = rounded.to_bits() == expected.to_bits();
        assert!(same || (x.is_nan() && rounded.is_nan()), "{x}: {rounded} for {expected}");
    }
    let many = random(100_000, 5);
    let expected: Vec<bf16> = many.iter().map(|&x| bf16::from_f32(x)).collect();
    assert_eq!(rounded(&many), expected);
}

#[test]
#[should_panic(expected = "[2, 3, 4]")]
fn a_weight_of_another_shape_is_refused() {
    product(Isa::Portable, [2, 3, 4], &[0.0; 6], &[0f32; 11]);
}

#[test]
#[should_panic(expected = "a rounded input")]
fn a_rounded_input_is_for_paths_that_round() {
    let (x, mut y) = ([bf16::ONE], [0.0]);
    gemm(Isa::Portable, [1, 1], Input::Bf16(&x), &[Output::store(&[1f32][..], 1, &mut y)]);
}
