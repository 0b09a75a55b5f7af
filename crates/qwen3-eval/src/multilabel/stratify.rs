//! A sample of rows that keeps how often pairs of labels stand together: iterative
//! stratification (Sechidis et al. 2011, Szymański and Kajdanowicz 2017), as in mteb.

use crate::Error;
use crate::error::at_least;
use crate::random::{RandomState, SEED};
use std::collections::{BTreeSet, HashMap};

type Pair = (i64, i64);

/// The rows of a test that mteb keeps when it has more than `most`, in ascending order. mteb's
/// `most` is 3,000. With no more rows than that all are kept.
///
/// # Errors
/// If `most` is 0.
pub fn stratified_rows(labels: &[Vec<i64>], most: usize) -> Result<Vec<usize>, Error> {
    at_least("rows to keep", most, 1)?;
    if labels.len() <= most {
        return Ok((0..labels.len()).collect());
    }
    let part = most as f64 / labels.len() as f64;
    let mut split = Split::new(labels, [part, 1.0 - part]);
    split.deal_labelled();
    split.deal_others();
    let kept = split.sides.iter().enumerate().filter(|(_, side)| **side == Some(0));
    Ok(kept.map(|(row, _)| row).collect())
}

/// Rows that have a pair of labels and wait to be dealt, and how many more each side wants.
struct Waiting {
    pair: Pair,
    rows: Vec<usize>,
    wanted: [f64; 2],
}

struct Split {
    random: RandomState,
    /// In the order in which pairs first stand in the data.
    pairs: Vec<Waiting>,
    /// The pairs of each row, by their place in `pairs`.
    of_row: Vec<Vec<usize>>,
    wanted: [f64; 2],
    sides: Vec<Option<usize>>,
}

impl Split {
    fn new(labels: &[Vec<i64>], parts: [f64; 2]) -> Self {
        let mut places: HashMap<Pair, usize> = HashMap::new();
        let (mut pairs, mut of_row): (Vec<Waiting>, Vec<Vec<usize>>) = (vec![], vec![]);
        for (row, labels) in labels.iter().enumerate() {
            let labels: Vec<i64> =
                labels.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            let mut of = vec![];
            for (at, first) in labels.iter().enumerate() {
                for second in &labels[at..] {
                    let pair = (*first, *second);
                    let place = *places.entry(pair).or_insert_with(|| {
                        pairs.push(Waiting { pair, rows: vec![], wanted: [0.0; 2] });
                        pairs.len() - 1
                    });
                    pairs[place].rows.push(row);
                    of.push(place);
                }
            }
            of_row.push(of);
        }
        for waiting in &mut pairs {
            waiting.wanted = parts.map(|part| waiting.rows.len() as f64 * part);
        }
        let wanted = parts.map(|part| part * labels.len() as f64);
        Self {
            random: RandomState::new(SEED),
            pairs,
            of_row,
            wanted,
            sides: vec![None; labels.len()],
        }
    }

    fn deal_labelled(&mut self) {
        while let Some(place) = self.next_pair() {
            while let Some(row) = self.pairs[place].rows.pop() {
                let wanted = self.pairs[place].wanted;
                let side = match wanted[0].partial_cmp(&wanted[1]) {
                    Some(std::cmp::Ordering::Greater) => 0,
                    Some(std::cmp::Ordering::Less) => 1,
                    _ => self.random.integers(2, 1)[0],
                };
                self.deal(row, side);
            }
        }
    }

    /// mteb's choice: a later pair is taken only if it has more different labels and fewer rows.
    fn next_pair(&self) -> Option<usize> {
        let distinct = |waiting: &Waiting| if waiting.pair.0 == waiting.pair.1 { 1 } else { 2 };
        let mut best: Option<usize> = None;
        for (place, waiting) in
            self.pairs.iter().enumerate().filter(|(_, waiting)| !waiting.rows.is_empty())
        {
            let is_better = |best: usize| {
                let best = &self.pairs[best];
                distinct(best) < distinct(waiting) && best.rows.len() > waiting.rows.len()
            };
            if best.is_none_or(is_better) {
                best = Some(place);
            }
        }
        best
    }

    fn deal(&mut self, row: usize, side: usize) {
        self.sides[row] = Some(side);
        self.wanted[side] -= 1.0;
        for &place in &self.of_row[row] {
            let waiting = &mut self.pairs[place];
            waiting.wanted[side] -= 1.0;
            // Rows stand in ascending order.
            if let Ok(at) = waiting.rows.binary_search(&row) {
                waiting.rows.remove(at);
            }
        }
    }

    /// Rows without a label.
    fn deal_others(&mut self) {
        let others: Vec<usize> =
            (0..self.sides.len()).filter(|&row| self.sides[row].is_none()).collect();
        for row in others.into_iter().rev() {
            let open: Vec<usize> = (0..2).filter(|&side| self.wanted[side] > 0.0).collect();
            let side = match open.len() {
                0 => 1,
                open_sides => open[self.random.integers(open_sides, 1)[0]],
            };
            self.deal(row, side);
        }
    }
}
