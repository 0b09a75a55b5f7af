//! Attention on CubeCL backends. A cube takes a block of queries of one
//! sequence and one key head, and goes through the keys a block at a time with
//! a running softmax (Dao et al. 2022, arXiv:2205.14135), so that no more than
//! a block of scores exists at a time.

mod blocks;

use super::VarlenLayout;
use crate::cube::{cube_count, empty, vector_size};
pub(crate) use blocks::OnDevice;
use blocks::{Blocks, FIELDS};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

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
/// A score that must not count. Finite, because `-inf - -inf` is NaN; `exp` of
/// it is exactly 0.
const MASKED: f32 = -1e30;

/// The heads that a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Heads {
    kv_heads: usize,
    /// Query heads that share a key head.
    group: usize,
    /// Numbers of a head.
    width: usize,
}

/// See [`crate::varlen_attention()`]; without a prefix.
pub(crate) fn varlen_attention<R: CubeRuntime>(
    q: CubeTensor<R>,
    k: CubeTensor<R>,
    v: CubeTensor<R>,
    layout: &VarlenLayout,
    scale: f64,
) -> CubeTensor<R> {
    let [queries, query_heads, width] = q.meta.shape().dims();
    let [_, kv_heads, _] = k.meta.shape().dims();
    assert_eq!(k.meta.shape(), v.meta.shape(), "varlen_attention: a value for every key");
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
    let heads = Heads { kv_heads, group, width };
    launch([q, k, v], blocks, &output, scale, heads);
    output
}

fn launch<R: CubeRuntime>(
    [q, k, v]: [CubeTensor<R>; 3],
    blocks: Blocks<R>,
    output: &CubeTensor<R>,
    scale: f64,
    heads: Heads,
) {
    let size = vector_size(heads.width);
    let limit = output.client.properties().hardware.max_shared_memory_size.min(MAX_SHARED_BYTES);
    let keys = [32, 16, 8].into_iter().find(|&keys| shared_bytes(heads, size, keys) <= limit);
    let keys = keys.expect("heads are at most 256 wide, and WebGPU grants 16 KiB");
    attend::launch::<R>(
        &output.client,
        cube_count(blocks.count * heads.kv_heads),
        CubeDim::new_1d(UNITS as u32),
        size,
        q.into_array_arg(),
        k.into_array_arg(),
        v.into_array_arg(),
        blocks.into_array_arg(),
        output.clone().into_array_arg(),
        scale as f32,
        heads,
        keys,
    );
}

/// Shared memory: a block of keys or values whose rows end with a gap of a
/// vector (so that units read different banks), the weights, and the largest
/// score of each unit's rows.
fn shared_bytes(heads: Heads, vector_size: usize, keys: usize) -> usize {
    let numbers = keys * (heads.width + vector_size) + ROWS * (keys + 1) + ROWS * LANES;
    numbers * size_of::<f32>()
}

/// Row `r` of a cube is query `r / group` of its block, with head `r % group`.
#[cube(launch)]
#[allow(clippy::too_many_arguments)]
fn attend<N: Size>(
    q: &Array<Vector<f32, N>>,
    k: &Array<Vector<f32, N>>,
    v: &Array<Vector<f32, N>>,
    blocks: &Array<u32>,
    output: &mut Array<Vector<f32, N>>,
    scale: f32,
    #[comptime] heads: Heads,
    #[comptime] keys: usize,
) {
    let kv_heads = comptime!(heads.kv_heads);
    let group = comptime!(heads.group);
    let size = N::value();
    let vectors = comptime!(heads.width / size);
    let stride = comptime!(vectors + 1);
    let weights_stride = comptime!(keys + 1);
    let unit_keys = comptime!(keys / LANES);
    let unit_vectors = comptime!(vectors.div_ceil(LANES));
    let is_even = comptime!(vectors.is_multiple_of(LANES));

    let block = CUBE_POS / kv_heads;
    if block * FIELDS >= blocks.len() {
        terminate!();
    }
    let kv_head = CUBE_POS % kv_heads;
    let first_query = blocks[block * FIELDS] as usize;
    let rows = blocks[block * FIELDS + 1] as usize * group;
    let first_key = blocks[block * FIELDS + 2] as usize;
    let seen_by_first = blocks[block * FIELDS + 3] as usize;
    // What the last query sees.
    let n_keys = seen_by_first + rows / group - 1;

    let unit = UNIT_POS as usize;
    let lane = unit % LANES;
    let first_row = unit / LANES;

    let mut at = Array::<usize>::new(UNIT_ROWS);
    let mut seen = Array::<usize>::new(UNIT_ROWS);
    let mut largest = Array::<f32>::new(UNIT_ROWS);
    let mut sums = Array::<f32>::new(UNIT_ROWS);
    let mut attended = Array::<Vector<f32, N>>::new(comptime!(UNIT_ROWS * unit_vectors));
    #[unroll]
    for i in 0..UNIT_ROWS {
        // Rows beyond the block compute its last one, and are not written.
        let row = min(first_row + i * ROW_UNITS, rows - 1);
        let query = row / group;
        let head = ((first_query + query) * kv_heads + kv_head) * group + row % group;
        at[i] = head * vectors;
        seen[i] = seen_by_first + query;
        largest[i] = f32::new(MASKED);
        sums[i] = f32::new(0.0);
        #[unroll]
        for j in 0..unit_vectors {
            attended[i * unit_vectors + j] = Vector::new(0.0);
        }
    }

    let mut memory = SharedMemory::<Vector<f32, N>>::new(comptime!(keys * stride));
    let mut weights = SharedMemory::<f32>::new(comptime!(ROWS * weights_stride));
    let mut largest_of_units = SharedMemory::<f32>::new(comptime!(ROWS * LANES));
    let mut scores = Array::<f32>::new(comptime!(UNIT_ROWS * unit_keys));
    let mut query = Array::<Vector<f32, N>>::new(UNIT_ROWS);

    // Blocks of keys begin where the sequence does, so that a text's sums are
    // made in the same order in any batch.
    for first in range_stepped(0, n_keys, keys) {
        load::<N>(k, &mut memory, first_key, first, n_keys, kv_head, heads, keys);
        sync_cube();
        #[unroll]
        for i in 0..comptime!(UNIT_ROWS * unit_keys) {
            scores[i] = f32::new(0.0);
        }
        for d in 0..vectors {
            #[unroll]
            for i in 0..UNIT_ROWS {
                query[i] = q[at[i] + d];
            }
            #[unroll]
            for j in 0..unit_keys {
                let key = memory[(lane + j * LANES) * stride + d];
                #[unroll]
                for i in 0..UNIT_ROWS {
                    let query = query[i];
                    let mut score = scores[i * unit_keys + j];
                    #[unroll]
                    for n in 0..N::value() {
                        score = fma(query[n], key[n], score);
                    }
                    scores[i * unit_keys + j] = score;
                }
            }
        }
        #[unroll]
        for i in 0..UNIT_ROWS {
            let mut largest = f32::new(MASKED);
            #[unroll]
            for j in 0..unit_keys {
                let is_seen = first + lane + j * LANES < seen[i];
                let score = select(is_seen, scores[i * unit_keys + j] * scale, f32::new(MASKED));
                scores[i * unit_keys + j] = score;
                largest = max(largest, score);
            }
            largest_of_units[(first_row + i * ROW_UNITS) * LANES + lane] = largest;
        }
        sync_cube();

        // Nobody reads the keys any more.
        load::<N>(v, &mut memory, first_key, first, n_keys, kv_head, heads, keys);
        #[unroll]
        for i in 0..UNIT_ROWS {
            let row = first_row + i * ROW_UNITS;
            let before = largest[i];
            let mut now = before;
            #[unroll]
            for j in 0..LANES {
                now = max(now, largest_of_units[row * LANES + j]);
            }
            largest[i] = now;
            #[unroll]
            for j in 0..unit_keys {
                weights[row * weights_stride + lane + j * LANES] =
                    f32::exp(scores[i * unit_keys + j] - now);
            }
            let shrink = f32::exp(before - now);
            sums[i] *= shrink;
            #[unroll]
            for j in 0..unit_vectors {
                attended[i * unit_vectors + j] *= Vector::new(shrink);
            }
        }
        sync_cube();

        for key in 0..keys {
            #[unroll]
            for i in 0..UNIT_ROWS {
                let weight = weights[(first_row + i * ROW_UNITS) * weights_stride + key];
                sums[i] += weight;
                #[unroll]
                for j in 0..unit_vectors {
                    let d = lane + j * LANES;
                    if is_even || d < vectors {
                        let value = memory[key * stride + d];
                        let sum = attended[i * unit_vectors + j];
                        attended[i * unit_vectors + j] = fma(Vector::new(weight), value, sum);
                    }
                }
            }
        }
        sync_cube();
    }

    #[unroll]
    for i in 0..UNIT_ROWS {
        if first_row + i * ROW_UNITS < rows {
            #[unroll]
            for j in 0..unit_vectors {
                let d = lane + j * LANES;
                if is_even || d < vectors {
                    output[at[i] + d] = attended[i * unit_vectors + j] / Vector::new(sums[i]);
                }
            }
        }
    }
}

/// A block of keys or values, with zeros for those that no query of this cube
/// sees: what a neighbour's text has there, NaN perhaps, must not come in.
#[cube]
fn load<N: Size>(
    rows: &Array<Vector<f32, N>>,
    memory: &mut SharedMemory<Vector<f32, N>>,
    first_key: usize,
    first: usize,
    n_keys: usize,
    kv_head: usize,
    #[comptime] heads: Heads,
    #[comptime] keys: usize,
) {
    let kv_heads = comptime!(heads.kv_heads);
    let size = N::value();
    let vectors = comptime!(heads.width / size);
    for i in range_stepped(UNIT_POS as usize, comptime!(keys * vectors), UNITS) {
        let (key, d) = (i / vectors, i % vectors);
        let mut vector = Vector::<f32, N>::new(0.0);
        if first + key < n_keys {
            vector = rows[((first_key + first + key) * kv_heads + kv_head) * vectors + d];
        }
        memory[key * comptime!(vectors + 1) + d] = vector;
    }
}
