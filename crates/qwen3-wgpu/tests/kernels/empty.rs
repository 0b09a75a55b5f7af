//! Batches of nothing.

use super::*;

#[test]
fn no_rows_give_no_rows() {
    let (x, weight) = (Values::random([0, 32], 1), Values::random([48, 32], 2));
    let (angles, heads) = (Values::random([0, 8], 3), Values::random([0, 2, 16], 4));
    with_each_gpu(|gpu| {
        for (dtype, _) in DTYPES {
            let weight = || weight.on::<Gpu>(gpu).cast(dtype);
            let x = || x.on::<Gpu>(gpu);
            assert_eq!(linear(x(), weight(), PlainUnits).dims(), [0, 48]);
            let [gate, up, down] = [weight(), weight(), weight().transpose()].map(Weight::from);
            let mlp = Gpu::swiglu_mlp(x(), x(), gate, up, down, PlainUnits);
            assert_eq!(mlp.dims(), [0, 32]);
        }
        let norm = Values::random([32], 5).on(gpu);
        assert_eq!(Gpu::rms_norm(x.on(gpu), norm, 1e-6).dims(), [0, 32]);
        let (norm, heads) = (Values::random([16], 6).on(gpu), || heads.on::<Gpu>(gpu));
        let rotated = Gpu::rms_norm_rotary(heads(), norm, 1e-6, angles.on(gpu), angles.on(gpu));
        assert_eq!(rotated.dims(), [0, 2, 16]);
        let layout = attention::layout(&[]);
        let (q, k, v, layout) = (heads(), heads(), heads(), &layout);
        let (scale, round_to) = (1.0, DType::F32);
        let attention = VarlenAttention { q, k, v, layout, scale, round_to, strategy: PlainUnits };
        assert_eq!(Gpu::varlen_attention(attention).dims(), [0, 2, 16]);
    });
}
