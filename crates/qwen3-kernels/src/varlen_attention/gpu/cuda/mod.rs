//! Attention with the tensor cores of NVIDIA GPUs, in bfloat16.

use super::blocks::blocks;
use crate::gpu::cuda::{Arguments, COMMON, ENTRY, Source, defines, launch};
use crate::gpu::{empty, rounded_both};
use crate::varlen_attention::VarlenLayout;
use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use std::f64::consts::LOG2_E;

/// Queries times heads of a block.
const ROWS: usize = 128;
/// Keys of a step.
const KEYS: usize = 64;

/// The kernel, for heads of this width.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Attention {
    width: usize,
}

impl Source for Attention {
    fn code(&self) -> String {
        let constants = [("FLOAT16", 0), ("WIDTH", self.width), ("ROWS", ROWS), ("KEYS", KEYS)];
        let kernel = include_str!("attention.cu");
        format!("#define ENTRY {ENTRY}\n{}{COMMON}{kernel}", defines(&constants))
    }

    fn threads(&self) -> u32 {
        ROWS as u32
    }

    /// The queries, and a step of keys and of values.
    fn shared_bytes(&self) -> usize {
        (ROWS + 2 * KEYS) * self.width * 2
    }
}

/// Whether attention is computed so, with heads of this width, so many to a key head.
pub(super) fn takes(round_to: DType, width: usize, group: usize) -> bool {
    // In float16 values could overflow.
    round_to == DType::BF16 && [16, 32, 64, 128].contains(&width) && group <= ROWS
}

/// See [`crate::Kernels::varlen_attention`].
pub(super) fn varlen_attention<R: CubeRuntime>(
    [q, k, v]: [CubeTensor<R>; 3],
    layout: &VarlenLayout,
    scale: f64,
) -> CubeTensor<R> {
    let [queries, query_heads, width] = q.meta.shape().dims();
    let [_, kv_heads, _] = k.meta.shape().dims();
    let group = query_heads / kv_heads;
    let blocks = blocks(layout, &q, ROWS / group);
    let output = empty(&q, [queries, query_heads, width], DType::BF16);
    let [k, v] = rounded_both([k, v], DType::BF16);
    let buffers = [q.handle, k.handle, v.handle, blocks.memory(), output.handle.clone()];
    let arguments = Arguments {
        maps: vec![],
        buffers: buffers.map(|buffer| buffer.binding()).into(),
        words: vec![
            group as u32,
            kv_heads as u32,
            // The kernel takes powers of 2.
            ((scale * LOG2_E) as f32).to_bits(),
        ],
    };
    launch(&output.client, Attention { width }, blocks.count * kv_heads, arguments);
    output
}
