//! The Mersenne Twister of Matsumoto and Nishimura (1998), `mt19937ar.c`.

const WORDS: usize = 624;
const SHIFT: usize = 397;

/// The state of the generator.
pub(super) struct Mt19937 {
    words: [u32; WORDS],
    at: usize,
}

impl Mt19937 {
    /// `init_genrand`: how NumPy's `RandomState` begins from a number.
    pub fn seeded(seed: u32) -> Self {
        let mut words = [seed; WORDS];
        for i in 1..WORDS {
            let before = words[i - 1] ^ (words[i - 1] >> 30);
            words[i] = before.wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { words, at: WORDS }
    }

    /// `init_by_array` with one number: how Python's `random.Random` begins from one.
    pub fn seeded_by(key: u32) -> Self {
        let mut words = Self::seeded(19_650_218).words;
        let mut at = 1;
        let mut next = |multiplier: u32, add: &dyn Fn(u32) -> u32| {
            let before = words[at - 1] ^ (words[at - 1] >> 30);
            let mixed = words[at] ^ before.wrapping_mul(multiplier);
            words[at] = mixed.wrapping_add(add(at as u32));
            at += 1;
            if at == WORDS {
                words[0] = words[WORDS - 1];
                at = 1;
            }
        };
        for _ in 0..WORDS {
            next(1_664_525, &|_| key);
        }
        for _ in 1..WORDS {
            next(1_566_083_941, &|at| at.wrapping_neg());
        }
        words[0] = 0x8000_0000;
        Self { words, at: WORDS }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.at == WORDS {
            self.twist();
        }
        let mut word = self.words[self.at];
        self.at += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// A number in `[0, 1)` of 53 bits.
    pub fn next_f64(&mut self) -> f64 {
        let (high, low) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    fn twist(&mut self) {
        for i in 0..WORDS {
            let upper = self.words[i] & 0x8000_0000;
            let bits = upper | (self.words[(i + 1) % WORDS] & 0x7fff_ffff);
            let odd = if bits & 1 == 1 { 0x9908_b0df } else { 0 };
            self.words[i] = self.words[(i + SHIFT) % WORDS] ^ (bits >> 1) ^ odd;
        }
        self.at = 0;
    }
}

/// NumPy's `random_interval`: a number of `0..=max`, by drawing until one fits.
pub(super) fn at_most(max: u32, mut draw: impl FnMut() -> u32) -> usize {
    let mask = u32::MAX.checked_shr(max.leading_zeros()).unwrap_or(0);
    loop {
        let drawn = draw() & mask;
        if drawn <= max {
            return drawn as usize;
        }
    }
}

/// Fisher and Yates from the end, as NumPy shuffles.
pub(super) fn shuffle<T>(items: &mut [T], mut draw: impl FnMut() -> u32) {
    for i in (1..items.len()).rev() {
        items.swap(i, at_most(i as u32, &mut draw));
    }
}
