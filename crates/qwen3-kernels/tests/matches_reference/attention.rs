//! Attention, for every layout of sequences.

use super::*;
use qwen3_kernels::{VarlenAttention, varlen_attention::reference::varlen_attention};

/// What attention is computed from, of queries, keys and values.
pub fn attention<'a>(
    [q, k, v]: &[Tensor<B, 3>; 3],
    layout: &'a VarlenLayout,
    scale: f64,
    round_to: DType,
) -> VarlenAttention<'a, B> {
    VarlenAttention {
        q: q.clone(),
        k: k.clone(),
        v: v.clone(),
        layout,
        scale,
        round_to,
        strategy: PlainUnits,
    }
}

/// Expects of every set of instructions what the reference computes.
fn check(qkv: &[Tensor<B, 3>; 3], layout: &VarlenLayout, scale: f64) {
    let expected = varlen_attention(attention(qkv, layout, scale, DType::F32));
    with_each_isa(|_| {
        for (round_to, tolerance) in ROUND_TO {
            let found = B::varlen_attention(attention(qkv, layout, scale, round_to));
            assert_close(found, expected.clone(), tolerance);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn attention_matches_the_reference(
        lengths in prop::collection::vec(prop::sample::select(LENGTHS.to_vec()), 1..6),
        kv_heads in 1usize..3, group in 1usize..4, width in prop::sample::select(vec![2usize, 16, 24]),
        only_last: bool, seed: u64,
    ) {
        let tokens: usize = lengths.iter().sum();
        let queries = if only_last { lengths.len() } else { tokens };
        let layout = match only_last {
            true => VarlenLayout::new((0..=lengths.len()).collect(), bounds(&lengths)),
            false => layout(&lengths),
        };
        let q = random([queries, kv_heads * group, width], seed) * 3.0;
        let k = random([tokens, kv_heads, width], seed ^ 1);
        let v = random([tokens, kv_heads, width], seed ^ 2);
        check(&[q, k, v], &layout, 0.3);
    }
}

/// With two query heads for each of the key and value heads, 16 numbers wide.
fn check_attention(lengths: &[usize], kv_heads: usize) {
    let tokens = lengths.iter().sum();
    let q = random([tokens, 2 * kv_heads, 16], 1);
    let (k, v) = (random([tokens, kv_heads, 16], 2), random([tokens, kv_heads, 16], 3));
    check(&[q, k, v], &layout(lengths), 0.25);
}

#[test]
fn attention_over_several_blocks_of_keys_matches_the_reference() {
    check_attention(&[257, 1, 600], 2);
}

#[test]
fn attention_of_every_length_matches_the_reference_alone_and_among_others() {
    check_attention(&LENGTHS, 2);
    LENGTHS.into_iter().for_each(|length| check_attention(&[length], 2));
}

#[test]
fn attention_of_a_long_sequence_matches_the_reference() {
    check_attention(&[4097], 1);
}

/// A text's vector doesn't depend on its batch: to the last bit.
#[test]
fn attention_is_the_same_alone_and_among_others() {
    let lengths = [40, 300, 7];
    let tokens = lengths.iter().sum();
    let qkv = [(4, 1), (2, 2), (2, 3)].map(|(heads, seed)| random([tokens, heads, 16], seed));
    with_each_isa(|isa| {
        for (round_to, _) in ROUND_TO {
            let attended = |qkv: &[Tensor<B, 3>; 3], lengths: &[usize]| {
                B::varlen_attention(attention(qkv, &layout(lengths), 0.25, round_to))
            };
            let together = attended(&qkv, &lengths);
            let mut first = 0;
            for length in lengths {
                let own = |x: &Tensor<B, 3>| x.clone().narrow(0, first, length);
                let alone = values(attended(&qkv.each_ref().map(own), &[length]));
                assert_eq!(alone, values(own(&together)), "{isa} {round_to:?}, {length} tokens");
                first += length;
            }
        }
    });
}

/// What a textbook says, with a loop for everything.
fn naive_attention(q: &[f32], k: &[f32], v: &[f32], lengths: &[usize], scale: f64) -> Vec<f32> {
    const HEADS: usize = 4;
    const KV_HEADS: usize = 2;
    const WIDTH: usize = 8;
    let mut output = vec![0.0; q.len()];
    let mut first = 0;
    for &length in lengths {
        for (query, head) in (0..length).flat_map(|i| (0..HEADS).map(move |head| (i, head))) {
            let at = ((first + query) * HEADS + head) * WIDTH;
            let kv = |key: usize| ((first + key) * KV_HEADS + head / (HEADS / KV_HEADS)) * WIDTH;
            let dot = |key: usize| -> f64 {
                (0..WIDTH).map(|d| f64::from(q[at + d]) * f64::from(k[kv(key) + d])).sum()
            };
            let weights: Vec<f64> = (0..=query).map(|key| (dot(key) * scale).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for d in 0..WIDTH {
                let terms = weights.iter().enumerate();
                let value: f64 = terms.map(|(key, w)| w / sum * f64::from(v[kv(key) + d])).sum();
                output[at + d] = value as f32;
            }
        }
        first += length;
    }
    output
}

#[test]
fn both_attentions_match_the_textbook() {
    // Equal neighbours are grouped by the reference: the mask must survive it.
    let lengths = [3, 5, 5, 1, 1, 40];
    let tokens = lengths.iter().sum();
    let qkv = [(4, 1), (2, 2), (2, 3)].map(|(heads, seed)| random([tokens, heads, 8], seed));
    let [q, k, v] = qkv.clone().map(values);
    let expected = naive_attention(&q, &k, &v, &lengths, 0.7);
    let expected =
        Tensor::<B, 3>::from_data(TensorData::new(expected, qkv[0].dims()), &Default::default());
    let layout = layout(&lengths);
    let attention = || attention(&qkv, &layout, 0.7, DType::F32);
    assert_close(varlen_attention(attention()), expected.clone(), ATTENTION);
    assert_close(B::varlen_attention(attention()), expected, ATTENTION);
}
