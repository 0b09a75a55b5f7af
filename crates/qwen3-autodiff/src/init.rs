//! Random numbers for adapters.

use qwen3::random::Random;

/// Kaiming's uniform numbers with `a = √5` (He et al. 2015, arXiv:1502.01852), as
/// PEFT begins with: between `-1/√in` and `1/√in`.
pub(crate) fn kaiming(shape: [usize; 2], seed: u64, name: &str) -> Vec<f32> {
    // Every layer has numbers of its own, whatever the order they are made in.
    let seed = name
        .bytes()
        .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut random = Random::new((seed ^ (seed >> 32)) as u32);
    let bound = (shape[1] as f32).sqrt().recip();
    (0..shape[0] * shape[1]).map(|_| random.unit() * bound).collect()
}
