//! Blocks as bfloat16 numbers in one pass, with AVX-512 and its own rounding.

use super::each;
use burn::tensor::bf16;
use std::arch::x86_64::*;

/// # Safety
/// The processor has AVX-512 with bfloat16.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn q8_0(blocks: &[u8], numbers: &mut [bf16]) {
    for (block, numbers) in each::<bf16, 34, 32>(blocks, numbers) {
        prefetch(block);
        let d = scales(block);
        // Safety: 16 codes from 2 on and 16 from 18 on, and 32 numbers.
        unsafe {
            let [low, high] = [2, 18].map(|at| {
                let codes = _mm_loadu_si128(block.as_ptr().add(at).cast());
                _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes)), d)
            });
            let rounded = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(numbers.as_mut_ptr().cast(), rounded);
        }
    }
}

/// A code has 16 numbers, which are rounded once and looked up.
///
/// # Safety
/// The processor has AVX-512 with bfloat16.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn q4_0(blocks: &[u8], numbers: &mut [bf16]) {
    let of_codes = std::array::from_fn::<f32, 16, _>(|code| code as f32 - 8.0);
    // Safety: 16 numbers.
    let of_codes = unsafe { _mm512_loadu_ps(of_codes.as_ptr()) };
    for (block, numbers) in each::<bf16, 18, 32>(blocks, numbers) {
        prefetch(block);
        let rounded = _mm512_cvtneps_pbh(_mm512_mul_ps(of_codes, scales(block)));
        // Safety: 16 bytes from 2 on, and 32 numbers.
        unsafe {
            // Twice, because five bits of an index count, and the fifth is any.
            let rounded = std::mem::transmute::<__m256bh, __m256i>(rounded);
            let table = _mm512_broadcast_i64x4(rounded);
            let low = _mm256_cvtepu8_epi16(_mm_loadu_si128(block.as_ptr().add(2).cast()));
            let codes = _mm512_castsi256_si512(low);
            let codes = _mm512_inserti64x4::<1>(codes, _mm256_srli_epi16::<4>(low));
            let found = _mm512_permutexvar_epi16(codes, table);
            _mm512_storeu_si512(numbers.as_mut_ptr().cast(), found);
        }
    }
}

/// Asks for what is read soon: the processor's own prefetching ends with each page of memory.
#[inline(always)]
fn prefetch(block: &[u8]) {
    const AHEAD: usize = 4096;
    // Safety: a hint, which reads nothing, so that it may be of anything.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(AHEAD).cast()) };
}

/// The first two bytes of a block as a float16 number, in float32.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn scales(block: &[u8]) -> __m512 {
    let d = i16::from_le_bytes([block[0], block[1]]);
    _mm512_cvtph_ps(_mm256_set1_epi16(d))
}
