//! The rows of scores of one unit, and their running softmax.

use super::blocks::Block;
use super::shape::{LANES, ROW_UNITS, Shape, UNIT_ROWS};
use super::shared::Shared;
use cubecl::prelude::*;

/// A score that must not count. Finite, because `-inf - -inf` is NaN; `exp` of
/// it is exactly 0.
const MASKED: f32 = -1e30;

/// Every [`ROW_UNITS`]th row of the cube, shared with the other [`LANES`].
#[derive(CubeType)]
pub(super) struct UnitRows<N: Size> {
    /// Which of the units that share rows this is.
    lane: usize,
    first_row: usize,
    /// Where each row begins in queries and output.
    at: Array<usize>,
    /// Keys that it sees.
    seen: Array<usize>,
    /// Scores of this lane's keys of a block.
    scores: Array<f32>,
    /// The largest score so far.
    largest: Array<f32>,
    /// The sum of `exp(score - largest)` so far.
    sums: Array<f32>,
    /// This lane's vectors of the weighted values, not yet divided by the sum.
    attended: Array<Vector<f32, N>>,
}

#[cube]
impl<N: Size> UnitRows<N> {
    pub fn new(block: &Block, #[comptime] shape: Shape) -> Self {
        let kv_heads = comptime!(shape.kv_heads);
        let group = comptime!(shape.group);
        let unit_vectors = comptime!(shape.unit_vectors());
        let unit = UNIT_POS as usize;
        let (lane, first_row) = (unit % LANES, unit / LANES);
        let mut at = Array::<usize>::new(UNIT_ROWS);
        let mut seen = Array::<usize>::new(UNIT_ROWS);
        let mut largest = Array::<f32>::new(UNIT_ROWS);
        let mut sums = Array::<f32>::new(UNIT_ROWS);
        let mut attended = Array::<Vector<f32, N>>::new(comptime!(UNIT_ROWS * unit_vectors));
        #[unroll]
        for i in 0..UNIT_ROWS {
            // Rows beyond the block compute its last one, and are not written.
            let row = min(first_row + i * ROW_UNITS, block.rows - 1);
            let query = row / group;
            let head =
                ((block.first_query + query) * kv_heads + block.kv_head) * group + row % group;
            at[i] = head * comptime!(shape.vectors);
            seen[i] = block.seen_by_first + query;
            largest[i] = f32::new(MASKED);
            sums[i] = f32::new(0.0);
            #[unroll]
            for j in 0..unit_vectors {
                attended[i * unit_vectors + j] = Vector::new(0.0);
            }
        }
        let scores = Array::<f32>::new(comptime!(UNIT_ROWS * shape.unit_keys()));
        UnitRows::<N> { lane, first_row, at, seen, scores, largest, sums, attended }
    }

    /// `q · kᵀ` of a block of keys.
    pub fn score(
        &mut self,
        q: &Array<Vector<f32, N>>,
        shared: &Shared<N>,
        #[comptime] shape: Shape,
    ) {
        let unit_keys = comptime!(shape.unit_keys());
        let mut query = Array::<Vector<f32, N>>::new(UNIT_ROWS);
        #[unroll]
        for i in 0..comptime!(UNIT_ROWS * unit_keys) {
            self.scores[i] = f32::new(0.0);
        }
        for d in 0..comptime!(shape.vectors) {
            #[unroll]
            for i in 0..UNIT_ROWS {
                query[i] = q[self.at[i] + d];
            }
            #[unroll]
            for j in 0..unit_keys {
                let key = shared.keys[(self.lane + j * LANES) * comptime!(shape.key_stride()) + d];
                #[unroll]
                for i in 0..UNIT_ROWS {
                    let query = query[i];
                    let mut score = self.scores[i * unit_keys + j];
                    #[unroll]
                    for n in 0..N::value() {
                        score = fma(query[n], key[n], score);
                    }
                    self.scores[i * unit_keys + j] = score;
                }
            }
        }
    }

    /// Scales the scores, leaves out those of later keys, and tells the largest.
    pub fn mask(
        &mut self,
        shared: &mut Shared<N>,
        first: usize,
        scale: f32,
        #[comptime] shape: Shape,
    ) {
        let unit_keys = comptime!(shape.unit_keys());
        #[unroll]
        for i in 0..UNIT_ROWS {
            let mut largest = f32::new(MASKED);
            #[unroll]
            for j in 0..unit_keys {
                let is_seen = first + self.lane + j * LANES < self.seen[i];
                let score = self.scores[i * unit_keys + j] * scale;
                let score = select(is_seen, score, f32::new(MASKED));
                self.scores[i * unit_keys + j] = score;
                largest = max(largest, score);
            }
            shared.largest[(self.first_row + i * ROW_UNITS) * LANES + self.lane] = largest;
        }
    }

    /// Makes weights of the scores, by the largest score so far of all lanes; what was
    /// summed by another one shrinks.
    pub fn weigh(&mut self, shared: &mut Shared<N>, #[comptime] shape: Shape) {
        let unit_keys = comptime!(shape.unit_keys());
        let unit_vectors = comptime!(shape.unit_vectors());
        #[unroll]
        for i in 0..UNIT_ROWS {
            let row = self.first_row + i * ROW_UNITS;
            let before = self.largest[i];
            let mut now = before;
            #[unroll]
            for j in 0..LANES {
                now = max(now, shared.largest[row * LANES + j]);
            }
            self.largest[i] = now;
            #[unroll]
            for j in 0..unit_keys {
                shared.weights[row * comptime!(shape.weights_stride()) + self.lane + j * LANES] =
                    f32::exp(self.scores[i * unit_keys + j] - now);
            }
            let shrink = f32::exp(before - now);
            self.sums[i] *= shrink;
            #[unroll]
            for j in 0..unit_vectors {
                self.attended[i * unit_vectors + j] *= Vector::new(shrink);
            }
        }
    }

    /// Adds the weights of a block of keys, and their values so weighted.
    pub fn add_values(&mut self, shared: &Shared<N>, #[comptime] shape: Shape) {
        let unit_vectors = comptime!(shape.unit_vectors());
        for key in 0..comptime!(shape.keys) {
            #[unroll]
            for i in 0..UNIT_ROWS {
                let at = (self.first_row + i * ROW_UNITS) * comptime!(shape.weights_stride());
                let weight = shared.weights[at + key];
                self.sums[i] += weight;
                #[unroll]
                for j in 0..unit_vectors {
                    let d = self.lane + j * LANES;
                    if is_inside(d, shape) {
                        let value = shared.keys[key * comptime!(shape.key_stride()) + d];
                        let sum = self.attended[i * unit_vectors + j];
                        self.attended[i * unit_vectors + j] = fma(Vector::new(weight), value, sum);
                    }
                }
            }
        }
    }

    /// The weighted values divided by the weights' sum.
    pub fn write(
        &self,
        block: &Block,
        output: &mut Array<Vector<f32, N>>,
        #[comptime] shape: Shape,
    ) {
        let unit_vectors = comptime!(shape.unit_vectors());
        #[unroll]
        for i in 0..UNIT_ROWS {
            if self.first_row + i * ROW_UNITS < block.rows {
                #[unroll]
                for j in 0..unit_vectors {
                    let d = self.lane + j * LANES;
                    if is_inside(d, shape) {
                        let sum = Vector::new(self.sums[i]);
                        let at = self.at[i] + d;
                        output[at] = self.attended[i * unit_vectors + j] / sum;
                    }
                }
            }
        }
    }
}

/// Whether a head has such a vector; the compiler knows where lanes share them evenly.
#[cube]
fn is_inside(d: usize, #[comptime] shape: Shape) -> bool {
    let is_even = comptime!(shape.vectors.is_multiple_of(LANES));
    is_even || d < comptime!(shape.vectors)
}
