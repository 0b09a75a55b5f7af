//! Which cube computes which queries: a table that is made once for a batch.

use super::shape::Shape;
use crate::varlen_attention::VarlenLayout;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use cubecl::server::Handle;
use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Numbers of one block in the table: the first query, how many there are, the
/// first key, and how many keys the first query sees.
pub(super) const FIELDS: usize = 4;

/// The table of one layout, on the device that asked for it first.
#[derive(Clone, Default)]
pub(crate) struct OnDevice(Arc<OnceLock<Box<dyn Any + Send + Sync>>>);

impl fmt::Debug for OnDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnDevice").finish_non_exhaustive()
    }
}

/// Blocks of queries, on a device.
pub(super) struct Blocks<R: CubeRuntime> {
    memory: Handle,
    device: R::Device,
    /// Queries in a block, at most.
    queries: usize,
    /// How many blocks there are.
    pub count: usize,
}

impl<R: CubeRuntime> Blocks<R> {
    /// What a kernel reads.
    pub fn into_array_arg(self) -> ArrayArg<R> {
        // Safety: the memory was made of so many numbers.
        unsafe { ArrayArg::from_raw_parts(self.memory, self.count * FIELDS) }
    }

    /// The same for a kernel in CUDA C++.
    pub fn memory(&self) -> Handle {
        self.memory.clone()
    }
}

impl<R: CubeRuntime> Clone for Blocks<R> {
    fn clone(&self) -> Self {
        let (memory, device) = (self.memory.clone(), self.device.clone());
        Self { memory, device, queries: self.queries, count: self.count }
    }
}

/// Blocks of so many `queries` on the device of `q`, copied there by the first
/// layer that asks.
pub(super) fn blocks<R: CubeRuntime>(
    layout: &VarlenLayout,
    q: &CubeTensor<R>,
    queries: usize,
) -> Blocks<R> {
    let copy = || {
        let table = table(layout, queries);
        let memory = q.client.create_from_slice(u32::as_bytes(&table));
        Blocks::<R> { memory, device: q.device.clone(), queries, count: table.len() / FIELDS }
    };
    let known = layout.on_device.0.get_or_init(|| Box::new(copy()));
    match known.downcast_ref::<Blocks<R>>() {
        Some(known) if known.queries == queries && known.device == q.device => known.clone(),
        // Another device, or heads in other groups.
        _ => copy(),
    }
}

/// Blocks never span sequences, so a text is computed the same way in any
/// batch. Those with the most keys come first: the device ends with short ones.
fn table(layout: &VarlenLayout, queries: usize) -> Vec<u32> {
    let mut blocks: Vec<[u32; FIELDS]> = layout
        .spans()
        .flat_map(|span| {
            let seen_by_first = span.n_keys - span.n_queries + 1;
            (0..span.n_queries).step_by(queries).map(move |first| {
                let rows = queries.min(span.n_queries - first);
                [span.first_query + first, rows, span.first_key, seen_by_first + first]
                    .map(|number| number as u32)
            })
        })
        .collect();
    blocks.sort_by_key(|&[_, rows, _, seen_by_first]| std::cmp::Reverse(seen_by_first + rows));
    blocks.concat()
}

/// Queries of one sequence with the heads that share a key head.
#[derive(CubeType)]
pub(super) struct Block {
    pub kv_head: usize,
    pub first_query: usize,
    /// Row `r` is query `r / group` of the block, with head `r % group`.
    pub rows: usize,
    pub first_key: usize,
    /// Keys that the first query sees.
    pub seen_by_first: usize,
    /// Keys that the last query sees.
    pub n_keys: usize,
}

#[cube]
pub(super) fn block_of_cube(blocks: &Array<u32>, #[comptime] shape: Shape) -> Block {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stay_within_sequences_and_the_longest_come_first() {
        let layout = VarlenLayout::new(vec![0, 5, 6], vec![0, 5, 9]);
        let expected = [[4, 1, 0, 5], [2, 2, 0, 3], [5, 1, 5, 4], [0, 2, 0, 1]];
        assert_eq!(table(&layout, 2), expected.concat());
    }
}
