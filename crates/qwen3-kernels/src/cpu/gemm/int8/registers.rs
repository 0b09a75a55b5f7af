//! Registers of lanes of 16 bytes, of AVX2 and of AVX-512.

use super::lanes::Lanes;
use std::arch::x86_64::*;

/// Implements [`Lanes`] by the intrinsics of a register.
macro_rules! lanes {
    (
        $Register:ty, $n:literal, $load:expr, load_all: $load_all:ident, store: $store:ident, each: $each:ident,
        and: $and:ident, add: $add:ident, min: $min:ident, shuffle: $shuffle:ident,
        right: $right:ident,
        unpack: [$low_32:ident, $high_32:ident, $low_64:ident, $high_64:ident $(,)?] $(,)?
    ) => {
        // Safety: so many lanes.
        unsafe impl Lanes for $Register {
            const N: usize = $n;

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn load(at: impl Fn(usize) -> *const u8) -> Self {
                // Safety: by the caller.
                unsafe { $load(|lane| _mm_loadu_si128(at(lane).cast())) }
            }

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn load_all(from: &[u8]) -> Self {
                let from = &from[..size_of::<Self>()];
                // Safety: so many bytes; by the caller.
                unsafe { $load_all(from.as_ptr().cast()) }
            }

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn store(self, to: *mut u8) {
                // Safety: by the caller.
                unsafe { $store(to.cast(), self) }
            }

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn each(lane: [u8; 16]) -> Self {
                // Safety: by the caller.
                unsafe { $each(_mm_loadu_si128(lane.as_ptr().cast())) }
            }

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn and(self, other: Self) -> Self {
                // Safety: by the caller.
                unsafe { $and(self, other) }
            }

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // Safety: by the caller.
                unsafe { $add(self, other) }
            }

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn min(self, other: Self) -> Self {
                // Safety: by the caller.
                unsafe { $min(self, other) }
            }

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn shuffle(self, which: Self) -> Self {
                // Safety: by the caller.
                unsafe { $shuffle(self, which) }
            }

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn right(self) -> Self {
                // Safety: by the caller.
                unsafe { $right::<4>(self) }
            }

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn transposed([a, b, c, d]: [Self; 4]) -> [Self; 4] {
                // Safety: by the caller.
                unsafe {
                    let [p, q] = [$low_32(a, b), $high_32(a, b)];
                    let [r, s] = [$low_32(c, d), $high_32(c, d)];
                    [$low_64(p, r), $high_64(p, r), $low_64(q, s), $high_64(q, s)]
                }
            }

            /// # Safety
            /// See [`Lanes`].
            #[inline(always)]
            unsafe fn fetch(at: *const u8) {
                // Safety: a hint, which reads nothing.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
            }
        }
    };
}

lanes!(
    __m256i, 2, in_256,
    load_all: _mm256_loadu_si256, store: _mm256_storeu_si256, each: _mm256_broadcastsi128_si256, and: _mm256_and_si256,
    add: _mm256_add_epi8, min: _mm256_min_epu8, shuffle: _mm256_shuffle_epi8,
    right: _mm256_srli_epi16,
    unpack: [
        _mm256_unpacklo_epi32, _mm256_unpackhi_epi32,
        _mm256_unpacklo_epi64, _mm256_unpackhi_epi64,
    ],
);

lanes!(
    __m512i, 4, in_512,
    load_all: _mm512_loadu_si512, store: _mm512_storeu_si512, each: _mm512_broadcast_i32x4, and: _mm512_and_si512,
    add: _mm512_add_epi8, min: _mm512_min_epu8, shuffle: _mm512_shuffle_epi8,
    right: _mm512_srli_epi16,
    unpack: [
        _mm512_unpacklo_epi32, _mm512_unpackhi_epi32,
        _mm512_unpacklo_epi64, _mm512_unpackhi_epi64,
    ],
);

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn in_256(lane: impl Fn(usize) -> __m128i) -> __m256i {
    // Safety: by the caller.
    unsafe { _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(lane(0)), lane(1)) }
}

/// # Safety
/// The processor has AVX-512 F.
#[inline(always)]
unsafe fn in_512(lane: impl Fn(usize) -> __m128i) -> __m512i {
    // Safety: by the caller.
    unsafe {
        let lanes = _mm512_castsi128_si512(lane(0));
        let lanes = _mm512_inserti32x4::<1>(lanes, lane(1));
        let lanes = _mm512_inserti32x4::<2>(lanes, lane(2));
        _mm512_inserti32x4::<3>(lanes, lane(3))
    }
}
