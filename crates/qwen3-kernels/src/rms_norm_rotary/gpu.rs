//! The norm of each head and its rotation on CubeCL backends, in one pass; queries and keys in one
//! launch.

use crate::gpu::{UNITS, cube_count, empty, sum_of_vector, vector_size};
use crate::rms_norm::gpu::Norm;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Units that share a head.
const LANES: usize = 16;
/// Heads that a cube computes beside each other.
const HEADS: usize = UNITS / LANES;

/// Heads `[T, H, D]`, and their norm.
pub(crate) struct Heads<R: CubeRuntime> {
    pub x: CubeTensor<R>,
    pub norm: Norm<R>,
}

impl<R: CubeRuntime> Heads<R> {
    /// `[T, H, D]`
    fn shape(&self, [cos, sin]: &[CubeTensor<R>; 2]) -> [usize; 3] {
        let [tokens, heads, width] = self.x.meta.shape().dims();
        let weights = self.norm.weight.meta.num_elements();
        assert_eq!(weights, width, "rms_norm_rotary: a weight per number of a head");
        for angles in [cos, sin] {
            let shape: [usize; 2] = angles.meta.shape().dims();
            assert_eq!(shape, [tokens, width / 2], "rms_norm_rotary: an angle per token and pair");
        }
        [tokens, heads, width]
    }
}

/// See [`crate::Kernels::rms_norm_rotary`]: of several kinds of heads of the same tokens.
pub(crate) fn rms_norm_rotary<R: CubeRuntime, const N: usize>(
    kinds: [Heads<R>; N],
    angles: [CubeTensor<R>; 2],
) -> [CubeTensor<R>; N] {
    let shapes = kinds.each_ref().map(|heads| heads.shape(&angles));
    let y = std::array::from_fn(|i| empty(&kinds[i].x, shapes[i], kinds[i].x.dtype));
    let [tokens, _, width] = shapes[0];
    assert!(shapes.iter().all(|shape| shape[2] == width), "rms_norm_rotary: heads of one width");
    if tokens == 0 {
        return y;
    }
    let bindings = 3 * N as u32 + 3;
    if N > 1 && bindings > y[0].client.properties().hardware.max_bindings {
        return kinds.map(|heads| {
            let [y] = rms_norm_rotary([heads], angles.clone());
            y
        });
    }
    let heads: usize = shapes.iter().map(|[tokens, heads, _]| tokens * heads).sum();
    let size = vector_size(width / 2);
    let [cos, sin] = angles;
    rotate_heads::launch::<R>(
        &y[0].client,
        cube_count(heads.div_ceil(HEADS)),
        CubeDim::new_1d(UNITS as u32),
        size,
        kinds.iter().map(|heads| heads.x.clone().into_array_arg()).collect(),
        kinds.iter().map(|heads| heads.norm.weight.clone().into_array_arg()).collect(),
        y.iter().map(|y| y.clone().into_array_arg()).collect(),
        kinds.iter().map(|heads| heads.norm.epsilon as f32).collect(),
        cos.into_array_arg(),
        sin.into_array_arg(),
        tokens,
        width / 2 / size,
    );
    y
}

/// Half a head has `vectors` vectors. Cubes go through all heads of the first kind, then of the next.
#[cube(launch)]
fn rotate_heads<N: Size>(
    x: &Sequence<Array<Vector<f32, N>>>,
    weights: &Sequence<Array<Vector<f32, N>>>,
    y: &mut Sequence<Array<Vector<f32, N>>>,
    epsilons: &Sequence<f32>,
    cos: &Array<Vector<f32, N>>,
    sin: &Array<Vector<f32, N>>,
    tokens: usize,
    #[comptime] vectors: usize,
) {
    let mean = mean_of_head::<N>(x, vectors);
    let mut head = CUBE_POS * HEADS + UNIT_POS as usize / LANES;
    #[unroll]
    for kind in 0..x.len() {
        let (x, weight, y) = (x.index(kind), weights.index(kind), y.index_mut(kind));
        let heads = x.len() / comptime!(2 * vectors);
        if head < heads {
            let factor = f32::new(1.0) / f32::sqrt(mean + *epsilons.index(kind));
            let factor = Vector::new(factor);
            let first = head * comptime!(2 * vectors);
            let angles = head / (heads / tokens) * vectors;
            for i in range_stepped(UNIT_POS as usize % LANES, vectors, LANES) {
                let (cos, sin) = (cos[angles + i], sin[angles + i]);
                let a = x[first + i] * factor * weight[i];
                let b = x[first + vectors + i] * factor * weight[vectors + i];
                y[first + i] = a * cos - b * sin;
                y[first + vectors + i] = b * cos + a * sin;
            }
        }
        // A head of this kind becomes a number that is larger than any of the next.
        head -= heads;
    }
}

/// The mean of the squares of the head that this unit shares.
#[cube]
fn mean_of_head<N: Size>(x: &Sequence<Array<Vector<f32, N>>>, #[comptime] vectors: usize) -> f32 {
    let unit = UNIT_POS as usize;
    let mut head = CUBE_POS * HEADS + unit / LANES;
    let mut squares = Vector::<f32, N>::new(0.0);
    #[unroll]
    for kind in 0..x.len() {
        let x = x.index(kind);
        let heads = x.len() / comptime!(2 * vectors);
        if head < heads {
            let first = head * comptime!(2 * vectors);
            for i in range_stepped(unit % LANES, vectors, LANES) {
                let (a, b) = (x[first + i], x[first + vectors + i]);
                squares += a * a + b * b;
            }
        }
        head -= heads;
    }
    let mut sums = SharedMemory::<f32>::new(UNITS);
    sums[unit] = sum_of_vector::<N>(squares);
    sync_cube();
    let mut sum = f32::new(0.0);
    for i in 0..LANES {
        sum += sums[unit / LANES * LANES + i];
    }
    let size = N::value();
    let width = comptime!(2 * vectors * size);
    sum / width as f32
}
