//! Every path against float64, over odd sizes and bad numbers.

use super::pairs::{add_weighted_pairs, pair};
use super::{Input, Numbers, Part, Rows, Weight, add_weighted_rows, nearest_bf16, products, round};
use crate::destination::Destination;
use crate::isa::Isa;
use burn::tensor::{bf16, f16};
use proptest::prelude::*;

/// Seeded numbers between -1 and 1.
fn random(length: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A weight in three dtypes, with the same numbers widened.
struct Weights {
    f32: Vec<f32>,
    bf16: Vec<bf16>,
    f16: Vec<f16>,
}

impl Weights {
    fn random(length: usize, seed: u64) -> Self {
        let f32 = random(length, seed);
        let bf16 = f32.iter().map(|&x| bf16::from_f32(x)).collect();
        let f16 = f32.iter().map(|&x| f16::from_f32(x)).collect();
        Self { f32, bf16, f16 }
    }

    fn each(&self) -> [(Weight<'_>, Vec<f32>); 3] {
        [
            (Weight::F32(&self.f32), self.f32.clone()),
            (Weight::Bf16(&self.bf16), self.bf16.iter().map(|x| x.to_f32()).collect()),
            (Weight::F16(&self.f16), self.f16.iter().map(|x| x.to_f32()).collect()),
        ]
    }
}

/// `x · weightᵀ`
fn product(isa: Isa, [m, k, n]: [usize; 3], x: &[f32], weight: Weight, out: &mut [f32]) {
    products(isa, [m, k], Input::F32(x), &[Part::store(weight, n, out)]);
}

fn rounded(x: &[f32]) -> Vec<bf16> {
    let mut rounded = vec![bf16::ZERO; x.len()];
    round(Isa::best(), x, &mut rounded);
    rounded
}

/// What a path computes from.
fn seen_by(isa: Isa, weight: Weight, x: &[f32]) -> Vec<f32> {
    match weight.rounds_inputs(isa) {
        true => x.iter().map(|&x| nearest_bf16(x).to_f32()).collect(),
        false => x.to_vec(),
    }
}

fn check([m, k, n]: [usize; 3], seed: u64) {
    let x = random(m * k, seed);
    for (weight, wide) in Weights::random(n * k, seed ^ 1).each() {
        for isa in Isa::available() {
            let mut found = vec![f32::NAN; m * n];
            product(isa, [m, k, n], &x, weight, &mut found);
            let exact = seen_by(isa, weight, &x);
            for (index, &found) in found.iter().enumerate() {
                let (row, column) = (index / n, index % n);
                let pairs = exact[row * k..][..k].iter().zip(&wide[column * k..][..k]);
                let products = pairs.map(|(&x, &w)| f64::from(x) * f64::from(w));
                let (sum, size) =
                    products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
                // At most k products one after the other; measured at most 4e-7 of the sizes.
                let bound = 2e-6 * size + 1e-30;
                let off = (f64::from(found) - sum).abs();
                assert!(off <= bound, "{isa} [{m}, {k}, {n}] at {row}, {column}: off {off:e}");
            }
        }
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

/// Three parts at once: one stored, one added to what is there, one gated.
fn check_parts([m, k, n]: [usize; 3], seed: u64) {
    let x = random(m * k, seed);
    let weights = [1, 2, 3].map(|part| Weights::random(n * k, seed ^ part));
    for dtype in 0..3 {
        let [(a, _), (b, _), (c, _)] = weights.each_ref().map(|part| part.each()[dtype].clone());
        for isa in Isa::available() {
            let alone = [a, b, c].map(|weight| {
                let mut y = vec![f32::NAN; m * n];
                product(isa, [m, k, n], &x, weight, &mut y);
                y
            });
            let (mut stored, mut added) = (vec![f32::NAN; m * n], random(m * n, seed ^ 4));
            let (residual, mut gated) = (added.clone(), vec![f32::NAN; m * n]);
            let mut narrow = vec![bf16::NAN; m * n];
            let parts = [
                Part::store(a, n, &mut stored),
                Part::add(b, n, &mut added),
                Part::swiglu(b, c, n, Numbers::F32(&mut gated)),
                Part::swiglu(b, c, n, Numbers::Bf16(&mut narrow)),
            ];
            products(isa, [m, k], Input::F32(&x), &parts);
            for i in 0..m * n {
                let [a, b, c] = alone.each_ref().map(|y| y[i]);
                assert_eq!((stored[i], added[i]), (a, residual[i] + b), "{isa} at {i}");
                let (b, c) = (f64::from(b), f64::from(c));
                let expected = b / (1.0 + (-b).exp()) * c;
                let off = (f64::from(gated[i]) - expected).abs();
                // Measured at most 2e-7 of the result.
                assert!(off <= 1e-6 * expected.abs() + 1e-30, "{isa} at {i}: off {off:e}");
                assert_eq!(narrow[i], nearest_bf16(gated[i]), "{isa} at {i}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn several_parts_end_each_in_its_own_way(
        m in 1usize..40, k in 1usize..100, n in 1usize..40, seed: u64,
    ) {
        check_parts([m, k, n], seed);
    }
}

/// Rows apart from each other, and `out` wider than what is added to.
fn check_strided([m, k, n]: [usize; 3], gap: usize, seed: u64) {
    let apart = |rows: usize, columns: usize, seed| random(rows * (columns + gap), seed);
    let (p, v) = (apart(m, k, seed), apart(k, n, seed ^ 1));
    let before = apart(m, n, seed ^ 2);
    for isa in Isa::available() {
        let rows = |data, columns| Rows { data, stride: columns + gap };
        let mut found = before.clone();
        let out = Destination::new(&mut found, n + gap);
        // Safety: `found` is ours alone.
        unsafe { add_weighted_rows(isa, [m, k, n], rows(&p, k), rows(&v, n), out) };
        for (index, (&found, &before)) in found.iter().zip(&before).enumerate() {
            let (row, column) = (index / (n + gap), index % (n + gap));
            if column >= n {
                assert_eq!(found, before, "{isa}: beyond the row");
                continue;
            }
            let terms = (0..k)
                .map(|i| f64::from(p[row * (k + gap) + i]) * f64::from(v[i * (n + gap) + column]));
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

/// Expects that `sums` adds products of pairs of bfloat16 numbers, `[m, 2k] ·
/// [2k, n]`, to what is there already, and leaves what is between the rows.
pub(super) fn check_pairs(
    name: &str,
    [m, k, n]: [usize; 3],
    gap: usize,
    seed: u64,
    sums: impl Fn(Rows<u32>, Rows<u32>, Destination),
) {
    let numbers = |length, seed| -> Vec<[f32; 2]> {
        let rounded = rounded(&random(2 * length, seed));
        rounded.as_chunks::<2>().0.iter().map(|pair| pair.map(bf16::to_f32)).collect()
    };
    let (p, v) = (numbers(m * (k + gap), seed), numbers(k * (n + gap), seed ^ 1));
    let packed = |pairs: &[[f32; 2]]| -> Vec<u32> {
        pairs.iter().map(|&[first, second]| pair(first, second)).collect()
    };
    let (p_pairs, v_pairs) = (packed(&p), packed(&v));
    let before = random(m * (n + gap), seed ^ 2);
    let mut found = before.clone();
    let p_rows = Rows { data: &p_pairs[..], stride: k + gap };
    let v_rows = Rows { data: &v_pairs[..], stride: n + gap };
    sums(p_rows, v_rows, Destination::new(&mut found, n + gap));
    for (at, (&found, &before)) in found.iter().zip(&before).enumerate() {
        let (row, column) = (at / (n + gap), at % (n + gap));
        if column >= n {
            assert_eq!(found, before, "{name}: beyond the row");
            continue;
        }
        let products = (0..k).flat_map(|i| {
            let (p, v) = (p[row * (k + gap) + i], v[i * (n + gap) + column]);
            [0, 1].map(|half| f64::from(p[half]) * f64::from(v[half]))
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
            check_pairs(&isa.to_string(), [m, k, n], gap, seed, |p, v, out| {
                // Safety: what `out` is of is nobody else's.
                unsafe { add_weighted_pairs(isa, [m, k, n], p, v, out) };
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
        check_parts(shape, 2);
    }
}

/// Products of bfloat16 numbers take them for zeros; the smallest of float16 are
/// normal numbers of float32.
#[test]
fn denormal_numbers_are_kept_where_products_are_in_float32() {
    const X: f32 = 1e-39;
    let (one_f16, one_bf16) = (&[f16::ONE][..], &[bf16::ONE][..]);
    for isa in Isa::available() {
        let of = |x: f32, weight| {
            let mut y = [f32::NAN];
            product(isa, [1, 1, 1], &[x], weight, &mut y);
            y[0]
        };
        assert_eq!(of(X, Weight::F32(&[1.0])), X, "{isa}");
        assert_eq!(of(X, Weight::F16(one_f16)), X, "{isa}");
        let weight = Weight::Bf16(one_bf16);
        assert_eq!(of(X, weight), if weight.rounds_inputs(isa) { 0.0 } else { X }, "{isa}");
        assert_eq!(of(1.0, Weight::F16(&[f16::from_bits(1)])), 1.0 / (1 << 24) as f32, "{isa}");
    }
}

/// A text's vector doesn't depend on its batch: to the last bit.
#[test]
fn a_row_is_the_same_alone_and_among_others() {
    let (m, k, n) = (23, 160, 37);
    let x = random(m * k, 1);
    for (weight, _) in Weights::random(n * k, 2).each() {
        for isa in Isa::available() {
            let mut together = vec![0.0; m * n];
            product(isa, [m, k, n], &x, weight, &mut together);
            for row in 0..m {
                let mut alone = vec![0.0; n];
                product(isa, [1, k, n], &x[row * k..][..k], weight, &mut alone);
                assert_eq!(alone, together[row * n..][..n], "{isa} row {row}");
            }
        }
    }
}

#[test]
fn bad_numbers_spoil_their_row_and_no_other() {
    let (m, k, n) = (9, 100, 6);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (weight, _) in Weights::random(n * k, 2).each() {
            for (isa, at) in Isa::available().into_iter().flat_map(|isa| [(isa, 3), (isa, 99)]) {
                let mut x = random(m * k, 1);
                x[4 * k + at] = bad;
                let mut y = vec![0.0; m * n];
                product(isa, [m, k, n], &x, weight, &mut y);
                for (row, y) in y.chunks(n).enumerate() {
                    let spoiled = y.iter().all(|y| !y.is_finite());
                    assert_eq!(spoiled, row == 4, "{isa} {bad} at {at}, row {row}: {y:?}");
                }
            }
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
    product(Isa::Portable, [2, 3, 4], &[0.0; 6], Weight::F32(&[0.0; 11]), &mut [0.0; 8]);
}
