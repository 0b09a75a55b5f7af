//! The kernels in CUDA C++ compute what the plain references compute on the CPU from numbers that
//! are rounded as theirs are. Nothing is checked where there is no NVIDIA GPU.
#![recursion_limit = "256"]

#[path = "../../qwen3-kernels/src/random.rs"]
mod random;

use burn::tensor::{DType, Tensor, TensorData, backend::Backend};
use burn_cubecl::CubeBackend;
use burn_cuda::CudaDevice;
use burn_flex::Flex;
use cubecl::cuda::CudaRuntime;
use qwen3_kernels::MatmulStrategy::CudaTensorCores;
use qwen3_kernels::{
    Kernels, RmsNorm, VarlenAttention, VarlenLayout, Weight, linear, swiglu_mlp,
    varlen_attention::reference::varlen_attention,
};

/// The backend under test.
type Gpu = CubeBackend<CudaRuntime, f32, i32, u8>;
/// The one that the references run on.
type Host = Flex;

/// Products of factors that are rounded before: sums in another order, measured at most 6e-6.
const PRODUCT: f32 = 1e-4;
/// What goes into `down` is rounded to bfloat16 or float16.
const GATED: [(DType, f32); 2] = [(DType::BF16, 3e-2), (DType::F16, 4e-3)];
/// Queries times scale, keys, values and weights are rounded to bfloat16 (2^-9 each).
const ATTENTION: f32 = 3e-2;

/// The first GPU, if there is one.
fn gpu() -> Option<CudaDevice> {
    match qwen3_cuda::devices() {
        Ok(_) => Some(CudaDevice::new(0)),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// Seeded, between -1 and 1, rounded to `dtype`.
fn values<const N: usize>(shape: [usize; N], seed: u64, dtype: DType) -> Tensor<Host, N> {
    let data = TensorData::new(random::random(shape.iter().product(), seed), shape);
    let exact = Tensor::<Host, N>::from_data(data, (&Default::default(), DType::F32));
    exact.cast(dtype).cast(DType::F32)
}

fn on<const N: usize>(tensor: &Tensor<Host, N>, gpu: &CudaDevice, dtype: DType) -> Tensor<Gpu, N> {
    Tensor::<Gpu, N>::from_data(tensor.to_data(), (gpu, DType::F32)).cast(dtype)
}

fn numbers<B: Backend, const N: usize>(tensor: Tensor<B, N>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().into_vec().unwrap()
}

#[track_caller]
fn assert_close<const N: usize>(
    found: Tensor<Gpu, N>,
    expected: Tensor<Host, N>,
    tolerance: f32,
    what: &str,
) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let mut worst = 0f32;
    for (index, (found, expected)) in numbers(found).into_iter().zip(numbers(expected)).enumerate()
    {
        let difference = (found - expected).abs();
        assert!(difference <= tolerance, "{what} [{index}]: {found} for {expected}");
        worst = worst.max(difference);
    }
    println!("{what}: {worst:e} of {tolerance:e}");
}

/// Rows, inputs and outputs: each kernel of the table in `linear/gpu/cuda/mod.rs`, and sizes that
/// are no multiples of its tiles.
const SHAPES: [[usize; 3]; 8] = [
    [1, 256, 136],
    [16, 1024, 64],
    [20, 72, 3000],
    [100, 520, 264],
    [70, 1024, 3072],
    [300, 256, 520],
    [1500, 200, 1032],
    [2100, 128, 2048],
];

#[test]
fn products_match_the_reference() {
    let Some(gpu) = gpu() else { return };
    for [rows, inputs, outputs] in SHAPES {
        for dtype in [DType::BF16, DType::F16] {
            let what = |name| format!("{name} {rows} x {inputs} x {outputs} {dtype:?}");
            // Powers of two, by which rows can be divided without rounding.
            let x = values([rows, inputs], 1, dtype).sign();
            let weights = [outputs, 64, 72].map(|outputs| values([outputs, inputs], 2, dtype));
            let residual = values([rows, outputs], 3, DType::F32);
            let expected =
                weights.each_ref().map(|w| linear::reference::linear(x.clone(), w.clone()));
            let on_gpu = weights.each_ref().map(|weight| Weight::Float(on(weight, &gpu, dtype)));
            let x = on(&x, &gpu, DType::F32);
            let found = Gpu::linears(x.clone(), on_gpu.clone(), CudaTensorCores);
            for (found, expected) in found.into_iter().zip(expected.clone()) {
                assert_close(found, expected, PRODUCT, &what("linears"));
            }
            let [weight, ..] = on_gpu;
            let found =
                Gpu::linear_add(on(&residual, &gpu, DType::F32), x, weight, CudaTensorCores);
            let [expected, ..] = expected;
            assert_close(found, residual + expected, PRODUCT, &what("linear_add"));
        }
    }
}

#[test]
fn the_feed_forward_network_matches_the_reference() {
    let Some(gpu) = gpu() else { return };
    for [rows, inputs, width] in SHAPES {
        for (dtype, tolerance) in GATED {
            let x = values([rows, inputs], 1, dtype).sign();
            let residual = values([rows, inputs], 2, DType::F32);
            let scale = 1.0 / 16.0;
            let [gate, up] = [3, 4].map(|seed| values([width, inputs], seed, dtype) * scale);
            let down = values([inputs, width], 5, dtype) * scale;
            let expected = swiglu_mlp::reference::swiglu_mlp(
                residual.clone(),
                x.clone(),
                Weight::Float(gate.clone()),
                Weight::Float(up.clone()),
                Weight::Float(down.clone()),
                CudaTensorCores,
            );
            let weight = |weight| Weight::Float(on(&weight, &gpu, dtype));
            let found = Gpu::swiglu_mlp(
                on(&residual, &gpu, DType::F32),
                on(&x, &gpu, DType::F32),
                weight(gate),
                weight(up),
                weight(down),
                CudaTensorCores,
            );
            let what = format!("swiglu_mlp {rows} x {inputs} x {width} {dtype:?}");
            assert_close(found, expected, tolerance, &what);
        }
    }
}

#[test]
fn rows_are_normed_on_their_way_into_products() {
    let Some(gpu) = gpu() else { return };
    for (dtype, _) in GATED {
        let [x, weight] = [(37, 1), (40, 2)].map(|(rows, seed)| values([rows, 520], seed, dtype));
        let norm = values([520], 3, DType::F32) * 3.0;
        let norm = RmsNorm { weight: on(&norm, &gpu, DType::F32), epsilon: 1e-6 };
        let x = || on(&x, &gpu, DType::F32) * 40.0;
        let weights = || [Weight::Float(on(&weight, &gpu, dtype))];
        let [steps] = Gpu::linears(norm.forward(x()), weights(), CudaTensorCores);
        let [at_once] = Gpu::norm_linears(x(), &norm, weights(), CudaTensorCores);
        assert_eq!(numbers(at_once), numbers(steps), "{dtype:?}");
    }
}

#[test]
fn attention_matches_the_reference() {
    let Some(gpu) = gpu() else { return };
    let bounds = vec![0, 1, 6, 76, 206, 270];
    let all = VarlenLayout::new(bounds.clone(), bounds.clone());
    let last = VarlenLayout::new((0..bounds.len()).collect(), bounds);
    // Key heads, query heads for each, and their width.
    for [kv_heads, group, width] in [[8, 2, 128], [2, 4, 128], [2, 2, 16], [1, 3, 64], [2, 1, 32]] {
        for (layout, queries) in [(&all, 270), (&last, 5)] {
            let q = values([queries, kv_heads * group, width], 1, DType::F32) * 3.0;
            let [k, v] = [2, 3].map(|seed| values([270, kv_heads, width], seed, DType::BF16));
            let scale = (width as f64).sqrt().recip();
            let round_to = DType::BF16;
            let expected = varlen_attention(VarlenAttention {
                q: q.clone(),
                k: k.clone(),
                v: v.clone(),
                layout,
                scale,
                round_to,
                strategy: CudaTensorCores,
            });
            let [q, k, v] = [q, k, v].map(|tensor| on(&tensor, &gpu, DType::F32));
            let strategy = CudaTensorCores;
            let attention = VarlenAttention { q, k, v, layout, scale, round_to, strategy };
            let found = Gpu::varlen_attention(attention);
            let what = format!("attention {kv_heads} x {group} x {width}, {queries} queries");
            assert_close(found, expected, ATTENTION, &what);
        }
    }
}
