//! The gradient of attention in plain Burn operations, a block of queries at a time.

use super::VarlenAttention;
use super::reference::Alike;
use burn::tensor::{Tensor, backend::Backend};

/// With `P` the weights of attention, `O = P · V` and `dO` the gradient of `O`
/// (Dao et al. 2022, arXiv:2205.14135, appendix B.2):
///
/// ```text
///   dV = Pᵀ · dO
///   dS = P ∘ (dO · Vᵀ − the sum of P ∘ (dO · Vᵀ) over its row)
///   dQ = scale · dS · K
///   dK = scale · dSᵀ · Q
/// ```
///
/// See [`crate::Gradients::varlen_attention_gradient`].
pub fn varlen_attention<B: Backend>(
    attention: VarlenAttention<B>,
    output: Tensor<B, 3>,
) -> [Tensor<B, 3>; 3] {
    attention.assert_shapes();
    let heads = attention.q.dims()[1];
    let mut of_each = [vec![], vec![], vec![]];
    for alike in Alike::all(attention.layout, heads) {
        let gradients = of_alike(&alike, &attention, &output);
        of_each.iter_mut().zip(gradients).for_each(|(all, some)| all.push(some));
    }
    of_each.map(|all| Tensor::cat(all, 0))
}

/// The rows of sequences of one shape.
fn of_alike<B: Backend>(
    alike: &Alike,
    attention: &VarlenAttention<B>,
    output: &Tensor<B, 3>,
) -> [Tensor<B, 3>; 3] {
    let VarlenAttention { q, k, v, scale, .. } = attention;
    let (heads, kv_heads) = (q.dims()[1], k.dims()[1]);
    let (q, output) = (alike.queries(q, kv_heads), alike.queries(output, kv_heads));
    let (k, v) = (alike.keys(k), alike.keys(v));
    let mut of_queries = vec![];
    let mut of_keys_and_values: Option<[Tensor<B, 4>; 2]> = None;
    for block in alike.blocks(heads) {
        let (q, output) = (block.queries(&q), block.queries(&output)); // [n, K, H/K·rows, D]
        let (k, seen_v) = (block.keys(&k), block.keys(&v)); // [n, K, seen, D]
        let weights = block.weights(q.clone(), k.clone(), *scale);
        let of_v = weights.clone().swap_dims(2, 3).matmul(output.clone());
        let of_weights = weights.clone() * output.matmul(seen_v.swap_dims(2, 3));
        let along = of_weights.clone().sum_dim(3);
        let of_scores = (of_weights - weights * along) * *scale;
        let of_k = of_scores.clone().swap_dims(2, 3).matmul(q);
        of_queries.push(block.by_head(of_scores.matmul(k), heads));
        let of_block = [of_k, of_v].map(|seen| with_unseen(seen, &v));
        of_keys_and_values = Some(match of_keys_and_values {
            None => of_block,
            Some([k, v]) => {
                let [of_k, of_v] = of_block;
                [k + of_k, v + of_v]
            }
        });
    }
    let [of_k, of_v] = of_keys_and_values.expect("a sequence has a query");
    [Tensor::cat(of_queries, 2), of_k, of_v].map(|x| alike.in_order(x))
}

/// `[n, K, seen, D]` and zeros for later keys, in the shape of `all`.
fn with_unseen<B: Backend>(seen: Tensor<B, 4>, all: &Tensor<B, 4>) -> Tensor<B, 4> {
    let [n, heads, rows, width] = seen.dims();
    match all.dims()[2] - rows {
        0 => seen,
        unseen => {
            let zeros = Tensor::zeros([n, heads, unseen, width], &seen.device());
            Tensor::cat(vec![seen, zeros], 2)
        }
    }
}
