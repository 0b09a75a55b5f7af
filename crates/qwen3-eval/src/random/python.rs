//! `random.Random` of Python 3.

use super::mt19937::Mt19937;
use std::collections::HashSet;

/// Python's generator.
pub(crate) struct Random(Mt19937);

impl Random {
    pub fn new(seed: u32) -> Self {
        Self(Mt19937::seeded_by(seed))
    }

    /// `choices(range(len), k)`; `len` is at least 1.
    pub fn choices(&mut self, len: usize, k: usize) -> Vec<usize> {
        (0..k).map(|_| (self.0.next_f64() * len as f64) as usize).collect()
    }

    /// `sample(range(len), k)`; `k` is at most `len`.
    pub fn sample(&mut self, len: usize, k: usize) -> Vec<usize> {
        let mut pool_is_cheaper = 21;
        if k > 5 {
            // Python rounds the same quotient of logarithms up.
            pool_is_cheaper += 4_usize.pow(((k * 3) as f64).log(4.0).ceil() as u32);
        }
        if len <= pool_is_cheaper {
            let mut pool: Vec<usize> = (0..len).collect();
            let mut next = |i: usize| pool.swap_remove(self.below(len - i));
            return (0..k).map(&mut next).collect();
        }
        let mut chosen = HashSet::new();
        let mut next = || loop {
            let drawn = self.below(len);
            if chosen.insert(drawn) {
                return drawn;
            }
        };
        (0..k).map(|_| next()).collect()
    }

    /// `_randbelow_with_getrandbits`, for less than 2^32.
    fn below(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let drawn = (self.0.next_u32() >> (32 - bits)) as usize;
            if drawn < n {
                return drawn;
            }
        }
    }
}
