//! RMS norm on CubeCL backends: a cube for each row, which writes what a product takes.

use crate::gpu::{
    UNITS, cube_count, empty, max_of_vector, over_units, rows_and_columns, sum_of_vector,
    vector_size,
};
use crate::linear::gpu::rows::{divisor, root_mean_square};
use burn::tensor::{DType, f16};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// The norm's weight `[C]`, and what is added under the root.
#[derive(Clone)]
pub(crate) struct Norm<R: CubeRuntime> {
    pub weight: CubeTensor<R>,
    pub epsilon: f64,
}

/// See [`crate::Kernels::rms_norm`]; the rows are in `dtype`.
pub(crate) fn rms_norm<R: CubeRuntime>(
    x: CubeTensor<R>,
    norm: Norm<R>,
    dtype: DType,
) -> CubeTensor<R> {
    let [rows, columns] = shape(&x, &norm);
    let y = empty(&x, [rows, columns], dtype);
    if rows > 0 {
        let size = vector_size(columns);
        norm_rows::launch::<R>(
            &y.client,
            cube_count(rows),
            CubeDim::new_1d(UNITS as u32),
            size,
            x.into_array_arg(),
            norm.weight.into_array_arg(),
            y.clone().into_array_arg(),
            norm.epsilon as f32,
            rows,
            columns / size,
            dtype.into(),
        );
    }
    y
}

/// The same in float16, each row divided by its root mean square, and that divisor `[T]`: what
/// [`unit_rms_rows`](crate::linear::gpu::rows::unit_rms_rows) makes of normed rows.
pub(crate) fn unit_rms_norm<R: CubeRuntime>(
    x: CubeTensor<R>,
    norm: Norm<R>,
) -> (CubeTensor<R>, CubeTensor<R>) {
    let [rows, columns] = shape(&x, &norm);
    let y = empty(&x, [rows, columns], DType::F16);
    let rms = empty(&x, [rows], DType::F32);
    if rows > 0 {
        let size = vector_size(columns);
        norm_and_scale_rows::launch::<R>(
            &y.client,
            cube_count(rows),
            CubeDim::new_1d(UNITS as u32),
            size,
            x.into_array_arg(),
            norm.weight.into_array_arg(),
            y.clone().into_array_arg(),
            rms.clone().into_array_arg(),
            norm.epsilon as f32,
            rows,
            columns / size,
        );
    }
    (y, rms)
}

fn shape<R: CubeRuntime>(x: &CubeTensor<R>, norm: &Norm<R>) -> [usize; 2] {
    let [rows, columns] = rows_and_columns(x);
    assert_eq!(norm.weight.meta.num_elements(), columns, "rms_norm: one weight per column");
    [rows, columns]
}

#[cube(launch)]
fn norm_rows<H: Float, N: Size>(
    x: &Array<Vector<f32, N>>,
    weight: &Array<Vector<f32, N>>,
    y: &mut Array<Vector<H, N>>,
    epsilon: f32,
    rows: usize,
    #[comptime] vectors: usize,
    #[define(H)] _dtype: StorageType,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let first = row * vectors;
    let factor = Vector::new(factor_of_row::<N>(x, first, epsilon, vectors));
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        y[first + i] = Vector::cast_from(x[first + i] * factor * weight[i]);
    }
}

/// What a unit norms it computes again in each pass, as the gate does.
#[cube(launch)]
fn norm_and_scale_rows<N: Size>(
    x: &Array<Vector<f32, N>>,
    weight: &Array<Vector<f32, N>>,
    y: &mut Array<Vector<f16, N>>,
    rms: &mut Array<f32>,
    epsilon: f32,
    rows: usize,
    #[comptime] vectors: usize,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let first = row * vectors;
    let factor = Vector::new(factor_of_row::<N>(x, first, epsilon, vectors));
    let mut largest = Vector::<f32, N>::new(0.0);
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        largest = max(largest, Vector::abs(x[first + i] * factor * weight[i]));
    }
    let largest = divisor(max_of_vector::<N>(largest));
    let mut squares = Vector::<f32, N>::new(0.0);
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        let normed = x[first + i] * factor * weight[i] / Vector::new(largest);
        squares += normed * normed;
    }
    let size = N::value();
    let divisor = root_mean_square(sum_of_vector::<N>(squares), comptime!(vectors * size));
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        let normed = x[first + i] * factor * weight[i] / Vector::new(largest);
        y[first + i] = Vector::cast_from(normed / Vector::new(divisor));
    }
    if UNIT_POS == 0 {
        rms[row] = largest * divisor;
    }
}

/// `1 / sqrt(mean(x²) + epsilon)` of the row that begins at `first`.
#[cube]
fn factor_of_row<N: Size>(
    x: &Array<Vector<f32, N>>,
    first: usize,
    epsilon: f32,
    #[comptime] vectors: usize,
) -> f32 {
    let mut squares = Vector::<f32, N>::new(0.0);
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        let x = x[first + i];
        squares += x * x;
    }
    let sum = over_units(sum_of_vector::<N>(squares), true);
    let size = N::value();
    let columns = comptime!(vectors * size);
    f32::new(1.0) / f32::sqrt(sum / columns as f32 + epsilon)
}
