//! What the kernels for GPUs share. They are written once for every CubeCL
//! runtime: CUDA, Vulkan, Metal and DirectX 12.
//!
//! A *cube* is a group of units that share memory, a workgroup or thread
//! block; a *vector* is what a unit reads at once.

mod backend;
pub(crate) mod blocks;
mod cache;
pub(crate) mod cuda;
mod lost_work;

pub use cache::{before_opening, keep_kernels_in};

use burn::tensor::{DType, Shape, Tensor, TensorPrimitive};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use cubecl::prelude::*;

/// Units of a cube that computes a row: what WebGPU grants on every device.
pub(crate) const UNITS: usize = 256;
/// Its square root, see [`over_units`].
const SIDE: usize = 16;
/// Cubes in one dimension that WebGPU grants.
const MAX_CUBES: usize = 65_535;

/// Numbers of a tensor, at most: indices in kernels have 32 bits.
const MAX_NUMBERS: usize = 1 << 31;

/// The memory behind a tensor, rows one after the other without gaps.
///
/// # Panics
/// If it has more than [`MAX_NUMBERS`].
pub(crate) fn contiguous<R, F, I, BT, const N: usize>(
    tensor: Tensor<CubeBackend<R, F, I, BT>, N>,
) -> CubeTensor<R>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    assert_indexable(&tensor.shape());
    into_contiguous(tensor.into_primitive().tensor())
}

/// The tensor of what a kernel wrote.
pub(crate) fn tensor<R, F, I, BT, const N: usize>(
    written: CubeTensor<R>,
) -> Tensor<CubeBackend<R, F, I, BT>, N>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    Tensor::from_primitive(TensorPrimitive::Float(written))
}

/// An index that wraps reads another number, and nobody notices.
fn assert_indexable(shape: &Shape) {
    let numbers = shape.num_elements();
    assert!(
        numbers <= MAX_NUMBERS,
        "a tensor {shape:?} has {numbers} numbers, kernels take {MAX_NUMBERS}; use smaller batches"
    );
}

/// Memory on the device of `like`; what is in it at first is anything.
///
/// # Panics
/// If it is to hold more than [`MAX_NUMBERS`].
pub(crate) fn empty<R: CubeRuntime>(
    like: &CubeTensor<R>,
    shape: impl Into<Shape>,
    dtype: DType,
) -> CubeTensor<R> {
    let shape = shape.into();
    assert_indexable(&shape);
    let memory = like.client.empty(shape.num_elements() * dtype.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, memory, dtype)
}

/// The nearest numbers of `dtype`, without gaps.
pub(crate) fn rounded<R: CubeRuntime>(x: CubeTensor<R>, dtype: DType) -> CubeTensor<R> {
    if x.dtype == dtype {
        return x;
    }
    let y = empty(&x, x.meta.shape().clone(), dtype);
    round([(x, &y)]);
    y
}

/// The same of two tensors of float32, in one launch.
pub(crate) fn rounded_both<R: CubeRuntime>(
    both: [CubeTensor<R>; 2],
    dtype: DType,
) -> [CubeTensor<R>; 2] {
    let [a, b] = both.each_ref().map(|x| empty(x, x.meta.shape().clone(), dtype));
    let [x, z] = both;
    round([(x, &a), (z, &b)]);
    [a, b]
}

/// Rounds each tensor into the memory beside it, all of one dtype.
fn round<R: CubeRuntime, const N: usize>(pairs: [(CubeTensor<R>, &CubeTensor<R>); N]) {
    let numbers = pairs.each_ref().map(|(x, _)| x.meta.num_elements());
    let size = numbers.map(vector_size).into_iter().min().unwrap_or(1);
    let vectors = numbers.iter().sum::<usize>() / size;
    if vectors > 0 {
        let (client, dtype) = (pairs[0].1.client.clone(), pairs[0].1.dtype);
        round_numbers::launch::<R>(
            &client,
            cube_count(vectors.div_ceil(UNITS)),
            CubeDim::new_1d(UNITS as u32),
            size,
            pairs.iter().map(|(x, _)| x.clone().into_array_arg()).collect(),
            pairs.iter().map(|(_, y)| (*y).clone().into_array_arg()).collect(),
            dtype.into(),
        );
    }
}

#[cube(launch)]
fn round_numbers<H: Float, N: Size>(
    x: &Sequence<Array<Vector<f32, N>>>,
    y: &mut Sequence<Array<Vector<H, N>>>,
    #[define(H)] _dtype: StorageType,
) {
    let mut before = 0usize.runtime();
    #[unroll]
    for index in 0..x.len() {
        let numbers = x.index(index).len();
        if ABSOLUTE_POS >= before && ABSOLUTE_POS < before + numbers {
            let at = ABSOLUTE_POS - before;
            let y = y.index_mut(index);
            y[at] = Vector::cast_from(x.index(index)[at]);
        }
        before += numbers;
    }
}

/// Rows and columns of a matrix.
pub(crate) fn rows_and_columns<R: CubeRuntime>(x: &CubeTensor<R>) -> [usize; 2] {
    x.meta.shape().dims()
}

/// How many numbers a unit reads at once from rows of so many.
pub(crate) fn vector_size(columns: usize) -> usize {
    [4, 2].into_iter().find(|size| columns.is_multiple_of(*size)).unwrap_or(1)
}

/// At least so many cubes, in two dimensions where one has not enough of them:
/// a kernel must leave the surplus alone.
pub(crate) fn cube_count(cubes: usize) -> CubeCount {
    let y = cubes.div_ceil(MAX_CUBES);
    CubeCount::Static(cubes.div_ceil(y) as u32, y as u32, 1)
}

/// The sum of a vector's numbers.
#[cube]
pub(crate) fn sum_of_vector<N: Size>(vector: Vector<f32, N>) -> f32 {
    let mut sum = f32::new(0.0);
    #[unroll]
    for i in 0..N::value() {
        sum += vector[i];
    }
    sum
}

/// The largest of a vector's numbers.
#[cube]
pub(crate) fn max_of_vector<N: Size>(vector: Vector<f32, N>) -> f32 {
    let mut largest = vector[0];
    #[unroll]
    for i in 0..N::value() {
        largest = max(largest, vector[i]);
    }
    largest
}

/// The sum (or, without `is_sum`, the maximum) of one number of each of the
/// cube's [`UNITS`], to all of them.
///
/// In two steps of [`SIDE`], always in the same order: no use is made of
/// planes, whose size is the driver's choice.
#[cube]
pub(crate) fn over_units(number: f32, #[comptime] is_sum: bool) -> f32 {
    let unit = UNIT_POS as usize;
    let mut numbers = SharedMemory::<f32>::new(UNITS);
    let mut parts = SharedMemory::<f32>::new(SIDE);
    numbers[unit] = number;
    sync_cube();
    if unit < SIDE {
        let mut part = numbers[unit];
        for i in 1..SIDE {
            part = joined(part, numbers[i * SIDE + unit], is_sum);
        }
        parts[unit] = part;
    }
    sync_cube();
    let mut all = parts[0];
    for i in 1..SIDE {
        all = joined(all, parts[i], is_sum);
    }
    all
}

#[cube]
fn joined(a: f32, b: f32, #[comptime] is_sum: bool) -> f32 {
    if is_sum { a + b } else { max(a, b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_indices_reach_is_taken() {
        assert_indexable(&Shape::new([1 << 16, 1 << 15]));
    }

    #[test]
    #[should_panic(expected = "2147549184 numbers")]
    fn what_indices_do_not_reach_is_refused() {
        assert_indexable(&Shape::new([(1 << 16) + 2, 1 << 15]));
    }

    #[test]
    fn no_dimension_has_more_cubes_than_webgpu_grants() {
        for cubes in [1, 65_535, 65_536, 131_071, 10_000_000] {
            let CubeCount::Static(x, y, z) = cube_count(cubes) else { panic!("it is static") };
            assert!(x <= 65_535 && y <= 65_535 && z == 1, "{cubes}");
            assert!((x * y) as usize >= cubes && (x * y) as usize - cubes < y as usize, "{cubes}");
        }
    }
}
