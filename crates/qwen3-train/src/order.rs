//! Which examples are in which step: a function of the seed, so that a run that goes
//! on needs to know no more than how many steps it has done.

/// Batches whose examples are sorted by length together.
const SORTED_BATCHES: usize = 32;

/// The steps of all epochs.
#[derive(Debug)]
pub(crate) struct Order {
    lengths: Vec<u32>,
    batch_size: usize,
    /// Of the shuffling; `None`: batches are consecutive examples.
    seed: Option<u64>,
    /// The epoch whose batches are at hand.
    epoch: u64,
    batches: Vec<Vec<u32>>,
}

impl Order {
    /// `lengths` are the tokens of each example; there is at least one.
    pub fn new(lengths: Vec<u32>, batch_size: usize, seed: Option<u64>) -> Self {
        assert!(!lengths.is_empty() && batch_size > 0, "{} in {batch_size}", lengths.len());
        let batches = batches(&lengths, batch_size, seed, 0);
        Self { lengths, batch_size, seed, epoch: 0, batches }
    }

    /// Steps of one epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.lengths.len().div_ceil(self.batch_size) as u64
    }

    /// The examples of a step, counted from 1 over all epochs.
    pub fn examples(&mut self, step: u64) -> &[u32] {
        let (epoch, batch) =
            ((step - 1) / self.steps_per_epoch(), (step - 1) % self.steps_per_epoch());
        if epoch != self.epoch {
            self.batches = batches(&self.lengths, self.batch_size, self.seed, epoch);
            self.epoch = epoch;
        }
        &self.batches[batch as usize]
    }
}

/// All examples of an epoch once: shuffled, cut into pieces of some batches, each of
/// which is sorted by length and cut into batches, which are shuffled again.
fn batches(lengths: &[u32], batch_size: usize, seed: Option<u64>, epoch: u64) -> Vec<Vec<u32>> {
    let mut examples: Vec<u32> = (0..lengths.len() as u32).collect();
    let cut = |examples: &[u32]| examples.chunks(batch_size).map(<[u32]>::to_vec).collect();
    let Some(seed) = seed else { return cut(&examples) };
    let mut random = SplitMix64(seed ^ epoch.wrapping_mul(0xD1B5_4A32_D192_ED03));
    random.shuffle(&mut examples);
    for piece in examples.chunks_mut(batch_size.saturating_mul(SORTED_BATCHES)) {
        piece.sort_by_key(|&example| lengths[example as usize]);
    }
    // No batch but the last is smaller, since pieces hold whole batches.
    let mut batches: Vec<Vec<u32>> = cut(&examples);
    random.shuffle(&mut batches);
    batches
}

/// Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Fisher and Yates.
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = (u128::from(self.next()) * (last as u128 + 1)) >> 64;
            items.swap(last, other as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_every_example_once_and_batches_of_like_length() {
        let lengths: Vec<u32> = (0..1_000).map(|i| (i * 37) % 101).collect();
        let mut order = Order::new(lengths.clone(), 16, Some(7));
        assert_eq!(order.steps_per_epoch(), 63);
        let mut of_epoch = |epoch: u64| -> Vec<Vec<u32>> {
            (1..=63).map(|step| order.examples(epoch * 63 + step).to_vec()).collect()
        };
        let (first, second) = (of_epoch(0), of_epoch(1));
        for epoch in [&first, &second] {
            let mut seen = epoch.concat();
            seen.sort_unstable();
            assert_eq!(seen, (0..1_000).collect::<Vec<u32>>());
            let spread = |batch: &Vec<u32>| {
                let lengths = || batch.iter().map(|&example| lengths[example as usize]);
                lengths().max().unwrap() - lengths().min().unwrap()
            };
            let spreads = epoch.iter().map(spread).sum::<u32>();
            assert!(spreads < 63 * 15, "{spreads}");
        }
        assert_ne!(first, second);
        // Whoever comes back finds the same.
        assert_eq!(of_epoch(0), first);
        assert_ne!(Order::new(lengths, 16, Some(8)).examples(1), first[0]);
    }

    #[test]
    fn the_order_of_the_files_can_be_kept() {
        let mut order = Order::new(vec![3, 1, 2, 9, 4], 2, None);
        assert_eq!((order.steps_per_epoch(), order.examples(2)), (3, [2, 3].as_slice()));
        assert_eq!(order.examples(3), [4]);
        assert_eq!(order.examples(4), [0, 1]);
    }
}
