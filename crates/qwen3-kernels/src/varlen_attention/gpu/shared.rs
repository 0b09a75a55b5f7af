//! What the units of a cube share.

use super::blocks::Block;
use super::shape::{LANES, ROWS, Shape, UNITS};
use cubecl::prelude::*;

#[derive(CubeType)]
pub(super) struct Shared<N: Size> {
    /// A block of keys, then of their values.
    pub keys: SharedMemory<Vector<f32, N>>,
    /// Of each row, the weights of a block of keys.
    pub weights: SharedMemory<f32>,
    /// Of each row, the largest score that each of its units has.
    pub largest: SharedMemory<f32>,
}

#[cube]
impl<N: Size> Shared<N> {
    pub fn new(#[comptime] shape: Shape) -> Self {
        Shared::<N> {
            keys: SharedMemory::new(comptime!(shape.keys * shape.key_stride())),
            weights: SharedMemory::new(comptime!(ROWS * shape.weights_stride())),
            largest: SharedMemory::new(comptime!(ROWS * LANES)),
        }
    }

    /// A block of keys or values, with zeros for those that no query of this cube
    /// sees: what a neighbour's text has there, NaN perhaps, must not come in.
    pub fn load(
        &mut self,
        rows: &Array<Vector<f32, N>>,
        block: &Block,
        first: usize,
        #[comptime] shape: Shape,
    ) {
        let kv_heads = comptime!(shape.kv_heads);
        let vectors = comptime!(shape.vectors);
        for i in range_stepped(UNIT_POS as usize, comptime!(shape.keys * shape.vectors), UNITS) {
            let (key, d) = (i / vectors, i % vectors);
            let mut vector = Vector::<f32, N>::new(0.0);
            if first + key < block.n_keys {
                let row = (block.first_key + first + key) * kv_heads + block.kv_head;
                vector = rows[row * vectors + d];
            }
            self.keys[key * comptime!(shape.key_stride()) + d] = vector;
        }
    }
}
