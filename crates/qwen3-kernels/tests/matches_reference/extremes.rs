//! Numbers that are none, too small or too large.

use super::*;

#[test]
fn bad_numbers_are_never_swallowed() {
    for bad in [f32::NAN, f32::INFINITY] {
        let spoil = |tensor: Tensor<B, 3>| {
            let shape = tensor.dims();
            let mut data = values(tensor);
            data[0] = bad;
            Tensor::<B, 3>::from_data(TensorData::new(data, shape), &Default::default())
        };
        let (q, k, v) = (random([40, 2, 16], 1), random([40, 2, 16], 2), random([40, 2, 16], 3));
        let layout = layout(&[40]);
        for qkv in [
            [spoil(q.clone()), k.clone(), v.clone()],
            [q.clone(), spoil(k.clone()), v.clone()],
            [q.clone(), k.clone(), spoil(v.clone())],
        ] {
            with_each_isa(|isa| {
                for (round_to, _) in ROUND_TO {
                    let attention = attention::attention(&qkv, &layout, 1.0, round_to);
                    let output = values(B::varlen_attention(attention));
                    let is_bad = output[..16].iter().any(|x| !x.is_finite());
                    assert!(is_bad, "{isa}: {bad} was swallowed");
                }
            });
        }
        let x = random([3, 40], 4).slice_fill([0..1, 0..1], bad);
        let weight = random([4, 40], 6).cast(DType::BF16);
        with_each_isa(|isa| {
            let normed = values(B::rms_norm(x.clone(), random([40], 5), 1e-6));
            assert!(!normed[0].is_finite(), "{isa}: {bad} was swallowed");
            let product = values(linear(x.clone(), weight.clone()));
            assert!(!product[0].is_finite(), "{isa}: {bad} was swallowed");
        });
    }
}

/// They are computed with or taken for zeros, which is the same but for less than this.
#[test]
fn denormal_numbers_are_as_good_as_zero() {
    const NOTHING: f32 = 1e-35;
    fn denormal<const N: usize>(shape: [usize; N], seed: u64) -> Tensor<B, N> {
        let numbers: Vec<f32> = values(random(shape, seed)).iter().map(|x| x * 1e-39).collect();
        assert!(numbers.iter().all(|x| !x.is_normal()));
        Tensor::from_data(TensorData::new(numbers, shape), &Default::default())
    }
    let zeros = |rows, columns| Tensor::<B, 2>::zeros([rows, columns], &Default::default());
    let (x, weight) = (random([5, 70], 1), random([9, 70], 2));
    let (q, k, v) = (random([40, 2, 16], 3), random([40, 2, 16], 4), random([40, 2, 16], 5));
    with_each_isa(|_| {
        for dtype in [DType::F32, DType::BF16, DType::F16] {
            let found = linear(denormal([5, 70], 6), weight.clone().cast(dtype));
            assert_close(found, zeros(5, 9), NOTHING);
            let found = linear(x.clone(), denormal([9, 70], 7).cast(dtype));
            assert_close(found, zeros(5, 9), NOTHING);
        }
        let normed = B::rms_norm(denormal([5, 70], 8), random([70], 9), 1e-6);
        assert_close(normed, zeros(5, 70), NOTHING);
        for (round_to, tolerance) in ROUND_TO {
            let attention = |q: &Tensor<B, 3>, k: &Tensor<B, 3>, v: &Tensor<B, 3>| {
                let (qkv, layout) = ([q, k, v].map(Clone::clone), layout(&[40]));
                B::varlen_attention(attention::attention(&qkv, &layout, 1.0, round_to))
            };
            let small = denormal([40, 2, 16], 10);
            let equal_weights = attention(&(q.clone() * 0.0), &k, &v);
            assert_close(attention(&small, &k, &v), equal_weights.clone(), tolerance);
            assert_close(attention(&q, &small, &v), equal_weights, tolerance);
            assert_close(attention(&q, &k, &small), small * 0.0, NOTHING);
        }
    });
}

#[test]
fn float16_weights_take_inputs_and_give_outputs_beyond_float16() {
    let x = random([5, 64], 1) * 1e6;
    let weight = random([32, 64], 2).cast(DType::F16);
    let wide = weight.clone().cast(DType::F32);
    let expected = linear::reference::linear(x.clone(), wide);
    let scale = values(expected.clone()).into_iter().fold(0.0f32, |a, b| a.max(b.abs()));
    assert!(scale > 65504.0);
    // The reference rounds its inputs to float16 (2^-11); the CPU kernel does not.
    let plain = linear::reference::linear(x.clone(), weight.clone());
    assert_close(plain, expected.clone(), scale * 1e-2);
    assert_close(linear(x, weight), expected, scale * 1e-6);
}
