//! Weights as float32: one number, or a register of them.

use burn::tensor::{bf16, f16};
use bytemuck::Pod;
#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Numbers that become float32 on their way into a register.
///
/// # Safety
/// Implementations read no more than they say.
pub(crate) unsafe trait Widen: Pod + Send + Sync {
    const ZERO: Self;

    fn widened(self) -> f32;

    /// The numbers themselves, if they are float32.
    #[cfg(target_arch = "x86_64")]
    fn in_place(_numbers: &[Self]) -> Option<&[f32]> {
        None
    }

    /// # Safety
    /// 16 numbers can be read, and the processor has AVX-512.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load_512(from: *const Self) -> __m512;

    /// # Safety
    /// 8 numbers can be read, and the processor has AVX2 and F16C.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load_256(from: *const Self) -> __m256;

    /// # Safety
    /// 4 numbers can be read, and the processor has NEON.
    #[cfg(target_arch = "aarch64")]
    unsafe fn load_128(from: *const Self) -> float32x4_t;
}

// Safety: one load of the register's width in numbers of this type.
unsafe impl Widen for f32 {
    const ZERO: Self = 0.0;

    #[inline(always)]
    fn widened(self) -> f32 {
        self
    }

    #[cfg(target_arch = "x86_64")]
    fn in_place(numbers: &[f32]) -> Option<&[f32]> {
        Some(numbers)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_512(from: *const Self) -> __m512 {
        // Safety: by the caller.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_256(from: *const Self) -> __m256 {
        // Safety: by the caller.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    unsafe fn load_128(from: *const Self) -> float32x4_t {
        // Safety: by the caller.
        unsafe { vld1q_f32(from) }
    }
}

// Safety: one load of the register's width in numbers of this type.
unsafe impl Widen for bf16 {
    const ZERO: Self = bf16::ZERO;

    /// The upper half of a float32, as in all that follow.
    #[inline(always)]
    fn widened(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_512(from: *const Self) -> __m512 {
        // Safety: by the caller.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_256(from: *const Self) -> __m256 {
        // Safety: by the caller.
        unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))
        }
    }

    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    unsafe fn load_128(from: *const Self) -> float32x4_t {
        // Safety: by the caller.
        unsafe { vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(from.cast()))) }
    }
}

// Safety: one load of the register's width in numbers of this type.
unsafe impl Widen for f16 {
    const ZERO: Self = f16::ZERO;

    #[inline(always)]
    fn widened(self) -> f32 {
        self.to_f32()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_512(from: *const Self) -> __m512 {
        // Safety: by the caller.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_256(from: *const Self) -> __m256 {
        // Safety: by the caller.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }

    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    unsafe fn load_128(from: *const Self) -> float32x4_t {
        // Safety: by the caller.
        unsafe { vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from.cast()))) }
    }
}
