//! Rows of numbers, and how alike two of them are.

use crate::Error;

/// A matrix of vectors, one a row, in which every number is finite.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    numbers: &'a [f32],
    width: usize,
}

impl<'a> Vectors<'a> {
    /// Rows of `width` numbers that follow one another.
    ///
    /// # Errors
    /// [`Error::Shape`] if the numbers make no whole rows, [`Error::NotFinite`] if one is
    /// NaN or infinite.
    pub fn new(numbers: &'a [f32], width: usize) -> Result<Self, Error> {
        if width == 0 || !numbers.len().is_multiple_of(width) {
            return Err(Error::Shape { numbers: numbers.len(), width });
        }
        match numbers.iter().position(|number| !number.is_finite()) {
            Some(at) => Err(Error::NotFinite { what: "vector", row: at / width }),
            None => Ok(Self { numbers, width }),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.numbers.len() / self.width
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The numbers of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One row.
    ///
    /// # Panics
    /// If there are fewer rows, as with a slice.
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.numbers[i * self.width..][..self.width]
    }

    /// All rows, in their order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &'a [f32]> {
        self.numbers.chunks_exact(self.width)
    }

    pub(crate) fn numbers(&self) -> &'a [f32] {
        self.numbers
    }

    /// Checks that these can be compared with others.
    pub(crate) fn same_width(&self, other: &Vectors) -> Result<(), Error> {
        if self.width == other.width {
            return Ok(());
        }
        Err(Error::Width { found: other.width, expected: self.width })
    }
}

/// The four measures of mteb, each higher for what is more alike.
#[derive(Clone, Debug)]
pub(crate) struct Similarities {
    pub cosine: Vec<f64>,
    pub dot: Vec<f64>,
    pub euclidean: Vec<f64>,
    pub manhattan: Vec<f64>,
}

impl Similarities {
    /// Row by row. Computed in float64, and rounded to mteb's float32, so that what is
    /// equal but for the last bits of a float64 ties.
    pub fn of_pairs(left: &Vectors, right: &Vectors) -> Result<Self, Error> {
        left.same_width(right)?;
        crate::error::same_count("vectors of second texts", right.len(), left.len())?;
        let of = |measure: fn(&[f32], &[f32]) -> f64| {
            let pairs = left.rows().zip(right.rows());
            pairs.map(|(a, b)| f64::from(measure(a, b) as f32)).collect()
        };
        Ok(Self {
            cosine: of(cosine),
            dot: of(dot),
            euclidean: of(euclidean),
            manhattan: of(manhattan),
        })
    }
}

/// `1 - |a/|a| - b/|b||² / 2`, scikit-learn's `paired_cosine_distances`: 1 for equal vectors
/// however they are rounded. A vector of zeros keeps its length.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let scale = |row: &[f32]| match dot(row, row).sqrt() {
        0.0 => 1.0,
        norm => norm,
    };
    let (of_a, of_b) = (scale(a), scale(b));
    let between = a.iter().zip(b).map(|(x, y)| f64::from(*x) / of_a - f64::from(*y) / of_b);
    1.0 - between.map(|d| d * d).sum::<f64>() / 2.0
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

fn euclidean(a: &[f32], b: &[f32]) -> f64 {
    -differences(a, b).map(|d| d * d).sum::<f64>().sqrt()
}

fn manhattan(a: &[f32], b: &[f32]) -> f64 {
    -differences(a, b).map(f64::abs).sum::<f64>()
}

fn differences(a: &[f32], b: &[f32]) -> impl Iterator<Item = f64> {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) - f64::from(*y))
}
