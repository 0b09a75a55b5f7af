//! Rows on their way into a product with float16 weights, and out of it.

use crate::gpu::{
    UNITS, cube_count, empty, max_of_vector, over_units, rows_and_columns, sum_of_vector,
    vector_size,
};
use burn::tensor::{DType, f16};
use burn_cubecl::CubeRuntime;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Rows in float16, divided by their root mean square, and that divisor `[T]`:
/// as [`crate::linear::reference::unit_rms_rows`], and rounded in the same pass.
pub(super) fn unit_rms_rows<R: CubeRuntime>(x: CubeTensor<R>) -> (CubeTensor<R>, CubeTensor<R>) {
    let [rows, columns] = rows_and_columns(&x);
    let dtype = x.dtype;
    let y = empty(&x, [rows, columns], DType::F16);
    let rms = empty(&x, [rows], DType::F32);
    if rows > 0 {
        let size = vector_size(columns);
        scale_rows::launch::<R>(
            &y.client,
            cube_count(rows),
            CubeDim::new_1d(UNITS as u32),
            size,
            x.into_array_arg(),
            y.clone().into_array_arg(),
            rms.clone().into_array_arg(),
            rows,
            columns / size,
            dtype.into(),
        );
    }
    (y, rms)
}

#[cube(launch)]
fn scale_rows<X: Float, N: Size>(
    x: &Array<Vector<X, N>>,
    y: &mut Array<Vector<f16, N>>,
    rms: &mut Array<f32>,
    rows: usize,
    #[comptime] vectors: usize,
    #[define(X)] _dtype: StorageType,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let first = row * vectors;
    let mut largest = Vector::<f32, N>::new(0.0);
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        largest = max(largest, Vector::abs(Vector::<f32, N>::cast_from(x[first + i])));
    }
    let mut squares = Vector::<f32, N>::new(0.0);
    let largest = divisor(max_of_vector::<N>(largest));
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        let x = Vector::<f32, N>::cast_from(x[first + i]) / Vector::new(largest);
        squares += x * x;
    }
    let size = N::value();
    let divisor = root_mean_square(sum_of_vector::<N>(squares), comptime!(vectors * size));
    for i in range_stepped(UNIT_POS as usize, vectors, UNITS) {
        let x = Vector::<f32, N>::cast_from(x[first + i]) / Vector::new(largest);
        y[first + i] = Vector::cast_from(x / Vector::new(divisor));
    }
    if UNIT_POS == 0 {
        rms[row] = largest * divisor;
    }
}

/// What a row is divided by before it is squared: its largest value, since the
/// squares of 1e20 overflow float32 as well. From the largest of each unit.
#[cube]
pub(crate) fn divisor(largest: f32) -> f32 {
    max(over_units(largest, false), f32::new(f32::MIN_POSITIVE))
}

/// Of a row that was divided so, from each unit's sum of squares.
#[cube]
pub(crate) fn root_mean_square(squares: f32, #[comptime] columns: usize) -> f32 {
    // A row of zeros stays one.
    max(f32::sqrt(over_units(squares, true) / columns as f32), f32::new(1e-20))
}

/// Rows of the same tokens, each multiplied with its number in `rms`, in place, in one launch.
pub(super) fn times_rms<R: CubeRuntime, const N: usize>(
    products: [CubeTensor<R>; N],
    rms: &CubeTensor<R>,
) -> [CubeTensor<R>; N] {
    let products = products.map(into_contiguous);
    let columns = products.each_ref().map(|y| rows_and_columns(y)[1]);
    let [rows] = rms.meta.shape().dims();
    let size = columns.iter().map(|&columns| vector_size(columns)).min().unwrap_or(1);
    let vectors = rows * columns.iter().sum::<usize>() / size;
    if vectors > 0 {
        multiply::launch::<R>(
            &rms.client,
            cube_count(vectors.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            size,
            products.iter().map(|y| y.clone().into_array_arg()).collect(),
            rms.clone().into_array_arg(),
        );
    }
    products
}

#[cube(launch)]
fn multiply<N: Size>(products: &mut Sequence<Array<Vector<f32, N>>>, rms: &Array<f32>) {
    let mut before = 0usize.runtime();
    #[unroll]
    for index in 0..products.len() {
        let numbers = products.index(index).len();
        if ABSOLUTE_POS >= before && ABSOLUTE_POS < before + numbers {
            let at = ABSOLUTE_POS - before;
            let row = at / (numbers / rms.len());
            let y = products.index_mut(index);
            y[at] *= Vector::new(rms[row]);
        }
        before += numbers;
    }
}

/// `residual` plus the same, in the memory of `y`.
pub(super) fn add_times_rms<R: CubeRuntime>(
    residual: CubeTensor<R>,
    y: CubeTensor<R>,
    rms: CubeTensor<R>,
) -> CubeTensor<R> {
    let y = into_contiguous(y);
    let [rows, columns] = rows_and_columns(&y);
    assert_eq!(rows_and_columns(&residual), [rows, columns], "linear_add: the sum's shape");
    if rows > 0 {
        let size = vector_size(columns);
        let vectors = rows * columns / size;
        multiply_and_add::launch::<R>(
            &y.client,
            cube_count(vectors.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            size,
            residual.into_array_arg(),
            y.clone().into_array_arg(),
            rms.into_array_arg(),
            columns / size,
        );
    }
    y
}

#[cube(launch)]
fn multiply_and_add<N: Size>(
    residual: &Array<Vector<f32, N>>,
    y: &mut Array<Vector<f32, N>>,
    rms: &Array<f32>,
    #[comptime] vectors: usize,
) {
    if ABSOLUTE_POS < y.len() {
        let rms = Vector::new(rms[ABSOLUTE_POS / vectors]);
        y[ABSOLUTE_POS] = residual[ABSOLUTE_POS] + y[ABSOLUTE_POS] * rms;
    }
}
