//! The feed-forward network on CubeCL backends: the gate writes what goes into
//! `down`, in `down`'s dtype.

use crate::MatmulStrategy;
use crate::gpu::{
    UNITS, cube_count, empty, max_of_vector, rows_and_columns, sum_of_vector, vector_size,
};
use crate::linear::gpu::rows::{divisor, root_mean_square};
use crate::linear::gpu::{Input, Rows, WeightOnGpu, at_once, cuda, linear_add, linears};
use burn::tensor::{DType, f16};
use burn_cubecl::CubeRuntime;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// See [`crate::Kernels::swiglu_mlp`].
pub(crate) fn swiglu_mlp<R: CubeRuntime>(
    residual: CubeTensor<R>,
    rows: Rows<R>,
    [gate, up]: [WeightOnGpu<R>; 2],
    down: WeightOnGpu<R>,
    strategy: MatmulStrategy,
) -> CubeTensor<R> {
    let hidden = match [&gate, &up, &down].map(|weight| weight.factor_dtype(strategy)) {
        [DType::F16, DType::F16, DType::F16] => {
            let input = Input::new(rows, DType::F16);
            let products = match at_once(&[gate.clone(), up.clone()], strategy) {
                Some(weights) => cuda::products(&input.x, weights, None),
                None => [gate, up].map(|weight| input.product(weight, strategy)),
            };
            let rms = input.rms.expect("float16 inputs have one");
            unit_rms_gate(products, rms)
        }
        [DType::BF16, DType::BF16, DType::BF16] if strategy == MatmulStrategy::CudaTensorCores => {
            match at_once(&[gate.clone(), up.clone()], strategy) {
                Some(weights) => {
                    let input = Input::new(rows, DType::BF16);
                    Input::rounded(cuda::swiglu(&input.x, weights))
                }
                None => Input::rounded(gate_rows(linears(rows, [gate, up], strategy), DType::BF16)),
            }
        }
        [_, _, dtype] => {
            let written = if dtype == DType::F16 { DType::F32 } else { dtype };
            let gated = gate_rows(linears(rows, [gate, up], strategy), written);
            Input::new(Rows::plain(gated), dtype)
        }
    };
    linear_add(residual, hidden, down, strategy)
}

/// `silu(gate) · up` in `dtype`.
fn gate_rows<R: CubeRuntime>(products: [CubeTensor<R>; 2], dtype: DType) -> CubeTensor<R> {
    let [gate, up] = products.map(into_contiguous);
    let [rows, columns] = rows_and_columns(&gate);
    let hidden = empty(&gate, [rows, columns], dtype);
    if rows > 0 {
        let size = vector_size(columns);
        gate_elements::launch::<R>(
            &hidden.client,
            cube_count((rows * columns / size).div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            size,
            gate.into_array_arg(),
            up.into_array_arg(),
            hidden.clone().into_array_arg(),
            dtype.into(),
        );
    }
    hidden
}

#[cube(launch)]
fn gate_elements<H: Float, N: Size>(
    gate: &Array<Vector<f32, N>>,
    up: &Array<Vector<f32, N>>,
    hidden: &mut Array<Vector<H, N>>,
    #[define(H)] _dtype: StorageType,
) {
    if ABSOLUTE_POS < hidden.len() {
        hidden[ABSOLUTE_POS] = Vector::cast_from(silu::<N>(gate[ABSOLUTE_POS]) * up[ABSOLUTE_POS]);
    }
}

/// The same in float16, of products whose rows were divided by `rms`; rows are
/// divided again, as a product with a float16 weight wants them.
fn unit_rms_gate<R: CubeRuntime>(products: [CubeTensor<R>; 2], rms: CubeTensor<R>) -> Input<R> {
    let [gate, up] = products.map(into_contiguous);
    let [rows, columns] = rows_and_columns(&gate);
    let hidden = empty(&gate, [rows, columns], DType::F16);
    let hidden_rms = empty(&gate, [rows], DType::F32);
    if rows > 0 {
        let size = vector_size(columns);
        gate_and_scale_rows::launch::<R>(
            &hidden.client,
            cube_count(rows),
            CubeDim::new_1d(UNITS as u32),
            size,
            gate.into_array_arg(),
            up.into_array_arg(),
            rms.into_array_arg(),
            hidden.clone().into_array_arg(),
            hidden_rms.clone().into_array_arg(),
            rows,
            columns / size,
        );
    }
    Input::of_unit_rms(hidden, hidden_rms)
}

/// What a unit gates it computes again in each pass: an exponential is cheaper
/// than the way to memory.
#[cube(launch)]
fn gate_and_scale_rows<N: Size>(
    gate: &Array<Vector<f32, N>>,
    up: &Array<Vector<f32, N>>,
    rms: &Array<f32>,
    hidden: &mut Array<Vector<f16, N>>,
    hidden_rms: &mut Array<f32>,
    rows: usize,
    #[comptime] vectors: usize,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let first = row * vectors;
    let rms = Vector::new(rms[row]);
    let mut largest = Vector::<f32, N>::new(0.0);
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        let gated = silu::<N>(gate[first + i] * rms) * (up[first + i] * rms);
        largest = max(largest, Vector::abs(gated));
    }
    let largest = divisor(max_of_vector::<N>(largest));
    let mut squares = Vector::<f32, N>::new(0.0);
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        let gated = silu::<N>(gate[first + i] * rms) * (up[first + i] * rms);
        let gated = gated / Vector::new(largest);
        squares += gated * gated;
    }
    let size = N::value();
    let divisor = root_mean_square(sum_of_vector::<N>(squares), comptime!(vectors * size));
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        let gated = silu::<N>(gate[first + i] * rms) * (up[first + i] * rms);
        hidden[first + i] = Vector::cast_from(gated / Vector::new(largest) / Vector::new(divisor));
    }
    if UNIT_POS == 0 {
        hidden_rms[row] = largest * divisor;
    }
}

#[cube]
fn silu<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    // Not `-x`: in CUDA C++ vectors have no such operator.
    x / (Vector::new(1.0) + Vector::exp(Vector::new(0.0) - x))
}
