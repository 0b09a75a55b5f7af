//! Logistic regression with a penalty of half the squared weights, as scikit-learn's with `C` = 1.

use super::lbfgs::minimum;

/// Weights of a linear model: for each output those of the numbers, then the intercept. Two
/// classes have one output, more have one each.
pub(super) struct Logistic {
    weights: Vec<f64>,
    width: usize,
}

impl Logistic {
    /// Learns the classes of some vectors, of which there is at least one.
    pub fn fit(vectors: &[&[f32]], of: &[usize], classes: usize) -> Self {
        let width = vectors[0].len();
        let outputs = if classes == 2 { 1 } else { classes };
        let problem = Problem { vectors, of, outputs };
        let start = vec![0.0; outputs * (width + 1)];
        Self { weights: minimum(|weights| problem.loss(weights), start), width }
    }

    /// The most probable class; of equal ones the first.
    pub fn predict(&self, row: &[f32]) -> usize {
        let mut outputs =
            self.weights.chunks_exact(self.width + 1).map(|weights| output(weights, row));
        if self.weights.len() == self.width + 1 {
            return usize::from(outputs.next().is_some_and(|output| output > 0.0));
        }
        let best =
            |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
        outputs.enumerate().fold((0, f64::NEG_INFINITY), best).0
    }
}

fn output(weights: &[f64], row: &[f32]) -> f64 {
    let products = weights.iter().zip(row).map(|(weight, x)| weight * f64::from(*x));
    products.sum::<f64>() + weights[row.len()]
}

struct Problem<'a> {
    vectors: &'a [&'a [f32]],
    of: &'a [usize],
    outputs: usize,
}

impl Problem<'_> {
    /// The mean loss of a row with its part of the penalty, and the derivative.
    fn loss(&self, weights: &[f64]) -> (f64, Vec<f64>) {
        let stride = weights.len() / self.outputs;
        let mut gradient = weights.to_vec();
        let mut loss = 0.0;
        for (weights, gradient) in
            weights.chunks_exact(stride).zip(gradient.chunks_exact_mut(stride))
        {
            loss += weights[..stride - 1].iter().map(|weight| weight * weight).sum::<f64>() / 2.0;
            gradient[stride - 1] = 0.0; // An intercept has no penalty.
        }
        for (row, &class) in self.vectors.iter().zip(self.of) {
            let mut outputs: Vec<f64> =
                weights.chunks_exact(stride).map(|weights| output(weights, row)).collect();
            loss += to_errors(&mut outputs, class);
            for (gradient, error) in gradient.chunks_exact_mut(stride).zip(outputs) {
                gradient.iter_mut().zip(*row).for_each(|(sum, x)| *sum += error * f64::from(*x));
                gradient[stride - 1] += error;
            }
        }
        let rows = self.vectors.len() as f64;
        gradient.iter_mut().for_each(|slope| *slope /= rows);
        (loss / rows, gradient)
    }
}

/// Replaces outputs by the derivative of the row's loss, which is returned.
fn to_errors(outputs: &mut [f64], class: usize) -> f64 {
    if let [output] = outputs {
        // log(1 + e^x) without overflow.
        let softplus = output.max(0.0) + (-output.abs()).exp().ln_1p();
        let loss = softplus - class as f64 * *output;
        *output = 1.0 / (1.0 + (-*output).exp()) - class as f64;
        return loss;
    }
    let max = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let of_class = outputs[class] - max;
    outputs.iter_mut().for_each(|output| *output = (*output - max).exp());
    let sum: f64 = outputs.iter().sum();
    outputs.iter_mut().for_each(|output| *output /= sum);
    outputs[class] -= 1.0;
    sum.ln() - of_class
}
