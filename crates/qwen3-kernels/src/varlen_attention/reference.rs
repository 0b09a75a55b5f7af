//! Attention in plain Burn operations, a block of queries at a time.

use super::{SharedPrefix, Span, VarlenLayout};
use burn::tensor::{Int, Tensor, activation, backend::Backend};

/// Scores that exist at one time: 64 MiB in float32.
const MAX_SCORES: usize = 1 << 24;
/// Added to a score that must not count. Finite, because `-inf - -inf` is NaN;
/// `exp` of it is exactly 0.
const MASKED: f64 = -1e30;

/// See [`crate::varlen_attention()`].
pub fn varlen_attention<B: Backend>(
    q: Tensor<B, 3>,
    k: Tensor<B, 3>,
    v: Tensor<B, 3>,
    layout: &VarlenLayout,
    prefix: Option<&SharedPrefix<B>>,
    scale: f64,
) -> Tensor<B, 3> {
    let [_, heads, _] = q.dims();
    let prefix_keys = prefix.map_or(0, |prefix| prefix.k.dims()[0]);
    let spans: Vec<Span> = layout.spans().collect();
    // Neighbours of one shape are computed together: batches come sorted by length.
    let same_shape = |a: &Span, b: &Span| (a.n_queries, a.n_keys) == (b.n_queries, b.n_keys);
    let outputs = spans
        .chunk_by(same_shape)
        .flat_map(|alike| {
            let scores = heads * (prefix_keys + alike[0].n_keys);
            alike.chunks((MAX_SCORES / scores).max(1))
        })
        .map(|alike| attend(&q, &k, &v, alike, prefix, scale))
        .collect();
    Tensor::cat(outputs, 0) // [Tq, H, D]
}

/// Attention of `n` neighbouring sequences of the same shape: `[n·Lq, H, D]`.
fn attend<B: Backend>(
    q: &Tensor<B, 3>,
    k: &Tensor<B, 3>,
    v: &Tensor<B, 3>,
    alike: &[Span],
    prefix: Option<&SharedPrefix<B>>,
    scale: f64,
) -> Tensor<B, 3> {
    let (n, span) = (alike.len(), alike[0]);
    let [_, heads, width] = q.dims();
    let [_, kv_heads, _] = k.dims();
    let group = heads / kv_heads;

    let q = q.clone().narrow(0, span.first_query, n * span.n_queries);
    let q = q.reshape([n, span.n_queries, kv_heads, group, width]);
    let q = q.permute([0, 2, 3, 1, 4]); // [n, K, H/K, Lq, D]
    let k = with_prefix(k, span, n, prefix.map(|prefix| &prefix.k)); // [n, K, P+Lk, D]
    let v = with_prefix(v, span, n, prefix.map(|prefix| &prefix.v));
    let n_keys = k.dims()[2];
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

/// Keys (or values) of the sequences as `[n, K, P+Lk, D]`.
fn with_prefix<B: Backend>(
    keys: &Tensor<B, 3>,
    span: Span,
    n: usize,
    prefix: Option<&Tensor<B, 3>>,
) -> Tensor<B, 4> {
    let [_, kv_heads, width] = keys.dims();
    let keys = keys.clone().narrow(0, span.first_key, n * span.n_keys);
    let keys = keys.reshape([n, span.n_keys, kv_heads, width]).swap_dims(1, 2);
    match prefix {
        None => keys,
        Some(prefix) => {
            let prefix = prefix.clone().swap_dims(0, 1).unsqueeze::<4>().repeat_dim(0, n);
            Tensor::cat(vec![prefix, keys], 2)
        }
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
