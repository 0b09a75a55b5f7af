//! Numbers for tests and benchmarks, here and in `crates/qwen3-wgpu/tests/kernels/`.

/// Seeded numbers between -1 and 1 (Marsaglia 2003, "Xorshift RNGs").
pub fn random(length: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(length).collect()
}
