//! Numbers of blocks, as fast as each set of instructions allows: [`Dtype::widen`] is the
//! reference, and what computes those without a loop of their own here.

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::cpu::gemm::bf16::round_normal;
use crate::cpu::isa::Isa;
use crate::cpu::vectorized::vectorized;
use burn::tensor::{bf16, f16};
use qwen3_dtypes::Dtype;

/// See [`Dtype::widen`]: the same numbers, to the last bit.
pub(crate) fn widen(isa: Isa, dtype: Dtype, blocks: &[u8], numbers: &mut [f32]) {
    match dtype {
        Dtype::Q8_0 => q8_0(isa, blocks, numbers),
        Dtype::Q4_0 => q4_0(isa, blocks, numbers),
        Dtype::Q5_0 => q5_0(isa, blocks, numbers),
        Dtype::Q4_K => q4_k(isa, blocks, numbers),
        Dtype::Q5_K => q5_k(isa, blocks, numbers),
        Dtype::Q6_K => q6_k(isa, blocks, numbers),
        _ => dtype.widen(blocks, numbers),
    }
}

/// The same numbers, each as the nearest bfloat16.
pub(crate) fn widen_to_bf16(isa: Isa, dtype: Dtype, blocks: &[u8], numbers: &mut [bf16]) {
    match (isa, dtype) {
        // Safety: the processor has the instructions (`Isa`).
        #[cfg(target_arch = "x86_64")]
        (Isa::AmxBf16 | Isa::Avx512Bf16, Dtype::Q8_0) => unsafe { x86::q8_0(blocks, numbers) },
        // Safety: as above.
        #[cfg(target_arch = "x86_64")]
        (Isa::AmxBf16 | Isa::Avx512Bf16, Dtype::Q4_0) => unsafe { x86::q4_0(blocks, numbers) },
        _ => widen_to(isa, dtype, (blocks, numbers), round_normal),
    }
}

/// The same numbers, each as the nearest of another format.
pub(crate) fn widen_to<T>(
    isa: Isa,
    dtype: Dtype,
    (blocks, numbers): (&[u8], &mut [T]),
    nearest: fn(Isa, &[f32], &mut [T]),
) {
    // Whole blocks of every dtype, in the first-level cache.
    let mut wide = [0.0; 1024];
    let n = wide.len();
    for (blocks, numbers) in blocks.chunks(dtype.bytes_of(n)).zip(numbers.chunks_mut(n)) {
        let wide = &mut wide[..numbers.len()];
        widen(isa, dtype, blocks, wide);
        nearest(isa, wide, numbers);
    }
}

/// Each block and its numbers.
#[inline(always)]
fn each<'a, T, const BYTES: usize, const NUMBERS: usize>(
    blocks: &'a [u8],
    numbers: &'a mut [T],
) -> impl Iterator<Item = (&'a [u8; BYTES], &'a mut [T; NUMBERS])> {
    assert_eq!(blocks.len() / BYTES, numbers.len() / NUMBERS, "blocks of bytes and of numbers");
    blocks.as_chunks().0.iter().zip(numbers.as_chunks_mut().0)
}

/// The float16 number at `at`.
#[inline(always)]
fn scale(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

vectorized! {
    fn q8_0(blocks: &[u8], numbers: &mut [f32]) {
        for (block, numbers) in each::<f32, 34, 32>(blocks, numbers) {
            let d = scale(block, 0);
            for (number, &q) in numbers.iter_mut().zip(&block[2..]) {
                *number = f32::from(q as i8) * d;
            }
        }
    }
}

vectorized! {
    fn q4_0(blocks: &[u8], numbers: &mut [f32]) {
        for (block, numbers) in each::<f32, 18, 32>(blocks, numbers) {
            let d = scale(block, 0);
            let (first, last) = numbers.split_at_mut(16);
            for ((first, last), &q) in first.iter_mut().zip(last).zip(&block[2..]) {
                *first = d * (f32::from(q & 15) - 8.0);
                *last = d * (f32::from(q >> 4) - 8.0);
            }
        }
    }
}

vectorized! {
    fn q5_0(blocks: &[u8], numbers: &mut [f32]) {
        for (block, numbers) in each::<f32, 22, 32>(blocks, numbers) {
            let d = scale(block, 0);
            let upper = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
            let (first, last) = numbers.split_at_mut(16);
            let lower = first.iter_mut().zip(last).zip(&block[6..]).enumerate();
            for (bit, ((first, last), &q)) in lower {
                let (low, high) = (upper >> bit & 1, upper >> (16 + bit) & 1);
                *first = d * ((low << 4 | u32::from(q & 15)) as f32 - 16.0);
                *last = d * ((high << 4 | u32::from(q >> 4)) as f32 - 16.0);
            }
        }
    }
}

/// `d · s` and `e · m` of the 8 groups of a block of `Q4_K` or `Q5_K`. The bytes of four groups
/// are unpacked at a time, as one word.
#[inline(always)]
pub(crate) fn steps_and_minima(block: &[u8]) -> ([f32; 8], [f32; 8]) {
    let (d, e) = (scale(block, 0), scale(block, 2));
    let [s, m, lower] = [4, 8, 12]
        .map(|at| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]));
    let upper = |word: u32| word >> 2 & 0x3030_3030;
    let s = [s & 0x3f3f_3f3f, lower & 0x0f0f_0f0f | upper(s)];
    let m = [m & 0x3f3f_3f3f, lower >> 4 & 0x0f0f_0f0f | upper(m)];
    let times = |factor: f32, words: [u32; 2]| {
        let bytes = (u64::from(words[1]) << 32 | u64::from(words[0])).to_le_bytes();
        bytes.map(|byte| factor * f32::from(byte))
    };
    (times(d, s), times(e, m))
}

/// `d · s` of the first and the last 16 numbers of the 8 groups of 32 of a block of `Q6_K`.
#[inline(always)]
pub(crate) fn halves_scales(block: &[u8]) -> [[f32; 2]; 8] {
    let d = scale(block, 208);
    let mut scales = [[0.0; 2]; 8];
    for (scale, &s) in scales.as_flattened_mut().iter_mut().zip(&block[192..208]) {
        *scale = d * f32::from(s as i8);
    }
    scales
}

vectorized! {
    fn q4_k(blocks: &[u8], numbers: &mut [f32]) {
        for (block, numbers) in each::<f32, 144, 256>(blocks, numbers) {
            let (steps, minima) = steps_and_minima(block);
            let codes = block[16..].as_chunks::<32>().0;
            for (pair, (numbers, codes)) in numbers.chunks_exact_mut(64).zip(codes).enumerate() {
                let (first, last) = numbers.split_at_mut(32);
                for ((first, last), &q) in first.iter_mut().zip(last).zip(codes) {
                    *first = steps[2 * pair] * f32::from(q & 15) - minima[2 * pair];
                    *last = steps[2 * pair + 1] * f32::from(q >> 4) - minima[2 * pair + 1];
                }
            }
        }
    }
}

vectorized! {
    fn q5_k(blocks: &[u8], numbers: &mut [f32]) {
        for (block, numbers) in each::<f32, 176, 256>(blocks, numbers) {
            let (steps, minima) = steps_and_minima(block);
            let (upper, codes) = (&block[16..48], block[48..].as_chunks::<32>().0);
            for (pair, (numbers, codes)) in numbers.chunks_exact_mut(64).zip(codes).enumerate() {
                let (first, last) = numbers.split_at_mut(32);
                let codes = codes.iter().zip(upper);
                for ((first, last), (&q, &upper)) in first.iter_mut().zip(last).zip(codes) {
                    let upper = upper >> (2 * pair);
                    let (low, high) = ((upper & 1) << 4 | q & 15, (upper & 2) << 3 | q >> 4);
                    *first = steps[2 * pair] * f32::from(low) - minima[2 * pair];
                    *last = steps[2 * pair + 1] * f32::from(high) - minima[2 * pair + 1];
                }
            }
        }
    }
}

vectorized! {
    fn q6_k(blocks: &[u8], numbers: &mut [f32]) {
        for (block, numbers) in each::<f32, 210, 256>(blocks, numbers) {
            let d = scale(block, 208);
            for (group, numbers) in numbers.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let (half, in_half) = (group / 8, group % 8);
                let lower = &block[64 * half + 16 * (in_half % 4)..][..16];
                let upper = &block[128 + 32 * half + 16 * (in_half % 2)..][..16];
                let (nibble, quarter) = (4 * (in_half / 4), 2 * (in_half / 2));
                let step = d * f32::from(block[192 + group] as i8);
                for (number, (&lower, &upper)) in numbers.iter_mut().zip(lower.iter().zip(upper)) {
                    let q = (upper >> quarter & 3) << 4 | lower >> nibble & 15;
                    *number = step * (f32::from(q) - 32.0);
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cpu::gemm::Format;
    use crate::cpu::gemm::bf16::nearest_bf16;
    use proptest::prelude::*;

    /// Blocks of any bytes, also of scales that are no numbers.
    pub fn blocks(dtype: Dtype, n: usize, seed: u64) -> Vec<u8> {
        let numbers = crate::random::random(n * dtype.block_bytes(), seed);
        numbers.into_iter().map(|x| (x * 1e6) as i32 as u8).collect()
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_the_reference(n in 0usize..9, seed: u64) {
            for (dtype, isa) in
                Dtype::all().flat_map(|dtype| Isa::available().into_iter().map(move |isa| (dtype, isa)))
            {
                let blocks = blocks(dtype, n, seed);
                let mut expected = vec![0.0; n * dtype.block_len()];
                let mut found = expected.clone();
                dtype.widen(&blocks, &mut expected);
                widen(isa, dtype, &blocks, &mut found);
                let mut rounded = vec![bf16::ZERO; found.len()];
                bf16::widen(isa, dtype, &blocks, &mut rounded);
                for ((found, rounded), expected) in found.iter().zip(rounded).zip(&expected) {
                    let same = found.to_bits() == expected.to_bits();
                    prop_assert!(same || found.is_nan() && expected.is_nan(), "{dtype} {isa}");
                    let same = rounded.to_bits() == nearest_bf16(*expected).to_bits();
                    // Float32 weights may be denormal, those of codes are not.
                    let is_nothing = rounded == bf16::ZERO && expected.is_subnormal();
                    prop_assert!(same || rounded.is_nan() && expected.is_nan() || is_nothing);
                }
            }
        }
    }
}
