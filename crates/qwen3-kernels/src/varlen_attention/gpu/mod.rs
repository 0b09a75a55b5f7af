//! Attention on CubeCL backends. A cube takes a block of queries of one
//! sequence and one key head, and goes through the keys a block at a time with
//! a running softmax (Dao et al. 2022, arXiv:2205.14135), so that no more than
//! a block of scores exists at a time.

mod blocks;
mod rows;
mod shared;

use super::VarlenLayout;
use crate::gpu::{cube_count, empty, vector_size};
use blocks::FIELDS;
pub(crate) use blocks::OnDevice;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use rows::UnitRows;
use shared::Shared;

/// Units that share a row of scores.
const LANES: usize = 8;
/// Rows of scores that a cube's units begin with; each unit has every
/// `ROW_UNITS`th row.
const ROW_UNITS: usize = 16;
/// Rows of a unit.
const UNIT_ROWS: usize = 4;
/// Units of a cube.
const UNITS: usize = ROW_UNITS * LANES;
/// Rows of scores of a cube: its queries times the heads that share keys.
const ROWS: usize = ROW_UNITS * UNIT_ROWS;
/// Shared memory of a cube, whatever more the driver says it has: 32 KiB is what
/// every GPU was built for.
const MAX_SHARED_BYTES: usize = 32 << 10;

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Shape {
    kv_heads: usize,
    /// Query heads that share a key head.
    group: usize,
    /// Vectors of a head.
    vectors: usize,
    /// Keys of a block.
    keys: usize,
}

impl Shape {
    /// Vectors from a key in shared memory to the next: a gap of one makes units
    /// read different banks.
    fn key_stride(self) -> usize {
        self.vectors + 1
    }

    /// The same of a row of weights.
    fn weights_stride(self) -> usize {
        self.keys + 1
    }

    /// Keys of a block that a unit scores for each of its rows.
    fn unit_keys(self) -> usize {
        self.keys / LANES
    }

    /// Vectors of a head that a unit sums for each of its rows.
    fn unit_vectors(self) -> usize {
        self.vectors.div_ceil(LANES)
    }

    /// Shared memory of a cube, see [`Shared`].
    fn shared_bytes(self, vector_size: usize) -> usize {
        let block = self.keys * self.key_stride() * vector_size;
        (block + ROWS * self.weights_stride() + ROWS * LANES) * size_of::<f32>()
    }
}

/// See [`crate::Kernels::varlen_attention`].
pub(crate) fn varlen_attention<R: CubeRuntime>(
    [q, k, v]: [CubeTensor<R>; 3],
    layout: &VarlenLayout,
    scale: f64,
) -> CubeTensor<R> {
    let [queries, query_heads, width] = q.meta.shape().dims();
    let [_, kv_heads, _] = k.meta.shape().dims();
    if queries == 0 {
        return q;
    }
    let group = query_heads / kv_heads;
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

/// Queries of one sequence with the heads that share a key head.
#[derive(CubeType)]
struct Block {
    kv_head: usize,
    first_query: usize,
    /// Row `r` is query `r / group` of the block, with head `r % group`.
    rows: usize,
    first_key: usize,
    /// Keys that the first query sees.
    seen_by_first: usize,
    /// Keys that the last query sees.
    n_keys: usize,
}

#[cube]
fn block_of_cube(blocks: &Array<u32>, #[comptime] shape: Shape) -> Block {
    let kv_heads = comptime!(shape.kv_heads);
    let group = comptime!(shape.group);
    let at = CUBE_POS / kv_heads * FIELDS;
    let queries = blocks[at + 1] as usize;
    let seen_by_first = blocks[at + 3] as usize;
    Block {
        kv_head: CUBE_POS % kv_heads,
        first_query: blocks[at] as usize,
        rows: queries * group,
        first_key: blocks[at + 2] as usize,
        seen_by_first,
        n_keys: seen_by_first + queries - 1,
    }
}
