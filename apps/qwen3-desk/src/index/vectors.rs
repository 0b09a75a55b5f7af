//! The nearest of many vectors.
//!
//! Every vector is looked at: with eight bits a dimension that takes milliseconds for a hundred
//! thousand, and there is nothing to build, to tune or to lose.

use crate::store::{Code, Store, StoreError};
use std::collections::HashMap;
use std::num::NonZero;
use std::thread;

/// Products below which one thread is done before others have started.
const PRODUCTS_PER_THREAD: usize = 16 << 20;
/// The rest is left to the window and to others.
const MAX_THREADS: usize = 4;

/// A table with a vector a row, in eight bits a dimension.
#[derive(Debug, Default)]
pub struct Vectors {
    width: usize,
    numbers: Vec<i8>,
    scales: Vec<f32>,
    passages: Vec<u128>,
    rows: HashMap<u128, u32>,
}

impl Vectors {
    pub fn read(store: &Store, model: u32) -> Result<Self, StoreError> {
        let mut vectors = Self::default();
        store.codes(model, |passage, scale, numbers| {
            let numbers = numbers.iter().map(|number| number.cast_signed());
            vectors.push(passage, scale, numbers);
        })?;
        Ok(vectors)
    }

    pub fn len(&self) -> usize {
        self.passages.len()
    }

    pub fn has(&self, passage: u128) -> bool {
        self.rows.contains_key(&passage)
    }

    /// The passages, in the order of the rows.
    pub fn passages(&self) -> &[u128] {
        &self.passages
    }

    /// A row with its scale.
    pub fn row(&self, row: usize) -> (f32, &[i8]) {
        (self.scales[row], &self.numbers[row * self.width..][..self.width])
    }

    pub fn insert(&mut self, passage: u128, vector: &[f32]) {
        let code = Code::new(vector);
        self.remove(passage);
        self.push(passage, code.scale, code.numbers.into_iter());
    }

    fn push(&mut self, passage: u128, scale: f32, numbers: impl ExactSizeIterator<Item = i8>) {
        if self.passages.is_empty() {
            self.width = numbers.len();
        }
        // One of another width was never written by this program.
        if numbers.len() == self.width {
            self.rows.insert(passage, self.passages.len() as u32);
            self.passages.push(passage);
            self.scales.push(scale);
            self.numbers.extend(numbers);
        }
    }

    /// Takes a row away; the last one takes its place.
    pub fn remove(&mut self, passage: u128) {
        let Some(row) = self.rows.remove(&passage) else { return };
        let (row, last) = (row as usize, self.passages.len() - 1);
        self.passages.swap_remove(row);
        self.scales.swap_remove(row);
        let (from, width) = (last * self.width, self.width);
        self.numbers.copy_within(from..from + width, row * width);
        self.numbers.truncate(from);
        if row != last {
            self.rows.insert(self.passages[row], row as u32);
        }
    }

    /// The rows of these passages that are here.
    pub fn rows_of(&self, passages: impl Iterator<Item = u128>) -> Vec<usize> {
        let row = |passage| self.rows.get(&passage).map(|&row| row as usize);
        let mut rows: Vec<usize> = passages.filter_map(row).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The `count` nearest to a query of length 1, best first: of these rows, or of all.
    pub fn nearest(&self, query: &[f32], rows: Option<&[usize]>, count: usize) -> Vec<(u128, f32)> {
        if query.len() != self.width || count == 0 {
            return vec![];
        }
        let code = Code::new(query);
        let total = rows.map_or(self.len(), <[usize]>::len);
        let part = total.div_ceil(threads(total * self.width)).max(1);
        let scan = |start: usize| {
            let mut best = Best::new(count);
            for at in start..(start + part).min(total) {
                let row = rows.map_or(at, |rows| rows[at]);
                let (scale, numbers) = self.row(row);
                best.see(dot(&code.numbers, numbers) as f32 * scale, row);
            }
            best.done()
        };
        let scan = &scan;
        let mut found: Vec<(f32, usize)> = thread::scope(|scope| {
            let starts = (part..total).step_by(part);
            let others: Vec<_> = starts.map(|start| scope.spawn(move || scan(start))).collect();
            let mut found = scan(0);
            for other in others {
                found.extend(other.join().expect("a scan doesn't panic"));
            }
            found
        });
        sort(&mut found);
        found.truncate(count);
        let hit = |(product, row): (f32, usize)| (self.passages[row], product * code.scale);
        found.into_iter().map(hit).collect()
    }
}

fn threads(products: usize) -> usize {
    let here = thread::available_parallelism().map_or(1, NonZero::get);
    (products / PRODUCTS_PER_THREAD).clamp(1, here.min(MAX_THREADS))
}

fn dot(a: &[i8], b: &[i8]) -> i32 {
    // As the compiler multiplies pairs of 16 bits at once, and adds them up in 32.
    a.iter().zip(b).map(|(&a, &b)| i32::from(i16::from(a) * i16::from(b))).sum()
}

/// Best first, and the first row of equals.
fn sort(found: &mut [(f32, usize)]) {
    found.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
}

/// The best few of many.
struct Best {
    count: usize,
    found: Vec<(f32, usize)>,
    /// What is not better than this is not among them.
    bar: f32,
}

impl Best {
    fn new(count: usize) -> Self {
        Self { count, found: Vec::with_capacity(2 * count), bar: f32::NEG_INFINITY }
    }

    fn see(&mut self, score: f32, row: usize) {
        if score > self.bar {
            self.found.push((score, row));
            if self.found.len() == 2 * self.count {
                self.shrink();
            }
        }
    }

    fn shrink(&mut self) {
        sort(&mut self.found);
        self.found.truncate(self.count);
        if let Some((score, _)) = self.found.get(self.count - 1) {
            self.bar = *score;
        }
    }

    fn done(mut self) -> Vec<(f32, usize)> {
        self.shrink();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of length 1 that only look random.
    pub fn vector(seed: u64, width: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        };
        let vector: Vec<f32> = (0..width).map(|_| next()).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.into_iter().map(|x| x / length).collect()
    }

    #[test]
    fn the_nearest_are_those_of_an_exact_search() {
        let mut vectors = Vectors::default();
        let all: Vec<Vec<f32>> = (0..2000).map(|n| vector(n + 1, 96)).collect();
        for (n, vector) in all.iter().enumerate() {
            vectors.insert(n as u128, vector);
        }
        for n in (0..2000).step_by(3) {
            vectors.remove(n);
        }
        let query = vector(5000, 96);
        let exact = |n: usize| all[n].iter().zip(&query).map(|(a, b)| a * b).sum::<f32>();
        let mut expected: Vec<(f32, usize)> =
            (0..2000).filter(|n| n % 3 != 0).map(|n| (exact(n), n)).collect();
        sort(&mut expected);
        let found = vectors.nearest(&query, None, 40);
        for (passage, score) in &found {
            assert!((exact(*passage as usize) - score).abs() < 0.01);
        }
        let top: Vec<usize> = found.iter().map(|(passage, _)| *passage as usize).collect();
        assert!(expected[..20].iter().all(|(_, n)| top.contains(n)));
        let rows = vectors.rows_of([1, 2, 3, 4].into_iter());
        let mut few: Vec<u128> =
            vectors.nearest(&query, Some(&rows), 40).iter().map(|(n, _)| *n).collect();
        few.sort();
        assert_eq!(few, [1, 2, 4]);
        assert_eq!(vectors.nearest(&query[..5], None, 40), []);
    }

    #[test]
    fn several_threads_find_what_one_finds() {
        let mut vectors = Vectors::default();
        for n in 0..40_000 {
            vectors.insert(n, &vector(n as u64 + 1, 1024));
        }
        assert!(threads(vectors.len() * 1024) >= 1);
        let query = vector(77, 1024);
        let all = vectors.nearest(&query, None, 10);
        let rows: Vec<usize> = (0..400).collect();
        let mut parts: Vec<(u128, f32)> = (0..100)
            .flat_map(|part| {
                let rows: Vec<usize> = rows.iter().map(|row| row + 400 * part).collect();
                vectors.nearest(&query, Some(&rows), 10)
            })
            .collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        assert_eq!(all, parts[..10]);
        assert_eq!(all[0].0, 76);
    }
}
