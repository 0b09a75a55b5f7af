//! AVX-512 with its products of 8 bits (`vpdpbusd`).

use super::quantize::{QuantizedBlock, QuantizedX};
use super::strips::{Group, QUAD, STRIP};
use super::{By, Instructions, NUMBERS, block, gemm_by};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::tasks::Task;
use crate::cpu::gemm::transpose::transposed_512;
use crate::cpu::isa::Isa;
use qwen3_dtypes::Dtype;
use std::arch::x86_64::*;

/// As [`crate::cpu::gemm::gemm`].
///
/// # Panics
/// If this processor has not the instructions.
pub(crate) fn gemm(shape: [usize; 2], x: Input, outputs: &[Output<i8>]) {
    assert!(Isa::available().contains(&Isa::Avx512Vnni), "a processor without AVX-512-VNNI");
    gemm_by(By { isa: Isa::Avx512Vnni, block: block_512 }, shape, x, outputs);
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn block_512(x: &QuantizedX, task: &Task<i8>) {
    // Safety: by the caller.
    unsafe { block::<Avx512Vnni>(x, task) }
}

pub(super) struct Avx512Vnni;

// Safety: reads through slices, and a block's bytes.
unsafe impl Instructions for Avx512Vnni {
    #[inline(always)]
    unsafe fn pack(dtype: Dtype, k: usize, rows: &[u8], strip: &mut [Group]) {
        // Safety: by the caller; the blocks have these bytes.
        unsafe {
            match dtype {
                Dtype::Q8_0 => pack::<Q8_0>(k, rows, strip),
                Dtype::Q5_0 => pack::<Q5_0>(k, rows, strip),
                Dtype::Q4_0 => pack::<Q4_0>(k, rows, strip),
                other => panic!("products in 8 bits of {other}"),
            }
        }
    }

    #[inline(always)]
    unsafe fn totals<const M: usize>(
        x: [&[QuantizedBlock]; M],
        strips: [&[Group]; 2],
    ) -> [[[f32; STRIP]; 2]; M] {
        let n = strips[0].len();
        assert!(strips[1].len() == n && x.iter().all(|x| x.len() == n), "{n} blocks");
        let (x, strips) = (x.map(<[_]>::as_ptr), strips.map(<[_]>::as_ptr));
        // Safety: `n` blocks can be read, by the assertion; the instructions are there.
        unsafe {
            let mut totals = [[_mm512_setzero_ps(); 2]; M];
            for at in 0..n {
                let mut sums = [[_mm512_setzero_si512(); 2]; M];
                for (sums, x) in sums.iter_mut().zip(x) {
                    *sums = [_mm512_set1_epi32((*x.add(at)).start); 2];
                }
                for quad in 0..NUMBERS / QUAD {
                    let [a, b] = [strips[0].add(at), strips[1].add(at)];
                    let a = _mm512_loadu_si512((*a).codes[quad].as_ptr().cast());
                    let b = _mm512_loadu_si512((*b).codes[quad].as_ptr().cast());
                    for (sums, x) in sums.iter_mut().zip(x) {
                        let x = (&raw const (*x.add(at)).codes).cast::<i32>().add(quad);
                        let x = _mm512_set1_epi32(x.read_unaligned());
                        sums[0] = _mm512_dpbusd_epi32(sums[0], a, x);
                        sums[1] = _mm512_dpbusd_epi32(sums[1], b, x);
                    }
                }
                let scales = [
                    _mm512_loadu_ps((*strips[0].add(at)).scales.as_ptr()),
                    _mm512_loadu_ps((*strips[1].add(at)).scales.as_ptr()),
                ];
                for ((totals, sums), x) in totals.iter_mut().zip(sums).zip(x) {
                    let x = _mm512_set1_ps((*x.add(at)).scale);
                    for ((total, sum), scales) in totals.iter_mut().zip(sums).zip(scales) {
                        let scale = _mm512_mul_ps(scales, x);
                        *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, *total);
                    }
                }
            }
            in_memory(totals)
        }
    }
}

/// # Safety
/// The processor has AVX-512.
#[inline(always)]
unsafe fn in_memory<const M: usize>(totals: [[__m512; 2]; M]) -> [[[f32; STRIP]; 2]; M] {
    let mut numbers = [[[0.0; STRIP]; 2]; M];
    let each = numbers.as_flattened_mut().iter_mut().zip(totals.as_flattened());
    for (numbers, totals) in each {
        // Safety: 16 numbers; by the caller.
        unsafe { _mm512_storeu_ps(numbers.as_mut_ptr(), *totals) };
    }
    numbers
}

/// Blocks of one dtype.
///
/// # Safety
/// Implementations read no more than [`Codes::BYTES`].
unsafe trait Codes {
    /// Bytes of a block, the first two of its scale.
    const BYTES: usize;

    /// # Safety
    /// The processor has AVX-512, and a block can be read.
    unsafe fn codes(block: *const u8) -> __m256i;
}

struct Q8_0;
struct Q5_0;
struct Q4_0;

// Safety: 2 bytes and 32.
unsafe impl Codes for Q8_0 {
    const BYTES: usize = 34;

    #[inline(always)]
    unsafe fn codes(block: *const u8) -> __m256i {
        // Safety: by the caller.
        unsafe { _mm256_loadu_si256(block.add(2).cast()) }
    }
}

// Safety: 2 bytes, 4 and 16.
unsafe impl Codes for Q5_0 {
    const BYTES: usize = 22;

    #[inline(always)]
    unsafe fn codes(block: *const u8) -> __m256i {
        // Safety: by the caller.
        unsafe {
            let upper = _mm256_movm_epi8(block.add(2).cast::<u32>().read_unaligned());
            let upper = _mm256_and_si256(upper, _mm256_set1_epi8(16));
            let codes = _mm256_or_si256(upper, nibbles(block.add(6)));
            _mm256_sub_epi8(codes, _mm256_set1_epi8(16))
        }
    }
}

// Safety: 2 bytes and 16.
unsafe impl Codes for Q4_0 {
    const BYTES: usize = 18;

    #[inline(always)]
    unsafe fn codes(block: *const u8) -> __m256i {
        // Safety: by the caller.
        unsafe { _mm256_sub_epi8(nibbles(block.add(2)), _mm256_set1_epi8(8)) }
    }
}

/// The lower halves of 16 bytes, then the upper ones.
///
/// # Safety
/// The processor has AVX-512, and 16 bytes can be read.
#[inline(always)]
unsafe fn nibbles(from: *const u8) -> __m256i {
    // Safety: by the caller.
    unsafe {
        let bytes = _mm_loadu_si128(from.cast());
        let both = _mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes);
        _mm256_and_si256(both, _mm256_set1_epi8(15))
    }
}

/// Two blocks of each row at a time: 16 rows of 16 quads are turned.
///
/// # Safety
/// The processor has AVX-512.
#[inline(always)]
unsafe fn pack<C: Codes>(k: usize, rows: &[u8], strip: &mut [Group]) {
    let blocks = k / NUMBERS;
    let row_bytes = blocks * C::BYTES;
    let n_rows = rows.len() / row_bytes;
    assert!(strip.len() == blocks && n_rows <= STRIP, "{n_rows} rows of {blocks} blocks");
    // Of a dtype whose scale is zero, all numbers are.
    let nothing = [0u8; 64];
    for (pair, groups) in strip.chunks_mut(2).enumerate() {
        // Safety: by the caller.
        let mut quads = [unsafe { _mm512_setzero_si512() }; STRIP];
        let mut scales = [[0u16; STRIP]; 2];
        for row in 0..STRIP {
            let mut both = [nothing.as_ptr(); 2];
            for (half, block) in both.iter_mut().enumerate().take(groups.len()) {
                if row < n_rows {
                    *block = rows[row * row_bytes + (2 * pair + half) * C::BYTES..].as_ptr();
                }
            }
            // Safety: a block of these rows by the assertion, or as many zeros; by the caller.
            unsafe {
                let [first, second] = [C::codes(both[0]), C::codes(both[1])];
                let codes = _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
                quads[row] = _mm512_xor_si512(codes, _mm512_set1_epi8(-128));
                scales[0][row] = both[0].cast::<u16>().read_unaligned();
                scales[1][row] = both[1].cast::<u16>().read_unaligned();
            }
        }
        // Safety: 64 bytes of each quad, 16 numbers of two bytes; by the caller.
        unsafe {
            let quads = transposed_512(quads);
            for (half, group) in groups.iter_mut().enumerate() {
                for (quad, codes) in group.codes.iter_mut().enumerate() {
                    let quads = quads[half * NUMBERS / QUAD + quad];
                    _mm512_storeu_si512(codes.as_mut_ptr().cast(), quads);
                }
                let scales =
                    _mm512_cvtph_ps(std::mem::transmute::<[u16; STRIP], __m256i>(scales[half]));
                _mm512_storeu_ps(group.scales.as_mut_ptr(), scales);
            }
        }
    }
}
