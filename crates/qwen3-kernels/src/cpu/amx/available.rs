//! Whether there are tiles, and they compute right.

use super::processor::Processor;
use super::tile::{SIDE, Tile};
use super::tiles::{Emulated, STEP, Strip, Tiles};
use crate::cpu::destination::Destination;
use crate::cpu::matrix::Matrix;
use burn::tensor::bf16;
use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::sync::OnceLock;

/// Whether this processor and this system have tiles, and these compute what
/// [`Emulated`] ones do.
pub(crate) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| has_instructions() && is_permitted() && computes_right())
}

/// Whether CPUID names AMX with tiles of at least the size used here, and the
/// system saves them (XCR0).
fn has_instructions() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    const TILE_STATE: u64 = 0b11 << 17;
    if __cpuid(0).eax < 0x1d || __cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let has_amx = __cpuid_count(7, 0).edx & (AMX_BF16 | AMX_TILE) == AMX_BF16 | AMX_TILE;
    // Safety: OSXSAVE says that the instruction is there.
    let is_saved = has_amx && unsafe { _xgetbv(0) } & TILE_STATE == TILE_STATE;
    is_saved && {
        let palette = __cpuid_count(0x1d, 1);
        let (bytes_per_row, names) = (palette.ebx & 0xffff, palette.ebx >> 16);
        let rows = palette.ecx & 0xffff;
        bytes_per_row == 64 && names >= 8 && rows == 16
    }
}

/// Asks Linux for the tiles, for all threads of this process
/// (Documentation/arch/x86/xstate.rst).
fn is_permitted() -> bool {
    const SYS_ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const XFEATURE_XTILEDATA: i64 = 18;
    let result: i64;
    // Safety: the call touches no memory of ours.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") SYS_ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// One product of whole numbers, whose sums are the same in any order.
fn computes_right() -> bool {
    const STEPS: usize = 3;
    let number = |seed: usize| (seed * 37 % 17) as f32 - 8.0;
    let weights: Vec<bf16> =
        (0..2 * SIDE * STEPS * STEP).map(|i| bf16::from_f32(number(i))).collect();
    let stride = STEPS * STEP;
    let a = [0, SIDE].map(|row| Strip::in_place(Matrix { data: &weights[row * stride..], stride }));
    let pair = |seed| {
        let half = |seed| bf16::from_f32(number(seed)).to_bits();
        u32::from(half(seed)) | u32::from(half(seed + 5)) << 16
    };
    let tile = |seed: usize| {
        Tile(std::array::from_fn(|row| std::array::from_fn(|i| pair(seed + 29 * row + 7 * i))))
    };
    let b: Vec<[Tile; 2]> = (0..STEPS).map(|step| [tile(step), tile(step + 100)]).collect();
    let (mut found, mut expected) = ([[Tile::ZERO; 2]; 2], [[Tile::ZERO; 2]; 2]);
    // Safety: only called where the instructions are there and permitted.
    let mut processor = unsafe { Processor::configure() };
    processor.multiply(a, &b, &mut found);
    Emulated.multiply(a, &b, &mut expected);
    let (mut four, mut expected_four) = ([Tile::ZERO; 4], [Tile::ZERO; 4]);
    processor.multiply_first([a[0], a[1], a[1], a[0]], &b, &mut four);
    Emulated.multiply_first([a[0], a[1], a[1], a[0]], &b, &mut expected_four);
    found == expected && four == expected_four && {
        let pairs: Vec<u32> = (0..3 * SIDE * STEPS * SIDE).map(|i| pair(i * 11)).collect();
        let stride = STEPS * SIDE;
        let a = [0, 1, 2].map(|i| Matrix { data: &pairs[i * SIDE * stride..], stride });
        let b = Matrix { data: &pairs[..], stride: SIDE };
        let add = |tiles: &mut dyn Tiles| {
            let mut sums = [1.0; 3 * SIDE * SIDE];
            let out = Destination::new(&mut sums, SIDE);
            let c = [0, 1, 2].map(|i| out.from(i * SIDE, 0));
            // Safety: the sums are ours alone.
            unsafe { tiles.add(STEPS, a, b, c) };
            sums
        };
        add(&mut processor) == add(&mut Emulated)
    }
}
