//! Attention on CubeCL backends. A cube takes a block of queries of one
//! sequence and one key head, and goes through the keys a block at a time with
//! a running softmax (Dao et al. 2022, arXiv:2205.14135), so that no more than
//! a block of scores exists at a time.

mod blocks;
mod cuda;
mod rows;
mod shape;
mod shared;

use super::VarlenAttention;
use crate::MatmulStrategy;
use crate::gpu::{contiguous, cube_count, empty, vector_size};
pub(crate) use blocks::OnDevice;
use blocks::{FIELDS, block_of_cube};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use cubecl::prelude::*;
use rows::UnitRows;
use shape::{ROWS, Shape, UNITS};
use shared::Shared;

/// Shared memory of a cube, whatever more the driver says it has: 32 KiB is what
/// every GPU was built for.
const MAX_SHARED_BYTES: usize = 32 << 10;

/// See [`crate::Kernels::varlen_attention`].
pub(crate) fn varlen_attention<R, F, I, BT>(
    attention: VarlenAttention<CubeBackend<R, F, I, BT>>,
) -> CubeTensor<R>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    let VarlenAttention { q, k, v, layout, scale, round_to, strategy } = attention;
    let [q, k, v] = [q, k, v].map(contiguous);
    let [queries, query_heads, width] = q.meta.shape().dims();
    let [_, kv_heads, _] = k.meta.shape().dims();
    if queries == 0 {
        return q;
    }
    let group = query_heads / kv_heads;
    if strategy == MatmulStrategy::CudaTensorCores && cuda::takes(round_to, width, group) {
        return cuda::varlen_attention([q, k, v], layout, scale);
    }
    assert!(
        group <= ROWS,
        "varlen_attention: {group} query heads share a key head, at most {ROWS}"
    );
    let blocks = blocks::blocks(layout, &q, ROWS / group);
    let output = empty(&q, [queries, query_heads, width], q.dtype);
    let size = vector_size(width);
    let limit = output.client.properties().hardware.max_shared_memory_size.min(MAX_SHARED_BYTES);
    let shape = |keys| Shape { kv_heads, group, vectors: width / size, keys };
    let fits = |shape: &Shape| shape.shared_bytes(size) <= limit;
    let shape = [32, 16, 8].map(shape).into_iter().find(fits);
    attend::launch::<R>(
        &output.client,
        cube_count(blocks.count * kv_heads),
        CubeDim::new_1d(UNITS as u32),
        size,
        q.into_array_arg(),
        k.into_array_arg(),
        v.into_array_arg(),
        blocks.into_array_arg(),
        output.clone().into_array_arg(),
        scale as f32,
        shape.expect("heads are at most 256 wide, and WebGPU grants 16 KiB"),
    );
    output
}

/// A cube's block of queries with one key head, and all keys that they see.
#[cube(launch)]
fn attend<N: Size>(
    q: &Array<Vector<f32, N>>,
    k: &Array<Vector<f32, N>>,
    v: &Array<Vector<f32, N>>,
    blocks: &Array<u32>,
    output: &mut Array<Vector<f32, N>>,
    scale: f32,
    #[comptime] shape: Shape,
) {
    if CUBE_POS / comptime!(shape.kv_heads) * FIELDS >= blocks.len() {
        terminate!();
    }
    let block = block_of_cube(blocks, shape);
    let mut rows = UnitRows::<N>::new(&block, shape);
    let mut shared = Shared::<N>::new(shape);
    // Blocks of keys begin where the sequence does, so that a text's sums are
    // made in the same order in any batch.
    for first in range_stepped(0, block.n_keys, comptime!(shape.keys)) {
        shared.load(k, &block, first, shape);
        sync_cube();
        rows.score(q, &shared, shape);
        rows.mask(&mut shared, first, scale, shape);
        sync_cube();

        // Nobody reads the keys any more.
        shared.load(v, &block, first, shape);
        rows.weigh(&mut shared, shape);
        sync_cube();

        rows.add_values(&shared, shape);
        sync_cube();
    }
    rows.write(&block, output, shape);
}
