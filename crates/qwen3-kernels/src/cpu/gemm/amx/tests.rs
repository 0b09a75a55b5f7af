//! The same driver over emulated tiles and, where there are any, real ones.

use super::pack::PackedX;
use super::panel::{Panel, Take};
use super::{gemm, gemm_on};
use crate::cpu::amx::{
    Emulated, Processor, SIDE, Strip, Tile, Tiles, add_dot_products, is_available,
};
use crate::cpu::gemm::bf16::{nearest_bf16, pair};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::tests;
use crate::cpu::matrix::Matrix;
use crate::random::random;
use burn::tensor::bf16;
use proptest::prelude::*;
use std::ops::Range;

fn narrow(numbers: &[f32]) -> Vec<bf16> {
    numbers.iter().map(|&x| nearest_bf16(x)).collect()
}

/// Runs `check` with emulated tiles, and with those of the processor.
fn with_tiles(mut check: impl FnMut(&str, Compute)) {
    check("emulated", &mut |panel, x, rows, mut take| {
        panel.compute(&mut Emulated, x, rows, &mut take)
    });
    if !is_available() {
        println!("skipped with the processor's own tiles: it has no AMX");
        return;
    }
    check("processor", &mut |panel, x, rows, mut take| {
        panel.compute(&mut Processor::configured(), x, rows, &mut take);
    });
}

type Compute<'a> = &'a mut dyn FnMut(&Panel, &PackedX, Range<usize>, Sink);
type Sink<'a> = &'a mut dyn FnMut(usize, usize, usize, [&[[f32; SIDE]]; 2]);

impl Take for Sink<'_> {
    fn rows(&mut self, [row, column]: [usize; 2], n: usize, strips: [&[[f32; SIDE]]; 2]) {
        self(row, column, n, strips);
    }
}

/// `[m, n]` of one weight, in panels of `columns` columns and blocks of `rows` rows.
fn in_panels(
    compute: Compute,
    [m, k, n]: [usize; 3],
    x: &[f32],
    weight: &[bf16],
    [rows, columns]: [usize; 2],
) -> Vec<f32> {
    let mut y = vec![f32::NAN; m * n];
    let x = PackedX::new([m, k], Input::F32(x));
    for column in (0..n).step_by(columns) {
        let columns = column..n.min(column + columns);
        let panel_rows = &weight[columns.start * k..columns.end * k];
        let panel = Panel::new(k, &[panel_rows], columns);
        for row in (0..m).step_by(rows) {
            compute(&panel, &x, row..m.min(row + rows), &mut |row, column, n_here, strips| {
                for (i, (first, second)) in strips[0].iter().zip(strips[1]).enumerate() {
                    let to = &mut y[(row + i) * n + column..][..n_here];
                    assert!(to.iter().all(|y| y.is_nan()), "row {row}, column {column} twice");
                    to.copy_from_slice(&[*first, *second].concat()[..n_here]);
                }
            });
        }
    }
    y
}

fn check([m, k, n]: [usize; 3], block: [usize; 2], seed: u64) {
    let (x, weight) = (random(m * k, seed), narrow(&random(n * k, seed ^ 1)));
    with_tiles(|name, compute| {
        let y = in_panels(compute, [m, k, n], &x, &weight, block);
        for (at, &found) in y.iter().enumerate() {
            let (x, w) = (&x[at / n * k..][..k], &weight[at % n * k..][..k]);
            let products = x.iter().zip(w).map(|(&x, w)| nearest_bf16(x).to_f64() * w.to_f64());
            let (sum, size) = products.fold((0.0, 0.0), |(s, a), p: f64| (s + p, a + p.abs()));
            let off = (f64::from(found) - sum).abs();
            assert!(off <= 2e-6 * size + 1e-30, "{name} [{m}, {k}, {n}] at {at}: off {off:e}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn products_are_right_for_odd_sizes(
        m in 1usize..130, k in 1usize..100, n in 1usize..70,
        rows in 1usize..130, columns in 1usize..70, seed: u64,
    ) {
        check([m, k, n], [rows, columns], seed);
    }

    #[test]
    fn products_are_right_around_the_sizes_of_tiles(
        m in sizes(), k in sizes(), n in sizes(), seed: u64,
    ) {
        check([m, k, n], [m, n], seed);
    }

    #[test]
    fn transposing_is_the_same_in_512_bits_and_plainly(seed: u64) {
        let numbers = random(SIDE * SIDE, seed);
        let tile = Tile(std::array::from_fn(|row| {
            std::array::from_fn(|column| numbers[row * SIDE + column].to_bits())
        }));
        prop_assert_eq!(tile.transposed(), tile.transposed_plainly());
        prop_assert_eq!(tile.transposed().transposed(), tile);
    }
}

pub(super) fn sizes() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1usize, 2, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65])
}

#[test]
fn nothing_times_nothing_is_zero() {
    check([3, 0, 5], [3, 5], 1);
    check([0, 5, 5], [1, 5], 2);
}

#[test]
fn a_row_is_the_same_alone_and_among_others_and_in_any_panel() {
    // Enough rows for packed strips.
    let [m, k, n] = [100, 100, 41];
    let (x, weight) = (random(m * k, 1), narrow(&random(n * k, 2)));
    with_tiles(|name, compute| {
        let together = in_panels(compute, [m, k, n], &x, &weight, [m, n]);
        assert_eq!(together, in_panels(compute, [m, k, n], &x, &weight, [5, 7]), "{name}");
        for row in 0..m {
            let alone = in_panels(compute, [1, k, n], &x[row * k..][..k], &weight, [1, n]);
            assert_eq!(alone, together[row * n..][..n], "{name} row {row}");
        }
    });
}

/// A gate and its value, one beside the other.
#[test]
fn two_weights_give_the_numbers_of_each() {
    for n in [1, 15, 16, 17, 40] {
        let [m, k] = [35, 64];
        let x = random(m * k, 1);
        let weights = [2, 3].map(|seed| narrow(&random(n * k, seed)));
        with_tiles(|name, compute| {
            let alone = weights.each_ref().map(|w| in_panels(compute, [m, k, n], &x, w, [m, n]));
            let both = weights.each_ref().map(|weight| &weight[..]);
            let x = PackedX::new([m, k], Input::Bf16(&narrow(&x)));
            let mut seen = 0;
            compute(&Panel::new(k, &both, 0..n), &x, 0..m, &mut |row, column, here, strips| {
                seen += here * strips[0].len();
                for (strip, alone) in strips.iter().zip(&alone) {
                    for (row, found) in (row..).zip(*strip) {
                        let expected = &alone[row * n + column..][..here];
                        assert_eq!(&found[..here], expected, "{name} row {row}");
                    }
                }
            });
            assert_eq!(seen, m * n, "{name}");
        });
    }
}

#[test]
fn bad_numbers_spoil_their_row_and_no_other() {
    let [m, k, n] = [35, 70, 20];
    let weight = narrow(&random(n * k, 2));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for at in [3, 69] {
            let mut x = random(m * k, 1);
            x[17 * k + at] = bad;
            with_tiles(|name, compute| {
                let y = in_panels(compute, [m, k, n], &x, &weight, [m, n]);
                for (row, y) in y.chunks(n).enumerate() {
                    let spoiled = y.iter().all(|y| !y.is_finite());
                    assert_eq!(spoiled, row == 17, "{name}: {bad} at {at}, row {row}: {y:?}");
                }
            });
        }
    }
}

/// As `vdpbf16ps` has it too; a checkpoint's smallest numbers are far above.
#[test]
fn denormal_numbers_are_zero() {
    let (denormal, normal) = (1e-39, f32::MIN_POSITIVE);
    for (x, w, expected) in [
        (denormal, 1e30, 0.0),
        (1e30, denormal, 0.0),
        (normal, 0.5, 0.0),
        (normal, -0.5, -0.0),
        (normal, 1.0, normal),
    ] {
        with_tiles(|name, compute| {
            let y = in_panels(compute, [1, 1, 1], &[x], &narrow(&[w]), [1, 1]);
            assert_eq!(y, [expected], "{name}: {x:e} · {w:e}");
        });
    }
}

/// The first of each pair, then the second, then both, then what was there: by
/// numbers for which another order gives another sum.
#[test]
fn dot_products_are_summed_in_the_order_of_the_manual() {
    let pairs = |first: [f32; SIDE], second: [f32; SIDE]| -> [u32; SIDE] {
        std::array::from_fn(|i| pair(first[i], second[i]))
    };
    // Beside it an odd number is a tie, which goes to a multiple of four.
    let big = (1u64 << 24) as f32;
    let (mut first, mut second) = ([0.0; SIDE], [0.0; SIDE]);
    first[..4].copy_from_slice(&[big, 1.0, -big, 1.0]);
    second[..3].copy_from_slice(&[1.0, 1.0, big]);
    let [mut a, mut ones, mut c] = [Tile::ZERO; 3];
    a.0[5] = pairs(first, second);
    ones.0 = [pairs([1.0; SIDE], [1.0; SIDE]); SIDE];
    c.0[5] = [(-1f32).to_bits(); SIDE];
    add_dot_products(&mut c, &a, &ones);
    let mut expected = Tile::ZERO;
    // 1 and `big` + 2 are `big` + 4; one less is that again.
    expected.0[5] = [(big + 4.0).to_bits(); SIDE];
    assert_eq!(c, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn several_parts_end_each_in_its_own_way(
        m in 1usize..70, k in 1usize..70, n in 1usize..70, seed: u64,
    ) {
        tests::check_outputs_of([m, k, n], seed, "emulated", |shape, x, outputs| {
            gemm_on(|| Emulated, shape, x, outputs);
        });
        if is_available() {
            tests::check_outputs_of([m, k, n], seed, "processor", gemm);
        }
    }
}

/// Of whole numbers, whose sums are the same in any order.
#[test]
fn emulated_tiles_are_the_processors() {
    if !is_available() {
        println!("skipped: a processor without AMX");
        return;
    }
    let [m, k, n] = [40, 96, 50];
    let whole = |length, seed| random(length, seed).into_iter().map(|x| (x * 20.0).round());
    let x: Vec<f32> = whole(m * k, 1).collect();
    let weight = narrow(&whole(n * k, 2).collect::<Vec<_>>());
    let (mut found, mut expected) = (vec![f32::NAN; m * n], vec![f32::NAN; m * n]);
    gemm([m, k], Input::F32(&x), &[Output::store(&weight[..], n, &mut found)]);
    let output = Output::store(&weight[..], n, &mut expected);
    gemm_on(|| Emulated, [m, k], Input::F32(&x), &[output]);
    assert_eq!(found, expected);
}

#[test]
#[should_panic(expected = "2 steps")]
fn tiles_beyond_the_weight_are_refused() {
    let weight = vec![bf16::ZERO; SIDE * 64 - 1];
    let rows = Matrix { data: &weight[..], stride: 64 };
    let mut sums = [[Tile::ZERO; 2]; 2];
    Emulated.multiply([Strip::in_place(rows); 2], &[[Tile::ZERO; 2]; 2], &mut sums);
}
