//! RMS norm on CubeCL backends: a cube for each row.

use crate::gpu::{
    UNITS, cube_count, empty, over_units, rows_and_columns, sum_of_vector, vector_size,
};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// See [`crate::Kernels::rms_norm`].
pub(crate) fn rms_norm<R: CubeRuntime>(
    x: CubeTensor<R>,
    weight: CubeTensor<R>,
    epsilon: f64,
) -> CubeTensor<R> {
    let [rows, columns] = rows_and_columns(&x);
    assert_eq!(weight.meta.num_elements(), columns, "rms_norm: one weight per column");
    if rows == 0 {
        return x;
    }
    let y = empty(&x, [rows, columns], x.dtype);
    let size = vector_size(columns);
    norm_rows::launch::<R>(
        &y.client,
        cube_count(rows),
        CubeDim::new_1d(UNITS as u32),
        size,
        x.into_array_arg(),
        weight.into_array_arg(),
        y.clone().into_array_arg(),
        epsilon as f32,
        rows,
        columns / size,
    );
    y
}

#[cube(launch)]
fn norm_rows<N: Size>(
    x: &Array<Vector<f32, N>>,
    weight: &Array<Vector<f32, N>>,
    y: &mut Array<Vector<f32, N>>,
    epsilon: f32,
    rows: usize,
    #[comptime] vectors: usize,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let first = row * vectors;
    let mut squares = Vector::<f32, N>::new(0.0);
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        let x = x[first + i];
        squares += x * x;
    }
    let sum = over_units(sum_of_vector::<N>(squares), true);
    let size = N::value();
    let columns = comptime!(vectors * size);
    let factor = f32::new(1.0) / f32::sqrt(sum / columns as f32 + epsilon);
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        y[first + i] = x[first + i] * Vector::new(factor) * weight[i];
    }
}
