//! `numpy.random.RandomState`.

use super::mt19937::{self, Mt19937};

/// NumPy's legacy generator, which scikit-learn draws from.
pub(crate) struct RandomState(Mt19937);

impl RandomState {
    pub fn new(seed: u32) -> Self {
        Self(Mt19937::seeded(seed))
    }

    /// `shuffle`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        mt19937::shuffle(items, || self.0.next_u32());
    }

    /// `randint(0, below, size)`; `below` is at least 1.
    pub fn integers(&mut self, below: usize, size: usize) -> Vec<usize> {
        let max = below as u32 - 1;
        // Without a choice NumPy draws nothing.
        let mut next = || if max == 0 { 0 } else { mt19937::at_most(max, || self.0.next_u32()) };
        (0..size).map(|_| next()).collect()
    }

    /// `uniform(size)`: a number in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        self.0.next_f64()
    }

    /// `choice(len, p)` with the sums of `p` up to each item, the last of which is 1.
    pub fn weighted(&mut self, sums: &[f64]) -> usize {
        let drawn = self.0.next_f64();
        sums.partition_point(|&sum| sum <= drawn)
    }

    /// `choice(len, size, replace=False)`.
    pub fn distinct(&mut self, len: usize, size: usize) -> Vec<usize> {
        let mut items: Vec<usize> = (0..len).collect();
        self.shuffle(&mut items);
        items.truncate(size);
        items
    }
}
