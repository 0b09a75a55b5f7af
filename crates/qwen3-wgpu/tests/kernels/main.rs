//! The kernels for GPUs compute what the plain references compute on the CPU,
//! for odd sizes and bad numbers, compiled to SPIR-V and to WGSL. Sizes are
//! few: a driver compiles each.
#![recursion_limit = "256"]

mod at_once;
mod attention;
mod blocks;
mod empty;
mod memory;
#[path = "../../../qwen3-kernels/src/random.rs"]
mod random;

use burn::tensor::{DType, Tensor, TensorData, backend::Backend, f16};
use burn_cubecl::CubeBackend;
use burn_flex::Flex;
use burn_wgpu::{WgpuDevice, WgpuRuntime};
use qwen3_kernels::MatmulStrategy::{self, PlainUnits, TensorCores};
use qwen3_kernels::{
    Kernels, VarlenAttention, Weight, linear, rms_norm, rms_norm_rotary, swiglu_mlp,
};
use qwen3_wgpu::{Api, devices, open_adapter};

/// The backend under test.
type Gpu = CubeBackend<WgpuRuntime, f32, i32, u32>;
/// The one that the references run on.
type Host = Flex;

/// Runs `check` on the first GPU of each API that is here.
fn with_each_gpu(check: impl Fn(&WgpuDevice)) {
    for api in [Api::Vulkan, Api::Wgpu] {
        match devices(api).first() {
            Some(_) => check(&open_adapter(api, 0).unwrap()),
            None => eprintln!("skipped: no {api:?} device here"),
        }
    }
}

/// Values with their shape, to be put on any backend.
#[derive(Clone)]
struct Values<const N: usize> {
    values: Vec<f32>,
    shape: [usize; N],
}

impl<const N: usize> Values<N> {
    /// Seeded, between -1 and 1.
    fn random(shape: [usize; N], seed: u64) -> Self {
        Self { values: random::random(shape.iter().product(), seed), shape }
    }

    fn times(mut self, factor: f32) -> Self {
        self.values.iter_mut().for_each(|value| *value *= factor);
        self
    }

    /// To float16 and back.
    fn rounded(mut self) -> Self {
        self.values.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
        self
    }

    fn with_first(mut self, value: f32) -> Self {
        self.values[0] = value;
        self
    }

    fn on<B: Backend>(&self, device: &B::Device) -> Tensor<B, N> {
        let data = TensorData::new(self.values.clone(), self.shape);
        Tensor::from_data(data, (device, DType::F32))
    }

    fn on_host(&self) -> Tensor<Host, N> {
        self.on(&Default::default())
    }
}

/// `x · weightᵀ`
fn linear(x: Tensor<Gpu, 2>, weight: Tensor<Gpu, 2>, by: MatmulStrategy) -> Tensor<Gpu, 2> {
    let [y] = Gpu::linears(x, [weight.into()], by);
    y
}

fn values<B: Backend, const N: usize>(tensor: Tensor<B, N>) -> Vec<f32> {
    tensor.into_data().into_vec().unwrap()
}

#[track_caller]
fn assert_close<const N: usize>(
    found: Tensor<Gpu, N>,
    expected: &Tensor<Host, N>,
    tolerance: f32,
    what: &str,
) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let (found, expected) = (values(found), values(expected.clone()));
    let mut worst = 0f32;
    for (index, (found, expected)) in found.into_iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        let close = difference <= tolerance;
        assert!(close, "{what} [{index}]: {found} for {expected}, off {difference:e}");
        worst = worst.max(difference);
    }
    println!("{what}: {worst:e} of {tolerance:e}");
}

/// Measured at most 3.6e-7.
const NORM: f32 = 3e-6;
/// Sums of up to 300 products of numbers below 1, in another order: measured at most 5e-6.
const LINEAR: f32 = 8e-5;
/// The same of inputs that are rounded to float16 (2^-11): measured at most 4e-3.
const LINEAR_F16: f32 = 1e-2;

#[test]
fn rms_norm_matches_the_reference() {
    for [rows, columns] in [[1, 1], [3, 6], [2, 63], [5, 200], [3, 1024], [2, 2600]] {
        let (x, weight) = (Values::random([rows, columns], 1), Values::random([columns], 2));
        for x in [x.clone(), x.clone().times(1e3), x.times(0.0)] {
            let expected = rms_norm::reference::rms_norm(x.on_host(), weight.on_host(), 1e-6);
            with_each_gpu(|gpu| {
                let found = Gpu::rms_norm(x.on(gpu), weight.on(gpu), 1e-6);
                assert_close(found, &expected, NORM, &format!("rms_norm {rows} × {columns}"));
            });
        }
    }
}

#[test]
fn more_rows_than_a_dimension_has_cubes_are_normed() {
    let (x, weight) = (Values::random([65_540, 2], 1), Values::random([2], 2));
    let expected = rms_norm::reference::rms_norm(x.on_host(), weight.on_host(), 1e-6);
    with_each_gpu(|gpu| {
        let found = Gpu::rms_norm(x.on(gpu), weight.on(gpu), 1e-6);
        assert_close(found, &expected, NORM, "rms_norm of 65,540 rows");
    });
}

#[test]
fn rms_norm_rotary_matches_the_reference() {
    for [tokens, heads, half] in [[1, 1, 1], [3, 2, 3], [37, 3, 6], [5, 16, 64], [2, 3, 128]] {
        let x = Values::random([tokens, heads, 2 * half], 1).times(1e3);
        let weight = Values::random([2 * half], 2);
        let [cos, sin] = [3, 4].map(|seed| Values::random([tokens, half], seed));
        let expected = rms_norm_rotary::reference::rms_norm_rotary(
            x.on_host(),
            weight.on_host(),
            1e-6,
            cos.on_host(),
            sin.on_host(),
        );
        with_each_gpu(|gpu| {
            let (x, weight) = (x.on::<Gpu>(gpu), weight.on(gpu));
            let found = Gpu::rms_norm_rotary(x, weight, 1e-6, cos.on(gpu), sin.on(gpu));
            let what = format!("rms_norm_rotary {tokens} × {heads} × {}", 2 * half);
            assert_close(found, &expected, NORM, &what);
        });
    }
}

/// Both dtypes that every GPU has, and how far a product in them may be off.
const DTYPES: [(DType, f32); 2] = [(DType::F32, LINEAR), (DType::F16, LINEAR_F16)];

#[test]
fn linear_layers_match_the_reference() {
    let product = |x: &Values<2>, weight: &Values<2>| {
        linear::reference::linear(x.on_host(), weight.on_host())
    };
    for [tokens, inputs, outputs] in [[1, 3, 5], [37, 200, 129]] {
        let x = Values::random([tokens, inputs], 1);
        let [one, other] = [2, 3].map(|seed| Values::random([outputs, inputs], seed).rounded());
        let residual = Values::random([tokens, outputs], 4);
        let expected = [&one, &other].map(|weight| product(&x, weight));
        let sum = residual.on_host() + expected[0].clone();
        with_each_gpu(|gpu| {
            for (dtype, tolerance) in DTYPES {
                let weights = || [&one, &other].map(|weight| weight.on::<Gpu>(gpu).cast(dtype));
                for by in Gpu::matmul_strategies(gpu, dtype) {
                    let what = format!("linear {dtype:?} {tokens} × {inputs} × {outputs}, {by}");
                    let found = Gpu::linears(x.on(gpu), weights().map(Weight::from), by);
                    for (found, expected) in found.into_iter().zip(&expected) {
                        assert_close(found, expected, tolerance, &what);
                    }
                    let [one, _] = weights();
                    let found = linear(x.on(gpu), one.clone(), by);
                    assert_close(found, &expected[0], tolerance, &what);
                    let found = Gpu::linear_add(residual.on(gpu), x.on(gpu), one.into(), by);
                    assert_close(found, &sum, tolerance, &what);
                }
            }
        });
    }
}

/// As where a driver says that it has tensor cores, and then takes no product.
#[test]
fn a_strategy_that_is_not_here_is_an_error_and_plain_units_compute() {
    let (x, weight) = (Values::random([5, 64], 1), Values::random([32, 64], 2).rounded());
    let expected = linear::reference::linear(x.on_host(), weight.on_host());
    with_each_gpu(|gpu| {
        if Gpu::matmul_strategies(gpu, DType::F16).contains(&TensorCores) {
            return eprintln!("skipped: this device has tensor cores");
        }
        let weight = || weight.on::<Gpu>(gpu).cast(DType::F16);
        let refused = Gpu::linear_only_by(x.on(gpu), weight().into(), TensorCores).unwrap_err();
        let message = refused.to_string();
        assert!(message.starts_with("its tensor cores don't take a product: "), "{message}");
        let found = linear(x.on::<Gpu>(gpu), weight(), TensorCores);
        assert_close(found, &expected, LINEAR_F16, "linear without tensor cores");
    });
}

#[test]
fn float16_weights_take_inputs_and_give_outputs_beyond_float16() {
    let x = Values::random([5, 64], 1).times(1e6);
    let weight = Values::random([32, 64], 2).rounded();
    let expected = linear::reference::linear(x.on_host(), weight.on_host());
    let scale = values(expected.clone()).into_iter().fold(0.0f32, |a, b| a.max(b.abs()));
    assert!(scale > 65504.0);
    with_each_gpu(|gpu| {
        for by in Gpu::matmul_strategies(gpu, DType::F16) {
            let found = linear(x.on::<Gpu>(gpu), weight.on(gpu).cast(DType::F16), by);
            // The inputs are rounded to float16, 2^-11: measured 1.8e-4.
            assert_close(found, &expected, scale * 1e-3, "linear of 1e6");
        }
    });
}

#[test]
fn swiglu_mlp_matches_the_reference() {
    for [tokens, columns, width] in [[1, 3, 5], [37, 64, 200]] {
        let (residual, x) =
            (Values::random([tokens, columns], 1), Values::random([tokens, columns], 2));
        let [gate, up] = [3, 4].map(|seed| Values::random([width, columns], seed).rounded());
        let down = Values::random([columns, width], 5).rounded();
        let product = linear::reference::linear::<Host>;
        // 1e3: a gate of 1e4, values up to 1e8, sums up to 1e9.
        for factor in [1.0, 1e3] {
            let x = x.clone().times(factor);
            let [gated, ups] = [&gate, &up].map(|weight| product(x.on_host(), weight.on_host()));
            let hidden = swiglu_mlp::reference::swiglu(gated, ups);
            let expected = residual.on_host() + product(hidden, down.on_host());
            let scale = values(expected.clone()).into_iter().fold(1.0f32, |a, b| a.max(b.abs()));
            with_each_gpu(|gpu| {
                // Measured at most 4e-7 and 5e-4 of the largest sum.
                for (dtype, tolerance) in [(DType::F32, 2e-6), (DType::F16, 2e-3)] {
                    for by in Gpu::matmul_strategies(gpu, dtype) {
                        let weights = [&gate, &up, &down].map(|weight| weight.on(gpu).cast(dtype));
                        let ([gate, up, down], residual) =
                            (weights.map(Weight::from), residual.on(gpu));
                        let found = Gpu::swiglu_mlp(residual, x.on(gpu), gate, up, down, by);
                        let what = format!("swiglu {dtype:?} {tokens} × {columns} × {width}, {by}");
                        assert_close(found, &expected, tolerance * scale, &what);
                    }
                }
            });
        }
    }
}

#[test]
fn bad_numbers_are_never_swallowed() {
    with_each_gpu(|gpu| {
        for bad in [f32::NAN, f32::INFINITY] {
            let x = Values::random([3, 40], 1).with_first(bad);
            let weight = Values::random([40, 40], 2);
            let normed = values(Gpu::rms_norm(x.on(gpu), Values::random([40], 3).on(gpu), 1e-6));
            assert!(!normed[0].is_finite(), "{bad} was swallowed by rms_norm");
            assert!(normed[40..].iter().all(|x| x.is_finite()), "{bad} went to another row");
            for (dtype, _) in DTYPES {
                let weight = || weight.on::<Gpu>(gpu).cast(dtype);
                let product = values(linear(x.on(gpu), weight(), PlainUnits));
                assert!(!product[0].is_finite(), "{bad} was swallowed by linear {dtype:?}");
                assert!(product[40..].iter().all(|x| x.is_finite()), "{bad} went to another row");
                let [gate, up, down] = [weight(), weight(), weight()].map(Weight::from);
                let mlp = Gpu::swiglu_mlp(x.on(gpu), x.on(gpu), gate, up, down, PlainUnits);
                assert!(!values(mlp)[0].is_finite(), "{bad} was swallowed by swiglu {dtype:?}");
            }
            attention::assert_not_swallowed(bad, gpu);
        }
    });
}
