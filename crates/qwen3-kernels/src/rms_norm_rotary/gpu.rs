//! The norm of each head and its rotation on CubeCL backends, in one pass.

use crate::gpu::{UNITS, cube_count, empty, sum_of_vector, vector_size};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Units that share a head.
const LANES: usize = 16;
/// Heads that a cube computes beside each other.
const HEADS: usize = UNITS / LANES;

/// See [`crate::Kernels::rms_norm_rotary`].
pub(crate) fn rms_norm_rotary<R: CubeRuntime>(
    x: CubeTensor<R>,
    weight: CubeTensor<R>,
    epsilon: f64,
    [cos, sin]: [CubeTensor<R>; 2],
) -> CubeTensor<R> {
    let [tokens, heads, width] = x.meta.shape().dims();
    let half = width / 2;
    assert_eq!(weight.meta.num_elements(), width, "rms_norm_rotary: a weight per number of a head");
    for angles in [&cos, &sin] {
        let shape: [usize; 2] = angles.meta.shape().dims();
        assert_eq!(shape, [tokens, half], "rms_norm_rotary: an angle per token and pair");
    }
    if tokens == 0 {
        return x;
    }
    let y = empty(&x, [tokens, heads, width], x.dtype);
    let size = vector_size(half);
    rotate_heads::launch::<R>(
        &y.client,
        cube_count((tokens * heads).div_ceil(HEADS)),
        CubeDim::new_1d(UNITS as u32),
        size,
        x.into_array_arg(),
        weight.into_array_arg(),
        cos.into_array_arg(),
        sin.into_array_arg(),
        y.clone().into_array_arg(),
        epsilon as f32,
        tokens * heads,
        heads,
        half / size,
    );
    y
}

/// Half a head has `vectors` vectors.
#[cube(launch)]
fn rotate_heads<N: Size>(
    x: &Array<Vector<f32, N>>,
    weight: &Array<Vector<f32, N>>,
    cos: &Array<Vector<f32, N>>,
    sin: &Array<Vector<f32, N>>,
    y: &mut Array<Vector<f32, N>>,
    epsilon: f32,
    heads_in_all: usize,
    heads: usize,
    #[comptime] vectors: usize,
) {
    let unit = UNIT_POS as usize;
    let lane = unit % LANES;
    let head = CUBE_POS * HEADS + unit / LANES;
    let first = head * comptime!(2 * vectors);
    let mut sums = SharedMemory::<f32>::new(UNITS);

    let mut squares = Vector::<f32, N>::new(0.0);
    if head < heads_in_all {
        for i in range_stepped(lane, vectors, LANES) {
            let (a, b) = (x[first + i], x[first + vectors + i]);
            squares += a * a + b * b;
        }
    }
    sums[unit] = sum_of_vector::<N>(squares);
    sync_cube();
    let mut sum = f32::new(0.0);
    for i in 0..LANES {
        sum += sums[unit - lane + i];
    }
    let size = N::value();
    let width = comptime!(2 * vectors * size);
    let factor = Vector::new(f32::new(1.0) / f32::sqrt(sum / width as f32 + epsilon));

    if head < heads_in_all {
        let angles = head / heads * vectors;
        for i in range_stepped(lane, vectors, LANES) {
            let (cos, sin) = (cos[angles + i], sin[angles + i]);
            let a = x[first + i] * factor * weight[i];
            let b = x[first + vectors + i] * factor * weight[vectors + i];
            y[first + i] = a * cos - b * sin;
            y[first + vectors + i] = b * cos + a * sin;
        }
    }
}
