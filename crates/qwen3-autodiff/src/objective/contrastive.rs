//! InfoNCE with what else is in the batch.

use super::{constant, unit_rows};
use burn::tensor::{Int, Tensor, TensorData, activation, backend::Backend};

/// InfoNCE as the Qwen3-Embedding report has it (arXiv:2506.05176, section 3):
/// for the pair `i` of the anchor `q` and the positive `d`, with `s` the cosine,
///
/// ```text
///   −log( exp(s(qᵢ, dᵢ) / τ) / Zᵢ )
///   Zᵢ = exp(s(qᵢ, dᵢ) / τ) + the sum of exp(s / τ) over s(qᵢ, dⱼ), s(qᵢ, nₖ), s(qᵢ, qⱼ) and s(dᵢ, dⱼ)
/// ```
///
/// for all other pairs `j` and all negatives `nₖ` of the step. A term is left out as
/// a false negative if its `s` is more than `margin` above `s(qᵢ, dᵢ)`, or if its text is
/// one of the pair's own. The loss is the mean over pairs and over `dimensions`.
#[derive(Clone, Debug)]
pub struct Contrastive<'a> {
    /// Row of each pair's anchor.
    pub anchors: &'a [u32],
    /// Row of each pair's positive.
    pub positives: &'a [u32],
    /// Rows of all negatives.
    pub negatives: &'a [u32],
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
        let own: Tensor<B, 2> = self.own_texts(&rows.device());
        let losses = self.dimensions.iter().map(|&dimensions| {
            let rows = unit_rows(rows.clone(), dimensions);
            self.loss_of_unit_rows(rows, own.clone())
        });
        let sum = losses.reduce(|sum, loss| sum + loss).expect("at least one width");
        sum / self.dimensions.len() as f64
    }

    fn loss_of_unit_rows<B: Backend>(&self, rows: Tensor<B, 2>, own: Tensor<B, 2>) -> Tensor<B, 1> {
        let [anchors, positives] = [self.anchors, self.positives].map(|at| select(&rows, at));
        let positive = (anchors.clone() * positives.clone()).sum_dim(1); // [P, 1]
        let candidates = match self.negatives {
            [] => positives.clone(),
            negatives => Tensor::cat(vec![positives.clone(), select(&rows, negatives)], 0),
        };
        let others = Tensor::cat(
            vec![
                anchors.clone().matmul(candidates.transpose()), // [P, P + M]
                anchors.clone().matmul(anchors.transpose()),    // [P, P]
                positives.clone().matmul(positives.transpose()),
            ],
            1,
        );
        let ceiling = positive.clone().detach() + self.margin.min(4.0);
        let too_close = (others.clone().detach() - ceiling).greater_elem(0.0).float();
        let left_out = (own + too_close).clamp(0.0, 1.0) * LEFT_OUT;
        let terms = Tensor::cat(vec![positive.clone(), others], 1) / self.temperature;
        let left_out = Tensor::cat(vec![positive.zeros_like(), left_out], 1);
        let log_shares = activation::log_softmax(terms + left_out, 1);
        -log_shares.narrow(1, 0, 1).mean()
    }

    /// 1 where a term's text is one of its own pair's, else 0: `[P, 3·P + M]`.
    fn own_texts<B: Backend>(&self, device: &B::Device) -> Tensor<B, 2> {
        let text = |row: &u32| self.same_text[*row as usize];
        let columns = [self.positives, self.negatives, self.anchors, self.positives].concat();
        let pairs = self.anchors.iter().zip(self.positives);
        let own = pairs.flat_map(|(anchor, positive)| {
            let own = [text(anchor), text(positive)];
            columns.iter().map(move |row| if own.contains(&text(row)) { 1.0 } else { 0.0 })
        });
        constant(&own.collect::<Vec<_>>(), [self.anchors.len(), columns.len()], device)
    }
}

fn select<B: Backend>(rows: &Tensor<B, 2>, at: &[u32]) -> Tensor<B, 2> {
    let at: Vec<i32> = at.iter().map(|&row| row as i32).collect();
    let indices =
        Tensor::<B, 1, Int>::from_data(TensorData::new(at.clone(), [at.len()]), &rows.device());
    rows.clone().select(0, indices)
}
