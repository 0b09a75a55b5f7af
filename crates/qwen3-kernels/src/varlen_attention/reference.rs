//! Attention in plain Burn operations, a block of queries at a time.

use super::{Span, VarlenAttention, VarlenLayout};
use burn::tensor::{Int, Tensor, activation, backend::Backend};

/// Scores that exist at one time: 64 MiB in float32.
const MAX_SCORES: usize = 1 << 24;
/// Added to a score that must not count. Finite, because `-inf - -inf` is NaN;
/// `exp` of it is exactly 0.
const MASKED: f64 = -1e30;

/// See [`crate::Kernels::varlen_attention`].
pub fn varlen_attention<B: Backend>(attention: VarlenAttention<B>) -> Tensor<B, 3> {
    attention.assert_shapes();
    let VarlenAttention { q, k, v, layout, scale, .. } = attention;
    let [_, heads, _] = q.dims();
    let outputs =
        Alike::all(layout, heads).into_iter().map(|alike| alike.attend([&q, &k, &v], scale));
    Tensor::cat(outputs.collect(), 0) // [Tq, H, D]
}

/// Neighbouring sequences of one shape, which are computed together: batches
/// come sorted by length.
pub(super) struct Alike {
    /// Sequences.
    n: usize,
    /// The first of them.
    span: Span,
}

/// Some queries of each of the sequences.
pub(super) struct Block {
    /// The first of them in its sequence.
    first: usize,
    /// How many they are.
    rows: usize,
    /// How many keys the last of them sees.
    pub seen: usize,
}

impl Alike {
    pub fn all(layout: &VarlenLayout, heads: usize) -> Vec<Self> {
        let spans: Vec<Span> = layout.spans().collect();
        let same_shape = |a: &Span, b: &Span| (a.n_queries, a.n_keys) == (b.n_queries, b.n_keys);
        let alike = spans.chunk_by(same_shape).flat_map(|alike| {
            let scores = heads * alike[0].n_keys;
            alike.chunks((MAX_SCORES / scores).max(1))
        });
        alike.map(|spans| Self { n: spans.len(), span: spans[0] }).collect()
    }

    /// Attention of these sequences: `[n·Lq, H, D]`.
    fn attend<B: Backend>(&self, [q, k, v]: [&Tensor<B, 3>; 3], scale: f64) -> Tensor<B, 3> {
        let [_, heads, _] = q.dims();
        let kv_heads = k.dims()[1];
        let q = self.queries(q, kv_heads);
        let (k, v) = (self.keys(k), self.keys(v));
        let blocks = self.blocks(heads).map(|block| {
            let weights = block.weights(block.queries(&q), block.keys(&k), scale);
            block.by_head(weights.matmul(block.keys(&v)), heads)
        });
        self.in_order(Tensor::cat(blocks.collect(), 2))
    }

    /// Their rows of `[Tq, H, D]`, as `[n, K, H/K, Lq, D]`.
    pub fn queries<B: Backend>(&self, q: &Tensor<B, 3>, kv_heads: usize) -> Tensor<B, 5> {
        let Self { n, span } = *self;
        let [_, heads, width] = q.dims();
        let q = q.clone().narrow(0, span.first_query, n * span.n_queries);
        let q = q.reshape([n, span.n_queries, kv_heads, heads / kv_heads, width]);
        q.permute([0, 2, 3, 1, 4])
    }

    /// Their rows of `[Tk, K, D]`, as `[n, K, Lk, D]`.
    pub fn keys<B: Backend>(&self, rows: &Tensor<B, 3>) -> Tensor<B, 4> {
        let Self { n, span } = *self;
        let [_, kv_heads, width] = rows.dims();
        let rows = rows.clone().narrow(0, span.first_key, n * span.n_keys);
        rows.reshape([n, span.n_keys, kv_heads, width]).swap_dims(1, 2)
    }

    /// `[n, heads, L, D]` as rows of tokens, `[n·L, heads, D]`.
    pub fn in_order<B: Backend>(&self, x: Tensor<B, 4>) -> Tensor<B, 3> {
        let [n, heads, length, width] = x.dims();
        x.swap_dims(1, 2).reshape([n * length, heads, width])
    }

    /// Blocks of queries, so that no more than [`MAX_SCORES`] exist at a time.
    pub fn blocks(&self, heads: usize) -> impl Iterator<Item = Block> + use<> {
        let Span { n_queries, n_keys, .. } = self.span;
        // The first query of a sequence sees all keys but those of later queries.
        let seen_by_first = n_keys - n_queries + 1;
        let block = (MAX_SCORES / (self.n * heads * n_keys)).clamp(1, n_queries);
        (0..n_queries).step_by(block).map(move |first| {
            let rows = block.min(n_queries - first);
            Block { first, rows, seen: seen_by_first + first + rows - 1 }
        })
    }
}

impl Block {
    /// Its queries of `[n, K, H/K, Lq, D]`, as `[n, K, H/K·rows, D]`.
    pub fn queries<B: Backend>(&self, q: &Tensor<B, 5>) -> Tensor<B, 4> {
        let [n, kv_heads, group, _, width] = q.dims();
        let q = q.clone().narrow(3, self.first, self.rows);
        q.reshape([n, kv_heads, group * self.rows, width])
    }

    /// The keys that it sees, of `[n, K, Lk, D]`.
    pub fn keys<B: Backend>(&self, rows: &Tensor<B, 4>) -> Tensor<B, 4> {
        rows.clone().narrow(2, 0, self.seen)
    }

    /// `[n, K, H/K·rows, D]` as `[n, H, rows, D]`.
    pub fn by_head<B: Backend>(&self, x: Tensor<B, 4>, heads: usize) -> Tensor<B, 4> {
        let [n, _, _, width] = x.dims();
        x.reshape([n, heads, self.rows, width])
    }

    /// What each query takes of each key, `[n, K, H/K·rows, seen]`.
    pub fn weights<B: Backend>(
        &self,
        q: Tensor<B, 4>,
        k: Tensor<B, 4>,
        scale: f64,
    ) -> Tensor<B, 4> {
        let scores = q.matmul(k.swap_dims(2, 3)) * scale;
        let scores = match self.rows {
            1 => scores,
            rows => {
                let mask = causal_mask::<B>(rows, self.seen, &scores.device()); // [rows, seen]
                let shape @ [n, kv_heads, group_rows, seen] = scores.dims();
                let every_head = [n * kv_heads * group_rows / rows, rows, seen];
                (scores.reshape(every_head) + mask.unsqueeze()).reshape(shape)
            }
        };
        activation::softmax(scores, 3)
    }
}

/// `[rows, seen]`: 0 where a query may look, a huge negative number where it
/// may not. The last row sees everything.
fn causal_mask<B: Backend>(rows: usize, seen: usize, device: &B::Device) -> Tensor<B, 2> {
    let first = (seen - rows) as i64;
    let queries = Tensor::<B, 1, Int>::arange(first..seen as i64, device).float();
    let keys = Tensor::<B, 1, Int>::arange(0..seen as i64, device).float();
    let later = keys.unsqueeze::<2>() - queries.unsqueeze_dim(1); // > 0: a later token
    later.clamp(0.0, 1.0) * MASKED
}
