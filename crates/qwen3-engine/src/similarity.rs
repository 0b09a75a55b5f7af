//! Similarities between vectors, as sentence-transformers defines them
//! (`sentence_transformers.util`): larger is always more similar.

use crate::error::Error;
use crate::names::named_by;

/// A similarity of two vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Similarity {
    /// Dot product of the vectors scaled to length 1.
    #[default]
    Cosine,
    /// Dot product of the vectors as they are.
    Dot,
    /// Minus the Euclidean distance.
    Euclidean,
    /// Minus the sum of the absolute differences.
    Manhattan,
}

const NAMES: [(Similarity, &str); 4] = [
    (Similarity::Cosine, "cosine"),
    (Similarity::Dot, "dot"),
    (Similarity::Euclidean, "euclidean"),
    (Similarity::Manhattan, "manhattan"),
];
named_by!(Similarity, NAMES);

impl Similarity {
    /// Of two vectors of the same length, computed in float64.
    pub fn of(self, left: &[f32], right: &[f32]) -> f64 {
        let pairs = || left.iter().zip(right).map(|(&l, &r)| (f64::from(l), f64::from(r)));
        let dot = || pairs().map(|(l, r)| l * r).sum::<f64>();
        let square = |v: &[f32]| v.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        match self {
            // A zero vector is similar to nothing, as in torch's normalize.
            Self::Cosine => {
                dot() / (square(left).sqrt().max(1e-12) * square(right).sqrt().max(1e-12))
            }
            Self::Dot => dot(),
            Self::Euclidean => -pairs().map(|(l, r)| (l - r) * (l - r)).sum::<f64>().sqrt(),
            Self::Manhattan => -pairs().map(|(l, r)| (l - r).abs()).sum::<f64>(),
        }
    }

    /// Of every vector on the left with every one on the right, row by row.
    ///
    /// # Errors
    /// If two vectors differ in length.
    pub fn matrix<L, R>(self, left: &[L], right: &[R]) -> Result<Vec<Vec<f64>>, Error>
    where
        L: AsRef<[f32]>,
        R: AsRef<[f32]>,
    {
        let one = |left: &[f32], right: &[f32]| match left.len() == right.len() {
            true => Ok(self.of(left, right)),
            false => Err(Error::Lengths { left: left.len(), right: right.len() }),
        };
        let row = |left: &L| right.iter().map(|right| one(left.as_ref(), right.as_ref())).collect();
        left.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_is_more_similar() {
        let (a, b) = ([3.0, 4.0], [4.0, 3.0]);
        assert!((Similarity::Cosine.of(&a, &b) - 0.96).abs() < 1e-12);
        assert_eq!(Similarity::Dot.of(&a, &b), 24.0);
        assert_eq!(Similarity::Euclidean.of(&a, &b), -2f64.sqrt());
        assert_eq!(Similarity::Manhattan.of(&a, &b), -2.0);
        assert_eq!(Similarity::Cosine.of(&a, &[0.0, 0.0]), 0.0);
        let error = Similarity::Dot.matrix(&[a.to_vec()], &[vec![1.0]]).unwrap_err();
        assert!(error.to_string().starts_with("vectors of 2 and 1 dimensions"));
    }
}
