//! What a layer has done at once is what its steps give one by one.

use super::*;
use qwen3_kernels::RmsNorm;

fn norm(width: usize, seed: u64, gpu: &WgpuDevice) -> RmsNorm<Gpu> {
    RmsNorm { weight: Values::random([width], seed).times(3.0).on(gpu), epsilon: 1e-6 }
}

#[test]
fn rows_are_normed_on_their_way_into_products() {
    for [tokens, columns, outputs] in [[1, 6, 5], [37, 1100, 44]] {
        let x = Values::random([tokens, columns], 1).times(40.0);
        with_each_gpu(|gpu| {
            let norm = norm(columns, 2, gpu);
            for (dtype, _) in DTYPES {
                let weight = |rows, columns, seed| {
                    let weight = Values::random([rows, columns], seed).rounded();
                    Weight::Float(weight.on::<Gpu>(gpu).cast(dtype))
                };
                let (gate, up) = (weight(outputs, columns, 3), weight(outputs, columns, 4));
                let (third, down) = (weight(7, columns, 5), weight(columns, outputs, 6));
                let x = || x.on::<Gpu>(gpu);
                let normed = || norm.forward(x());
                for by in Gpu::matmul_strategies(gpu, dtype) {
                    let weights = || [gate.clone(), up.clone(), third.clone()];
                    let steps = Gpu::linears(normed(), weights(), by).map(values);
                    let at_once = Gpu::norm_linears(x(), &norm, weights(), by).map(values);
                    assert_eq!(at_once, steps, "{dtype:?}, {by}, {tokens} × {columns}");
                    let [gate, up, _] = weights();
                    let steps = Gpu::swiglu_mlp(x(), normed(), gate, up, down.clone(), by);
                    let [gate, up, _] = weights();
                    let weights = [gate, up, down.clone()];
                    let at_once = Gpu::norm_swiglu_mlp(x(), &norm, weights, by);
                    assert_eq!(values(at_once), values(steps), "{dtype:?}, {by}, the MLP");
                }
            }
        });
    }
}

#[test]
fn queries_and_keys_are_rotated_in_one_launch() {
    for [tokens, heads, kv_heads, half] in [[1, 1, 1, 1], [5, 16, 8, 64], [37, 3, 1, 6]] {
        let [cos, sin] = [3, 4].map(|seed| Values::random([tokens, half], seed));
        let q = Values::random([tokens, heads, 2 * half], 1);
        let k = Values::random([tokens, kv_heads, 2 * half], 2).times(1e3);
        with_each_gpu(|gpu| {
            let (q_norm, k_norm) = (norm(2 * half, 5, gpu), norm(2 * half, 6, gpu));
            let (cos, sin) = (|| cos.on::<Gpu>(gpu), || sin.on::<Gpu>(gpu));
            let steps = [
                values(q_norm.rotary(q.on(gpu), cos(), sin())),
                values(k_norm.rotary(k.on(gpu), cos(), sin())),
            ];
            let both = [(q.on(gpu), &q_norm), (k.on(gpu), &k_norm)];
            let at_once = Gpu::rms_norm_rotary_both(both, cos(), sin()).map(values);
            assert_eq!(at_once, steps, "{tokens} × {heads} and {kv_heads} × {}", 2 * half);
        });
    }
}
