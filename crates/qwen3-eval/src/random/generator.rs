//! `numpy.random.default_rng`: PCG64 (O'Neill 2014) with NumPy's `SeedSequence`.

use super::mt19937;

const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;

/// NumPy's newer generator.
pub(crate) struct Generator {
    state: u128,
    increment: u128,
    /// The upper half of a number whose lower half was drawn.
    half: Option<u32>,
}

impl Generator {
    pub fn new(seed: u32) -> Self {
        let words = seed_words(seed);
        let wide = |i: usize| (0..2).fold(0, |sum, j| sum << 64 | u128::from(words[i + j]));
        let mut new = Self { state: 0, increment: wide(2) << 1 | 1, half: None };
        new.step();
        new.state = new.state.wrapping_add(wide(0));
        new.step();
        new
    }

    /// `shuffle` of a Python list.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        mt19937::shuffle(items, || self.next_u32());
    }

    fn next_u32(&mut self) -> u32 {
        if let Some(half) = self.half.take() {
            return half;
        }
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        let drawn = folded.rotate_right((self.state >> 122) as u32);
        self.half = Some((drawn >> 32) as u32);
        drawn as u32
    }

    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }
}

/// `SeedSequence(seed).generate_state(4, uint64)`.
fn seed_words(seed: u32) -> [u64; 4] {
    let mut constant = 0x43b0_d7e5_u32;
    let hash = |word: u32, multiplier: u32, constant: &mut u32| {
        let word = word ^ *constant;
        *constant = constant.wrapping_mul(multiplier);
        let word = word.wrapping_mul(*constant);
        word ^ word >> 16
    };
    let mut pool = [seed, 0, 0, 0].map(|word| hash(word, 0x931e_8875, &mut constant));
    for from in 0..4 {
        for to in (0..4).filter(|to| *to != from) {
            let hashed = hash(pool[from], 0x931e_8875, &mut constant);
            let left = pool[to].wrapping_mul(0xca01_f9dd);
            let mixed = left.wrapping_sub(hashed.wrapping_mul(0x4973_f715));
            pool[to] = mixed ^ mixed >> 16;
        }
    }
    let mut constant = 0x8b51_f9dd_u32;
    let mut next = |i: usize| u64::from(hash(pool[i % 4], 0x58f3_8ded, &mut constant));
    [0, 2, 4, 6].map(|i| next(i) | next(i + 1) << 32)
}
