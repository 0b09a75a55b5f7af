//! Attention in plain Burn operations, a block of queries at a time.

use super::{Span, VarlenAttention};
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
    let spans: Vec<Span> = layout.spans().collect();
    // Neighbours of one shape are computed together: batches come sorted by length.
    let same_shape = |a: &Span, b: &Span| (a.n_queries, a.n_keys) == (b.n_queries, b.n_keys);
    let outputs = spans
        .chunk_by(same_shape)
        .flat_map(|alike| {
            let scores = heads * alike[0].n_keys;
            alike.chunks((MAX_SCORES / scores).max(1))
        })
        .map(|alike| attend([&q, &k, &v], alike, scale))
        .collect();
    Tensor::cat(outputs, 0) // [Tq, H, D]
}

/// Attention of `n` neighbouring sequences of the same shape: `[n·Lq, H, D]`.
fn attend<B: Backend>([q, k, v]: [&Tensor<B, 3>; 3], alike: &[Span], scale: f64) -> Tensor<B, 3> {
    let (n, span) = (alike.len(), alike[0]);
    let [_, heads, width] = q.dims();
    let [_, kv_heads, _] = k.dims();
    let group = heads / kv_heads;

    let q = q.clone().narrow(0, span.first_query, n * span.n_queries);
    let q = q.reshape([n, span.n_queries, kv_heads, group, width]);
    let q = q.permute([0, 2, 3, 1, 4]); // [n, K, H/K, Lq, D]
    let own = |rows: &Tensor<B, 3>| {
        let rows = rows.clone().narrow(0, span.first_key, n * span.n_keys);
        rows.reshape([n, span.n_keys, kv_heads, width]).swap_dims(1, 2)
    };
    let (k, v) = (own(k), own(v)); // [n, K, Lk, D]
    let n_keys = span.n_keys;
    // The first query of this sequence sees all keys but those of later queries.
    let seen_by_first = n_keys - span.n_queries + 1;

    let block = (MAX_SCORES / (n * heads * n_keys)).clamp(1, span.n_queries);
    let blocks = (0..span.n_queries)
        .step_by(block)
        .map(|first| {
            let rows = block.min(span.n_queries - first);
            let seen = seen_by_first + first + rows - 1;
            let q = q.clone().narrow(3, first, rows).reshape([n, kv_heads, group * rows, width]);
            let k = k.clone().narrow(2, 0, seen).swap_dims(2, 3);
            let v = v.clone().narrow(2, 0, seen);
            let scores = q.matmul(k) * scale; // [n, K, H/K·rows, seen]
            let scores = match rows {
                1 => scores,
                _ => {
                    let mask = causal_mask::<B>(rows, seen, &scores.device()); // [rows, seen]
                    let shape = scores.dims();
                    let scores = scores.reshape([n * heads, rows, seen]) + mask.unsqueeze();
                    scores.reshape(shape)
                }
            };
            let attended = activation::softmax(scores, 3).matmul(v);
            attended.reshape([n, heads, rows, width])
        })
        .collect();
    let attended: Tensor<B, 4> = Tensor::cat(blocks, 2); // [n, H, Lq, D]
    attended.swap_dims(1, 2).reshape([n * span.n_queries, heads, width])
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
