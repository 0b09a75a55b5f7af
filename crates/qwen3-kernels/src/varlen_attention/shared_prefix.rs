//! A start that all sequences of a batch have in common.

use super::{VarlenAttention, VarlenLayout};
use crate::Kernels;
use burn::tensor::{Tensor, backend::Backend};

/// Keys and values that stand before those of every sequence of the batch,
/// such as the instruction and query that all documents of a rerank share.
#[derive(Clone, Debug)]
pub struct SharedPrefix<B: Backend> {
    /// `[P, K, D]`, rotated for positions `0..P`.
    pub k: Tensor<B, 3>,
    /// `[P, K, D]`
    pub v: Tensor<B, 3>,
}

impl<B: Kernels> SharedPrefix<B> {
    /// [`Kernels::varlen_attention`] of queries that see the prefix and then the
    /// keys of their own sequence: the prefix is put before each.
    pub fn attend(&self, attention: VarlenAttention<B>) -> Tensor<B, 3> {
        let VarlenAttention { k, v, layout, .. } = &attention;
        if layout.spans().next().is_none() {
            return B::varlen_attention(attention);
        }
        let (k, v) = (before_each(&self.k, k, layout), before_each(&self.v, v, layout));
        let layout = layout_behind(self.k.dims()[0], layout);
        B::varlen_attention(VarlenAttention { k, v, layout: &layout, ..attention })
    }
}

/// The rule of the layout: every sequence has so many keys more, and as its last
/// query still stands at its last key, all of its queries see all of them.
fn layout_behind(prefix: usize, layout: &VarlenLayout) -> VarlenLayout {
    let keys = layout.cu_seqlens_k.iter().enumerate();
    let keys = keys.map(|(sequences, end)| end + sequences * prefix).collect();
    VarlenLayout::new(layout.cu_seqlens_q.clone(), keys)
}

/// Rows of keys or values, with the prefix before those of each sequence.
fn before_each<B: Backend>(
    prefix: &Tensor<B, 3>,
    own: &Tensor<B, 3>,
    layout: &VarlenLayout,
) -> Tensor<B, 3> {
    let rows = layout
        .spans()
        .flat_map(|span| [prefix.clone(), own.clone().narrow(0, span.first_key, span.n_keys)]);
    Tensor::cat(rows.collect(), 0)
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::MatmulStrategy;
    use crate::random::random;
    use burn::tensor::{DType, TensorData};
    use burn_flex::Flex;

    type Heads = Tensor<Flex, 3>;

    fn heads(shape: [usize; 3], seed: u64) -> Heads {
        let numbers = random(shape.iter().product(), seed);
        Tensor::from_data(TensorData::new(numbers, shape), &Default::default())
    }

    /// A sequence alone, its keys and values written out.
    fn expected(prefix: &SharedPrefix<Flex>, [q, k, v]: [Heads; 3]) -> Heads {
        let k = Tensor::cat(vec![prefix.k.clone(), k], 0);
        let v = Tensor::cat(vec![prefix.v.clone(), v], 0);
        let layout = VarlenLayout::new(vec![0, q.dims()[0]], vec![0, k.dims()[0]]);
        let (scale, round_to, strategy) = (0.5, DType::F32, MatmulStrategy::PlainUnits);
        Flex::varlen_attention(VarlenAttention {
            q,
            k,
            v,
            layout: &layout,
            scale,
            round_to,
            strategy,
        })
    }

    #[test]
    fn each_sequence_sees_the_prefix_and_itself() {
        let prefix = SharedPrefix { k: heads([5, 2, 8], 1), v: heads([5, 2, 8], 2) };
        // Three and four queries, of the last rows of three and six.
        let (q, k, v) = (heads([7, 4, 8], 3), heads([9, 2, 8], 4), heads([9, 2, 8], 5));
        let layout = VarlenLayout::new(vec![0, 3, 7], vec![0, 3, 9]);
        let alone = layout.spans().map(|span| {
            let own = |x: &Heads| x.clone().narrow(0, span.first_key, span.n_keys);
            let q = q.clone().narrow(0, span.first_query, span.n_queries);
            expected(&prefix, [q, own(&k), own(&v)])
        });
        let expected = Tensor::cat(alone.collect(), 0);
        let (scale, round_to, strategy) = (0.5, DType::F32, MatmulStrategy::PlainUnits);
        let attention = VarlenAttention { q, k, v, layout: &layout, scale, round_to, strategy };
        let found = prefix.attend(attention);
        assert_eq!(found.into_data(), expected.into_data());
    }

    #[test]
    fn no_sequences_see_nothing() {
        let prefix = SharedPrefix { k: heads([5, 2, 8], 1), v: heads([5, 2, 8], 2) };
        let (q, k, v) = (heads([0, 4, 8], 3), heads([0, 2, 8], 4), heads([0, 2, 8], 5));
        let layout = VarlenLayout::new(vec![0], vec![0]);
        let (scale, round_to, strategy) = (0.5, DType::F32, MatmulStrategy::PlainUnits);
        let attention = VarlenAttention { q, k, v, layout: &layout, scale, round_to, strategy };
        assert_eq!(prefix.attend(attention).dims(), [0, 4, 8]);
    }
}
