//! Attention, for every layout of sequences.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn attention_matches_the_reference(
        lengths in prop::collection::vec(prop::sample::select(LENGTHS.to_vec()), 1..6),
        kv_heads in 1usize..3, group in 1usize..4, width in prop::sample::select(vec![2usize, 16, 24]),
        only_last: bool, prefix in 0usize..40, seed: u64,
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
        let prefix = (prefix > 0).then(|| SharedPrefix {
            k: random([prefix, kv_heads, width], seed ^ 3),
            v: random([prefix, kv_heads, width], seed ^ 4),
        });
        let reference = varlen_attention::reference::varlen_attention::<B>;
        let expected =
            reference(q.clone(), k.clone(), v.clone(), &layout, prefix.as_ref(), 0.3);
        with_each_isa(|_| for (products, tolerance) in PRODUCTS {
            let (q, k, v) = (q.clone(), k.clone(), v.clone());
            let found = varlen_attention(q, k, v, &layout, prefix.as_ref(), 0.3, products);
            assert_close(found, expected.clone(), tolerance);
        });
    }
}

/// With two query heads for each of the key and value heads, 16 numbers wide.
fn check_attention(lengths: &[usize], kv_heads: usize) {
    let tokens = lengths.iter().sum();
    let q = random([tokens, 2 * kv_heads, 16], 1);
    let (k, v) = (random([tokens, kv_heads, 16], 2), random([tokens, kv_heads, 16], 3));
    let layout = layout(lengths);
    let reference = varlen_attention::reference::varlen_attention::<B>;
    let expected = reference(q.clone(), k.clone(), v.clone(), &layout, None, 0.25);
    with_each_isa(|_| {
        for (products, tolerance) in PRODUCTS {
            let (q, k, v) = (q.clone(), k.clone(), v.clone());
            let found = varlen_attention(q, k, v, &layout, None, 0.25, products);
            assert_close(found, expected.clone(), tolerance);
        }
    });
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
    let (q, k, v) =
        (random([tokens, 4, 16], 1), random([tokens, 2, 16], 2), random([tokens, 2, 16], 3));
    let attention = |[q, k, v]: [Tensor<B, 3>; 3], lengths: &[usize], products| {
        varlen_attention(q, k, v, &layout(lengths), None, 0.25, products)
    };
    with_each_isa(|isa| {
        for products in [DType::F32, DType::BF16] {
            let together = attention([q.clone(), k.clone(), v.clone()], &lengths, products);
            let mut first = 0;
            for length in lengths {
                let own = |x: &Tensor<B, 3>| x.clone().narrow(0, first, length);
                let alone = attention([own(&q), own(&k), own(&v)], &[length], products);
                let expected = values(own(&together));
                assert_eq!(values(alone), expected, "{isa} {products:?}, {length} tokens");
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
    let (q, k, v) =
        (random([tokens, 4, 8], 1), random([tokens, 2, 8], 2), random([tokens, 2, 8], 3));
    let expected =
        naive_attention(&values(q.clone()), &values(k.clone()), &values(v.clone()), &lengths, 0.7);
    let expected =
        Tensor::<B, 3>::from_data(TensorData::new(expected, q.dims()), &Default::default());
    let layout = layout(&lengths);
    let reference = varlen_attention::reference::varlen_attention::<B>;
    let plain = reference(q.clone(), k.clone(), v.clone(), &layout, None, 0.7);
    assert_close(plain, expected.clone(), ATTENTION);
    assert_close(varlen_attention(q, k, v, &layout, None, 0.7, DType::F32), expected, ATTENTION);
}

#[test]
fn a_shared_prefix_is_the_same_as_putting_it_before_every_sequence() {
    let (prefix, lengths, width) = (5, [3, 4], 8);
    let (k, v) = (random([7, 2, width], 1), random([7, 2, width], 2));
    let (prefix_k, prefix_v) = (random([prefix, 2, width], 3), random([prefix, 2, width], 4));
    let q = random([7, 4, width], 5);
    let repeated = |prefix: &Tensor<B, 3>, own: &Tensor<B, 3>| {
        let own = own.clone();
        let parts =
            vec![prefix.clone(), own.clone().narrow(0, 0, 3), prefix.clone(), own.narrow(0, 3, 4)];
        Tensor::cat(parts, 0)
    };
    let long = VarlenLayout::new(bounds(&lengths), bounds(&lengths.map(|length| length + prefix)));
    let expected = varlen_attention(
        q.clone(),
        repeated(&prefix_k, &k),
        repeated(&prefix_v, &v),
        &long,
        None,
        0.5,
        DType::F32,
    );
    let shared = SharedPrefix { k: prefix_k, v: prefix_v };
    let found = varlen_attention(q, k, v, &layout(&lengths), Some(&shared), 0.5, DType::F32);
    assert_close(found, expected, ATTENTION);
}
