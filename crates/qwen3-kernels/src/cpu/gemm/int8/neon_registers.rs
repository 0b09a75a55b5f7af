//! A register of NEON as one lane of 16 bytes.

use super::lanes::Lanes;
use std::arch::aarch64::*;
use std::arch::asm;

// Safety: one lane.
unsafe impl Lanes for uint8x16_t {
    const N: usize = 1;

    #[inline(always)]
    unsafe fn load(at: impl Fn(usize) -> *const u8) -> Self {
        // Safety: by the caller, as in all that follows.
        unsafe { vld1q_u8(at(0)) }
    }

    #[inline(always)]
    unsafe fn load_all(from: &[u8]) -> Self {
        let from = &from[..size_of::<Self>()];
        // Safety: 16 bytes; by the caller.
        unsafe { vld1q_u8(from.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // Safety: by the caller.
        unsafe { vst1q_u8(to, self) };
    }

    #[inline(always)]
    unsafe fn each(lane: [u8; 16]) -> Self {
        // Safety: 16 bytes.
        unsafe { vld1q_u8(lane.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // Safety: by the caller.
        unsafe { vandq_u8(self, other) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // Safety: by the caller.
        unsafe { vaddq_u8(self, other) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // Safety: by the caller.
        unsafe { vminq_u8(self, other) }
    }

    #[inline(always)]
    unsafe fn shuffle(self, which: Self) -> Self {
        // Safety: by the caller.
        unsafe { vqtbl1q_u8(self, which) }
    }

    #[inline(always)]
    unsafe fn right(self) -> Self {
        // Safety: by the caller.
        unsafe { vshrq_n_u8::<4>(self) }
    }

    #[inline(always)]
    unsafe fn transposed(rows: [Self; 4]) -> [Self; 4] {
        // Safety: by the caller.
        unsafe {
            let [a, b, c, d] = rows.map(|row| vreinterpretq_u32_u8(row));
            let halves = [vzip1q_u32(a, b), vzip2q_u32(a, b), vzip1q_u32(c, d), vzip2q_u32(c, d)];
            let [p, q, r, s] = halves.map(|half| vreinterpretq_u64_u32(half));
            let columns = [vzip1q_u64(p, r), vzip2q_u64(p, r), vzip1q_u64(q, s), vzip2q_u64(q, s)];
            columns.map(|column| vreinterpretq_u8_u64(column))
        }
    }

    #[inline(always)]
    unsafe fn fetch(at: *const u8) {
        // Safety: a hint, which reads nothing.
        unsafe {
            asm!("prfm pldl2keep, [{at}]", at = in(reg) at, options(nostack, preserves_flags));
        }
    }
}
