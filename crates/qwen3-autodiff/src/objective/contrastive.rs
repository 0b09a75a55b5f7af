//! InfoNCE with what else is in the batch.

use super::{constant, unit_rows};
use burn::tensor::{Int, Tensor, TensorData, activation, backend::Backend};

/// InfoNCE as the Qwen3-Embedding report has it (arXiv:2506.05176, equation 1):
/// for the pair `i` of the anchor `q` and the positive `d`, with `s` the cosine,
///
/// ```text
///   −log( exp(s(qᵢ, dᵢ) / τ) / Zᵢ )
///   Zᵢ = exp(s(qᵢ, dᵢ) / τ) + the sum of exp(s / τ) over
///        s(qᵢ, nₖ)   negatives of the pair
///        s(qᵢ, qⱼ)   other anchors
///        s(dᵢ, dⱼ)   other positives
///        s(qᵢ, dⱼ)
/// ```
///
/// and, with `all_negatives`, over `s(qᵢ, nₖ)` and `s(dᵢ, nₖ)` of other pairs' negatives. A term
/// is left out as a false negative if its `s` is more than `margin` above `s(qᵢ, dᵢ)`, if it is of
/// a pair with the same positive or anchor, or of a negative with the positive's text. The loss is
/// the mean over pairs and over `dimensions`.
#[derive(Clone, Debug)]
pub struct Contrastive<'a> {
    /// Row of each pair's anchor.
    pub anchors: &'a [u32],
    /// Row of each pair's positive.
    pub positives: &'a [u32],
    /// Row of each negative, and which pair it belongs to.
    pub negatives: &'a [(u32, u32)],
    /// Whether a pair is compared with other pairs' negatives too.
    pub all_negatives: bool,
    /// For each row of the step a number that equal texts share.
    pub same_text: &'a [u32],
    /// `τ`
    pub temperature: f64,
    /// How far a negative may be above the positive; infinity leaves all in.
    pub margin: f64,
    /// Widths of embeddings that shall work (Kusupati et al. 2022, arXiv:2205.13147).
    pub dimensions: &'a [usize],
}

/// What is added to a term that doesn't count: finite, so that no difference is NaN.
const LEFT_OUT: f32 = -1e30;

impl Contrastive<'_> {
    pub(super) fn loss<B: Backend>(&self, rows: Tensor<B, 2>) -> Tensor<B, 1> {
        let excluded: Tensor<B, 2> = self.excluded(&rows.device());
        let losses = self.dimensions.iter().map(|&dimensions| {
            let rows = unit_rows(rows.clone(), dimensions);
            self.loss_of_unit_rows(rows, excluded.clone())
        });
        let sum = losses.reduce(|sum, loss| sum + loss).expect("at least one width");
        sum / self.dimensions.len() as f64
    }

    fn loss_of_unit_rows<B: Backend>(
        &self,
        rows: Tensor<B, 2>,
        excluded: Tensor<B, 2>,
    ) -> Tensor<B, 1> {
        let anchors = select(&rows, self.anchors.iter().copied());
        let positives = select(&rows, self.positives.iter().copied());
        let with = |x: &Tensor<B, 2>, y: &Tensor<B, 2>| x.clone().matmul(y.clone().transpose());
        let mut others = vec![
            with(&anchors, &anchors),
            with(&positives, &positives),
            with(&anchors, &positives),
        ];
        if !self.negatives.is_empty() {
            let negatives = select(&rows, self.negatives.iter().map(|(row, _)| *row));
            others.push(with(&anchors, &negatives));
            if self.all_negatives {
                others.push(with(&positives, &negatives));
            }
        }
        let others = Tensor::cat(others, 1);
        let positive = (anchors * positives).sum_dim(1); // [P, 1]
        let left_out = match self.margin.is_finite() {
            true => {
                let excess = others.clone().detach() - positive.clone().detach();
                excluded + excess.greater_elem(self.margin).float()
            }
            false => excluded,
        };
        let others = others / self.temperature + left_out.clamp(0.0, 1.0) * LEFT_OUT;
        let terms = Tensor::cat(vec![positive / self.temperature, others], 1);
        -activation::log_softmax(terms, 1).narrow(1, 0, 1).mean()
    }

    /// 1 where a term doesn't count, else 0: `[P, 3·P]`, and `M` or `2·M` columns for negatives.
    fn excluded<B: Backend>(&self, device: &B::Device) -> Tensor<B, 2> {
        let text = |row: u32| self.same_text[row as usize];
        let (anchors, positives) = (self.anchors, self.positives);
        let mut excluded = vec![];
        for (pair, (&anchor, &positive)) in anchors.iter().zip(positives).enumerate() {
            let others = anchors.iter().zip(positives);
            let of_pairs: Vec<bool> = others
                .map(|(&a, &p)| text(a) == text(anchor) || text(p) == text(positive))
                .collect();
            (0..3).for_each(|_| excluded.extend(&of_pairs));
            let is_own = |owner: u32| owner as usize == pair;
            let negatives = || self.negatives.iter().map(|(row, owner)| (text(*row), *owner));
            excluded.extend(negatives().map(|(negative, owner)| {
                negative == text(positive) || !self.all_negatives && !is_own(owner)
            }));
            if self.all_negatives {
                excluded.extend(
                    negatives()
                        .map(|(negative, owner)| negative == text(positive) || is_own(owner)),
                );
            }
        }
        let columns = excluded.len() / anchors.len();
        let excluded: Vec<f32> = excluded.into_iter().map(|x| f32::from(u8::from(x))).collect();
        constant(&excluded, [anchors.len(), columns], device)
    }
}

fn select<B: Backend>(rows: &Tensor<B, 2>, at: impl Iterator<Item = u32>) -> Tensor<B, 2> {
    let at: Vec<i32> = at.map(|row| row as i32).collect();
    let n = at.len();
    let at = Tensor::<B, 1, Int>::from_data(TensorData::new(at, [n]), &rows.device());
    rows.clone().select(0, at)
}
