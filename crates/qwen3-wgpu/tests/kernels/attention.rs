//! Attention, for every layout of sequences.

use super::*;
use qwen3_kernels::{
    Kernels, VarlenAttention, VarlenLayout, varlen_attention::reference::varlen_attention,
};

/// Measured at most 2.5e-6 on values below 1, with heads 128 wide.
const ATTENTION: f32 = 8e-6;
/// Around the sizes of blocks of queries and keys.
const LENGTHS: [usize; 8] = [1, 2, 31, 32, 33, 70, 1, 257];

/// Sequences of these lengths, with all of their rows as queries.
pub fn layout(lengths: &[usize]) -> VarlenLayout {
    let bounds = bounds(lengths);
    VarlenLayout::new(bounds.clone(), bounds)
}

fn bounds(lengths: &[usize]) -> Vec<usize> {
    let sums = lengths.iter().scan(0, |sum, length| {
        *sum += length;
        Some(*sum)
    });
    std::iter::once(0).chain(sums).collect()
}

/// Queries, keys and values of so many tokens.
struct Heads {
    q: Values<3>,
    k: Values<3>,
    v: Values<3>,
}

impl Heads {
    fn random([queries, tokens]: [usize; 2], [kv_heads, group, width]: [usize; 3]) -> Self {
        Self {
            q: Values::random([queries, kv_heads * group, width], 1).times(3.0),
            k: Values::random([tokens, kv_heads, width], 2),
            v: Values::random([tokens, kv_heads, width], 3),
        }
    }

    fn on<'a, B: Backend>(
        &self,
        layout: &'a VarlenLayout,
        device: &B::Device,
    ) -> VarlenAttention<'a, B> {
        let (q, k, v) = (self.q.on(device), self.k.on(device), self.v.on(device));
        let (scale, round_to, strategy) = (0.3, DType::F32, PlainUnits);
        VarlenAttention { q, k, v, layout, scale, round_to, strategy }
    }

    fn attended(&self, layout: &VarlenLayout, gpu: &WgpuDevice) -> Tensor<Gpu, 3> {
        Gpu::varlen_attention(self.on(layout, gpu))
    }

    fn check(&self, layout: &VarlenLayout, what: &str) {
        let expected = varlen_attention(self.on::<Host>(layout, &Default::default()));
        with_each_gpu(|gpu| {
            // Twice, as layers do: the second finds the layout on the device.
            assert_close(self.attended(layout, gpu), &expected, ATTENTION, what);
            assert_close(self.attended(layout, gpu), &expected, ATTENTION, what);
        });
    }
}

#[test]
fn attention_matches_the_reference() {
    let tokens = LENGTHS.iter().sum();
    let last = VarlenLayout::new((0..=LENGTHS.len()).collect(), bounds(&LENGTHS));
    // Key heads, query heads for each, and their width: the groups of the 0.6B and the 4B model first.
    for heads in [[2, 2, 128], [1, 4, 128], [1, 1, 2], [2, 3, 24], [1, 2, 6], [1, 1, 256]] {
        let what = format!("attention {heads:?}");
        Heads::random([tokens; 2], heads).check(&layout(&LENGTHS), &what);
        let what = format!("attention of the last rows {heads:?}");
        Heads::random([LENGTHS.len(), tokens], heads).check(&last, &what);
    }
}

#[test]
fn attention_of_some_last_rows_matches_the_reference() {
    let layout = VarlenLayout::new(vec![0, 3, 4, 40], vec![0, 90, 100, 140]);
    Heads::random([40, 140], [2, 2, 16]).check(&layout, "attention of some last rows");
}

#[test]
fn attention_of_a_long_sequence_matches_the_reference() {
    Heads::random([1500; 2], [1, 2, 16]).check(&layout(&[1500]), "attention of a long sequence");
}

/// A text's vector doesn't depend on its batch: to the last bit.
#[test]
fn attention_is_the_same_alone_and_among_others() {
    let lengths = [40, 300, 7];
    let together = Heads::random([lengths.iter().sum(); 2], [2, 2, 16]);
    with_each_gpu(|gpu| {
        let expected = together.attended(&layout(&lengths), gpu);
        let mut first = 0;
        for length in lengths {
            let own = |all: &Values<3>| {
                let [_, heads, width] = all.shape;
                let row = heads * width;
                let values = all.values[first * row..(first + length) * row].to_vec();
                Values { values, shape: [length, heads, width] }
            };
            let [q, k, v] = [&together.q, &together.k, &together.v].map(own);
            let alone = Heads { q, k, v }.attended(&layout(&[length]), gpu);
            let expected = values(expected.clone().narrow(0, first, length));
            assert_eq!(values(alone), expected, "{length} tokens");
            first += length;
        }
    });
}

/// A bad number of the first text is in its first row, and in no other text's.
pub fn assert_not_swallowed(bad: f32, gpu: &WgpuDevice) {
    let heads = || Heads::random([43; 2], [2, 1, 16]);
    for spoiled in [
        Heads { q: heads().q.with_first(bad), ..heads() },
        Heads { k: heads().k.with_first(bad), ..heads() },
        Heads { v: heads().v.with_first(bad), ..heads() },
    ] {
        let found = values(spoiled.attended(&layout(&[3, 40]), gpu));
        assert!(found[..16].iter().any(|x| !x.is_finite()), "{bad} was swallowed by attention");
        let other_text = &found[3 * 32..];
        assert!(other_text.iter().all(|x| x.is_finite()), "{bad} went to another text");
    }
}
