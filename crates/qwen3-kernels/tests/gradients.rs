//! The gradients that the kernels have by formula are those that Burn finds by
//! differentiating the references operation by operation.
#![cfg(all(feature = "cpu", feature = "autodiff"))]

#[path = "../src/random.rs"]
mod random;

use burn::tensor::{DType, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_flex::Flex;
use qwen3_kernels::MatmulStrategy::PlainUnits;
use qwen3_kernels::{AdamW, Gradients, Kernels, Moments, VarlenAttention, VarlenLayout};
use qwen3_kernels::{adamw, linear, rms_norm, rms_norm_rotary, swiglu_mlp, varlen_attention};
use std::sync::{Mutex, MutexGuard, PoisonError};

type A = Autodiff<Flex>;

/// Seeded numbers between -1 and 1, with a gradient.
fn leaf<const N: usize>(shape: [usize; N], seed: u64) -> Tensor<A, N> {
    constant(shape, seed).require_grad()
}

fn constant<const N: usize>(shape: [usize; N], seed: u64) -> Tensor<A, N> {
    let values = random::random(shape.iter().product(), seed);
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

/// One test at a time: where threads go backward at once, Burn's autodiff loses a gradient now and
/// then (once in 320 runs of these tests on two busy cores).
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The gradients of a fixed functional of `output` with respect to what it was made of.
/// Going backward through one graph takes others of the same leaves apart, so a graph is
/// made after the one before it was used.
macro_rules! gradients {
    ($output:expr, $($leaf:expr),+) => {{
        let output = $output;
        let direction = constant(output.dims(), 99);
        let gradients = (output * direction).sum().backward();
        vec![$($leaf.grad(&gradients).expect("a gradient").into_data().to_vec::<f32>().unwrap()),+]
    }};
}

/// Rounding of sums in another order: 1.5e-6 was the most that was seen.
fn assert_same(found: Vec<Vec<f32>>, expected: Vec<Vec<f32>>, what: &str) {
    assert_eq!(found.len(), expected.len());
    for (input, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found.len(), expected.len(), "{what}, input {input}");
        let largest = expected.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        assert!(largest > 0.0, "{what}, input {input}: no gradient at all");
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= 1e-5 * largest, "{what}, input {input}: off {off:e} of {largest:e}");
    }
}

#[test]
fn of_linear_layers() {
    let _alone = alone();
    for [tokens, inputs, outputs] in [[1, 4, 3], [7, 33, 70], [130, 64, 48]] {
        let x = leaf([tokens, inputs], 1);
        let (weight, other) = (leaf([outputs, inputs], 2), leaf([5, inputs], 3));
        let residual = leaf([tokens, outputs], 4);
        let weights = [&weight, &other].map(|weight| weight.clone().into());
        let [y, _] = A::linears(x.clone(), weights, PlainUnits);
        let found = gradients!(y, x, weight);
        let expected = gradients!(linear::reference::linear(x.clone(), weight.clone()), x, weight);
        assert_same(found, expected, "linears");
        let sum = A::linear_add(residual.clone(), x.clone(), weight.clone().into(), PlainUnits);
        let found = gradients!(sum, residual, x, weight);
        let sum = residual.clone() + linear::reference::linear(x.clone(), weight.clone());
        assert_same(found, gradients!(sum, residual, x, weight), "linear_add");
    }
}

#[test]
fn of_layers_with_one_input_add_up() {
    let _alone = alone();
    let (x, a, b) = (leaf([9, 16], 1), leaf([8, 16], 2), leaf([8, 16], 3));
    let [left, right] = A::linears(x.clone(), [a.clone().into(), b.clone().into()], PlainUnits);
    let found = gradients!(left * right, x, a, b);
    let [left, right] = [&a, &b].map(|w| linear::reference::linear(x.clone(), w.clone()));
    assert_same(found, gradients!(left * right, x, a, b), "two layers");
}

#[test]
fn of_norms() {
    let _alone = alone();
    let (x, weight) = (leaf([150, 50], 1), leaf([50], 2));
    let found = gradients!(A::rms_norm(x.clone(), weight.clone(), 1e-6), x, weight);
    let expected = rms_norm::reference::rms_norm(x.clone(), weight.clone(), 1e-6);
    assert_same(found, gradients!(expected, x, weight), "rms_norm");

    let (x, weight) = (leaf([40, 3, 32], 1), leaf([32], 2));
    let (cos, sin) = (constant([40, 16], 3), constant([40, 16], 4));
    let inputs = || (x.clone(), weight.clone(), 1e-6, cos.clone(), sin.clone());
    let (a, b, c, d, e) = inputs();
    let found = gradients!(A::rms_norm_rotary(a, b, c, d, e), x, weight);
    let (a, b, c, d, e) = inputs();
    let expected = rms_norm_rotary::reference::rms_norm_rotary(a, b, c, d, e);
    assert_same(found, gradients!(expected, x, weight), "rms_norm_rotary");
}

#[test]
fn of_the_mlp() {
    let _alone = alone();
    let (residual, x) = (leaf([10, 24], 1), leaf([10, 24], 2));
    let (gate, up, down) = (leaf([40, 24], 3), leaf([40, 24], 4), leaf([24, 40], 5));
    let [r, y, g, u, d] = [&residual, &x, &gate, &up, &down].map(Tensor::clone);
    let mlp = A::swiglu_mlp(r, y, g.into(), u.into(), d.into(), PlainUnits);
    let found = gradients!(mlp, residual, x, gate, up, down);
    let layer = |weight: &Tensor<A, 2>| linear::reference::linear(x.clone(), weight.clone());
    let activated = swiglu_mlp::reference::swiglu(layer(&gate), layer(&up));
    let expected = residual.clone() + linear::reference::linear(activated, down.clone());
    assert_same(found, gradients!(expected, residual, x, gate, up, down), "swiglu_mlp");
}

#[test]
fn of_attention() {
    let _alone = alone();
    // Neighbours of one length, then others; then only the last queries of each.
    let keys = [0, 5, 10, 11, 18];
    for queries in [vec![0, 5, 10, 11, 18], vec![0, 1, 2, 3, 4]] {
        let layout = VarlenLayout::new(queries.clone(), keys.to_vec());
        let n_queries = *queries.last().unwrap();
        let (q, k, v) = (leaf([n_queries, 4, 16], 1), leaf([18, 2, 16], 2), leaf([18, 2, 16], 3));
        let attention = || VarlenAttention {
            q: q.clone(),
            k: k.clone(),
            v: v.clone(),
            layout: &layout,
            scale: 0.25,
            round_to: DType::F32,
            strategy: PlainUnits,
        };
        let found = gradients!(A::varlen_attention(attention()), q, k, v);
        let expected = varlen_attention::reference::varlen_attention(attention());
        assert_same(found, gradients!(expected, q, k, v), "varlen_attention");
    }
}

#[test]
fn what_is_not_wanted_is_not_computed() {
    let _alone = alone();
    let (x, weight) = (constant([3, 8], 1), leaf([4, 8], 2));
    let [y] = A::linears(x.clone(), [weight.clone().into()], PlainUnits);
    let gradients = y.sum().backward();
    assert!(x.grad(&gradients).is_none());
    assert!(weight.grad(&gradients).is_some());
}

#[test]
fn rounding_lets_gradients_pass() {
    let _alone = alone();
    let x = leaf([3, 8], 1);
    let rounded = A::rounded(x.clone(), DType::BF16);
    assert_eq!(rounded.dtype(), DType::BF16);
    let [y] = A::linears(constant([2, 8], 2), [rounded.into()], PlainUnits);
    let [exact] = A::linears(constant([2, 8], 2), [x.clone().into()], PlainUnits);
    let [found, expected] = [y, exact].map(|y| gradients!(y, x).remove(0));
    // The weight's own gradient doesn't depend on the weight: only on x, rounded to bfloat16.
    let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 2e-2, "off {off:e}");
}

#[test]
fn adamw_in_place_is_adamw() {
    let _alone = alone();
    let n = 40_000;
    let values = |seed| constant([n], seed).inner();
    let moments = || Moments { first: values(3), second: values(4).abs() };
    let step = AdamW {
        learning_rate: 1e-2,
        beta_1: 0.9,
        beta_2: 0.98,
        epsilon: 1e-8,
        weight_decay: 0.01,
        gradient_scale: 0.5,
        step: 3,
    };
    let (found, found_moments) = Flex::adamw(values(1), values(2), moments(), step);
    let (expected, expected_moments) =
        adamw::reference::adamw(values(1), values(2), moments(), step);
    let numbers = |x: Tensor<Flex, 1>| x.into_data().to_vec::<f32>().unwrap();
    assert_same(
        [found, found_moments.first, found_moments.second].map(numbers).into(),
        [expected, expected_moments.first, expected_moments.second].map(numbers).into(),
        "adamw",
    );
}
