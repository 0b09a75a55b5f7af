//! The gradient of attention on Burn Flex: sequences in parallel, row by row of
//! the scores, of which no more than one row exists.

use super::{Span, VarlenAttention};
use crate::cpu::buffers;
use crate::cpu::isa::Isa;
use crate::cpu::softmax::{exp_in_place, max};
use crate::cpu::vectorized::vectorized;
use crate::linear::cpu::contiguous;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;
use rayon::prelude::*;

/// See [`crate::Gradients::varlen_attention_gradient`]; the formula is at
/// [`super::gradient::varlen_attention`].
pub(crate) fn varlen_attention(
    attention: VarlenAttention<Flex>,
    output: Tensor<Flex, 3>,
) -> [Tensor<Flex, 3>; 3] {
    attention.assert_shapes();
    let VarlenAttention { q, k, v, layout, scale, .. } = attention;
    let ([n_queries, heads, width], [n_keys, kv_heads, _]) = (q.dims(), k.dims());
    let [q, k, v, output] = [q, k, v, output].map(contiguous);
    let mut gradients = [
        buffers::tensor([n_queries, heads, width]),
        buffers::tensor([n_keys, kv_heads, width]),
        buffers::tensor([n_keys, kv_heads, width]),
    ];
    let spans: Vec<Span> = layout.spans().collect();
    let [of_q, of_k, of_v] = gradients.each_mut().map(|x| x.storage_mut::<f32>());
    let of_q = cut(of_q, spans.iter().map(|span| span.n_queries * heads * width));
    let of_k = cut(of_k, spans.iter().map(|span| span.n_keys * kv_heads * width));
    let of_v = cut(of_v, spans.iter().map(|span| span.n_keys * kv_heads * width));
    let isa = Isa::best();
    let shape = Shape { heads, kv_heads, width, scale: scale as f32 };
    let [q, k, v, output] = [&q, &k, &v, &output].map(|x| x.storage::<f32>());
    let work = spans.into_par_iter().zip(of_q).zip(of_k.into_par_iter().zip(of_v));
    work.for_each(|((span, of_q), (of_k, of_v))| {
        let queries = span.first_query * heads * width..;
        let keys = span.first_key * kv_heads * width..;
        let q = &q[queries.clone()][..of_q.len()];
        let output = &output[queries][..of_q.len()];
        let (k, v) = (&k[keys.clone()][..of_k.len()], &v[keys][..of_k.len()]);
        of_sequence(isa, [q, k, v, output], [of_q, of_k, of_v], shape);
    });
    gradients.map(|x| Tensor::from_primitive(TensorPrimitive::Float(x)))
}

/// Consecutive pieces of these lengths.
fn cut(mut whole: &mut [f32], lengths: impl Iterator<Item = usize>) -> Vec<&mut [f32]> {
    let pieces = lengths.map(|length| whole.split_off_mut(..length).expect("all of the rows"));
    pieces.collect()
}

#[derive(Clone, Copy)]
struct Shape {
    heads: usize,
    kv_heads: usize,
    width: usize,
    scale: f32,
}

vectorized! {
    /// `inputs`: `q`, `k`, `v` and the gradient of the output of one sequence.
    fn of_sequence(inputs: [&[f32]; 4], gradients: [&mut [f32]; 3], shape: Shape) {
        let [q, k, v, output] = inputs;
        let [of_q, of_k, of_v] = gradients;
        let Shape { heads, kv_heads, width, scale } = shape;
        let (q_row, k_row, group) = (heads * width, kv_heads * width, heads / kv_heads);
        let (n_queries, n_keys) = (q.len() / q_row, k.len() / k_row);
        of_k.fill(0.0);
        of_v.fill(0.0);
        let mut weights = vec![0f32; n_keys];
        let mut slopes = vec![0f32; n_keys];
        for query in 0..n_queries {
            let seen = n_keys - n_queries + query + 1;
            let (weights, slopes) = (&mut weights[..seen], &mut slopes[..seen]);
            for head in 0..heads {
                let at = query * q_row + head * width;
                let (q, output) = (&q[at..at + width], &output[at..at + width]);
                let of_q = &mut of_q[at..at + width];
                let first = head / group * width;
                let key = |key: usize| first + key * k_row..first + key * k_row + width;
                for (index, (weight, slope)) in weights.iter_mut().zip(&mut *slopes).enumerate() {
                    *weight = dot(q, &k[key(index)]) * scale;
                    *slope = dot(output, &v[key(index)]);
                }
                let largest = max(weights, f32::NEG_INFINITY);
                let sum = exp_in_place(weights, largest);
                weights.iter_mut().for_each(|weight| *weight /= sum);
                let along = dot(weights, slopes);
                of_q.fill(0.0);
                for (index, (&weight, &slope)) in weights.iter().zip(&*slopes).enumerate() {
                    let of_score = weight * (slope - along) * scale;
                    add(of_q, of_score, &k[key(index)]);
                    add(&mut of_k[key(index)], of_score, q);
                    add(&mut of_v[key(index)], weight, output);
                }
            }
        }
    }
}

/// Independent partial sums.
const LANES: usize = 16;

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest: f32 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.into_iter().sum::<f32>() + rest
}

/// `y + factor · x`
#[inline(always)]
fn add(y: &mut [f32], factor: f32, x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y += factor * x);
}
