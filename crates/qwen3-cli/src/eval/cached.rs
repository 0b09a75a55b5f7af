//! Rows of numbers that are computed once.

use super::progress::Told;
use super::store::{Store, Stored};
use crate::error::Error;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// So much work is lost at most when a process is killed.
const AT_RISK: Duration = Duration::from_secs(10);
const FEWEST: usize = 16;
const MOST: usize = 4_096;

/// What rows cost, whenever they were computed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub tokens: u64,
    pub micros: u64,
}

impl Cost {
    pub fn tokens_per_second(&self) -> Option<f64> {
        (self.micros > 0).then(|| self.tokens as f64 * 1e6 / self.micros as f64)
    }

    fn add(&mut self, stored: &Stored) {
        self.tokens += u64::from(stored.tokens);
        self.micros += u64::from(stored.micros);
    }
}

/// A store, and how many rows are computed before they are put into it.
pub struct Cached {
    store: Store,
    batch: usize,
}

/// A row that was computed, with its tokens.
pub type Computed = (Vec<f32>, usize);

impl Cached {
    pub fn new(store: Store) -> Self {
        Self { store, batch: FEWEST }
    }

    /// The rows of some keys: from the store, else by `compute`, which is asked for positions among
    /// the keys.
    pub fn rows(
        &mut self,
        keys: &[u128],
        (cost, told): (&mut Cost, &Told),
        mut compute: impl FnMut(&[usize]) -> Result<Vec<Computed>, Error>,
    ) -> Result<Vec<Vec<f32>>, Error> {
        let mut rows: Vec<Option<Vec<f32>>> = vec![None; keys.len()];
        // Each row that is to be computed, with all places of its key.
        let (mut missing, mut places): (Vec<usize>, HashMap<u128, Vec<usize>>) = Default::default();
        for (at, key) in keys.iter().enumerate() {
            if let Some(stored) = self.store.get(*key)? {
                cost.add(&stored);
                rows[at] = Some(stored.row);
            } else {
                let same = places.entry(*key).or_default();
                if same.is_empty() {
                    missing.push(at);
                }
                same.push(at);
            }
        }
        told.advance(keys.len() - places.values().map(Vec::len).sum::<usize>());
        let mut rest = &missing[..];
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(self.batch.min(rest.len()));
            rest = others;
            for (at, stored) in self.compute(batch, keys, &mut compute)? {
                cost.add(&stored);
                let same = &places[&keys[at]];
                told.advance(same.len());
                same.iter().for_each(|&place| rows[place] = Some(stored.row.clone()));
            }
        }
        Ok(rows.into_iter().map(|row| row.expect("each is stored or computed")).collect())
    }

    fn compute(
        &mut self,
        batch: &[usize],
        keys: &[u128],
        compute: &mut impl FnMut(&[usize]) -> Result<Vec<Computed>, Error>,
    ) -> Result<Vec<(usize, Stored)>, Error> {
        let started = Instant::now();
        let computed = compute(batch)?;
        let elapsed = started.elapsed();
        let tokens: usize = computed.iter().map(|(_, tokens)| tokens).sum();
        let micros_per_token = elapsed.as_micros() as f64 / tokens.max(1) as f64;
        let stored = computed.into_iter().map(|(row, tokens)| Stored {
            row,
            tokens: tokens as u32,
            micros: (tokens as f64 * micros_per_token).round() as u32,
        });
        let stored: Vec<(usize, Stored)> = batch.iter().copied().zip(stored).collect();
        let keyed: Vec<(u128, Stored)> =
            stored.iter().map(|(at, stored)| (keys[*at], stored.clone())).collect();
        self.store.append(&keyed)?;
        let wanted = batch.len() as f64 * AT_RISK.as_secs_f64() / elapsed.as_secs_f64().max(1e-3);
        self.batch = (wanted as usize).clamp(FEWEST, (4 * self.batch).min(MOST));
        Ok(stored)
    }
}
