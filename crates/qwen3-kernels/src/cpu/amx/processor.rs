//! The processor's own tiles, and whether there are any.

use super::tile::{SIDE, Tile};
use super::tiles::{Emulated, STEP, Strip, Tiles, hold, hold_pairs};
use crate::cpu::destination::Destination;
use crate::cpu::matrix::Matrix;
use burn::tensor::bf16;
use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::marker::PhantomData;
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
    found == expected && {
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

/// Tile registers of this thread, set up for 16 rows of 64 bytes.
pub(crate) struct Processor {
    /// Another thread has registers of its own.
    of_this_thread: PhantomData<*const ()>,
}

/// What `LDTILECFG` reads.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Processor {
    /// # Panics
    /// If there are no tiles.
    pub fn configured() -> Self {
        assert!(is_available(), "a processor without AMX");
        // Safety: by the assertion.
        unsafe { Self::configure() }
    }

    /// # Safety
    /// The processor has AMX, and the system permits it.
    unsafe fn configure() -> Self {
        let mut configuration = Configuration {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        configuration.row_bytes[..8].fill(64);
        configuration.rows[..8].fill(SIDE as u8);
        // Safety: by the caller; 64 bytes are read, and registers that no other
        // code uses are cleared.
        unsafe {
            asm!(
                "ldtilecfg [{0}]",
                in(reg) &raw const configuration,
                options(nostack, readonly, preserves_flags),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
        Self { of_this_thread: PhantomData }
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        // Safety: there is one only where the instructions are there.
        unsafe {
            asm!(
                "tilerelease",
                options(nostack, nomem, preserves_flags),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
    }
}

impl Tiles for Processor {
    #[inline]
    fn multiply(&mut self, a: [Strip; 2], b: &[[Tile; 2]], c: &mut [[Tile; 2]; 2]) {
        assert!(!b.is_empty() && hold(&a, b.len()), "{} steps", b.len());
        // Safety: the registers are set up. Loads are of 16 rows of 64 bytes for each
        // step, inside of `a` and `b` by the assertion; 4 KiB are stored.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{a0} + {stride}*1]",
                "tileloadd tmm6, [{b} + {line}*1]",
                "tileloadd tmm5, [{a1} + {stride}*1]",
                "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm5, tmm6",
                "tdpbf16ps tmm2, tmm4, tmm7",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a0}, {apart}",
                "add {a1}, {apart}",
                "add {b}, 2048",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{c} + {line}*1], tmm0",
                "tilestored [{c} + {line}*1 + 1024], tmm1",
                "tilestored [{c} + {line}*1 + 2048], tmm2",
                "tilestored [{c} + {line}*1 + 3072], tmm3",
                a0 = inout(reg) a[0].rows.data.as_ptr() => _,
                a1 = inout(reg) a[1].rows.data.as_ptr() => _,
                stride = in(reg) a[0].rows.stride * size_of::<bf16>(),
                apart = in(reg) a[0].apart * size_of::<bf16>(),
                b = inout(reg) b.as_ptr() => _,
                c = in(reg) c.as_mut_ptr(),
                line = in(reg) 64usize,
                steps = inout(reg) b.len() => _,
                options(nostack),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
    }

    /// # Safety
    /// As of the trait's.
    #[inline]
    unsafe fn add(
        &mut self,
        steps: usize,
        a: [Matrix<u32>; 3],
        b: Matrix<u32>,
        c: [Destination; 3],
    ) {
        assert!(steps > 0 && hold_pairs(&a, &b, steps), "{steps} steps");
        let c_stride = c[0].row_stride();
        assert!(a.iter().all(|x| x.stride == a[0].stride), "rows equally far apart");
        assert!(c.iter().all(|c| c.row_stride() == c_stride), "rows equally far apart");
        // Safety: the registers are set up. Loads of `a` and `b` are inside of
        // them by the assertion, 16 rows of 64 bytes each; as many of each `c` are
        // inside of it if its last row is, and ours by the caller.
        unsafe {
            let c = c.map(|c| (c.at(0, 0, SIDE), c.at(SIDE - 1, 0, SIDE)).0);
            asm!(
                "tileloadd tmm0, [{c0} + {c_stride}*1]",
                "tileloadd tmm1, [{c1} + {c_stride}*1]",
                "tileloadd tmm2, [{c2} + {c_stride}*1]",
                "2:",
                "tileloadd tmm6, [{b} + {b_stride}*1]",
                "tileloadd tmm3, [{a0} + {a_stride}*1]",
                "tileloadd tmm4, [{a1} + {a_stride}*1]",
                "tileloadd tmm5, [{a2} + {a_stride}*1]",
                "tdpbf16ps tmm0, tmm3, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm6",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "add {a0}, 64",
                "add {a1}, 64",
                "add {a2}, 64",
                "add {b}, {b_step}",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{c0} + {c_stride}*1], tmm0",
                "tilestored [{c1} + {c_stride}*1], tmm1",
                "tilestored [{c2} + {c_stride}*1], tmm2",
                a0 = inout(reg) a[0].data.as_ptr() => _,
                a1 = inout(reg) a[1].data.as_ptr() => _,
                a2 = inout(reg) a[2].data.as_ptr() => _,
                a_stride = in(reg) a[0].stride * size_of::<u32>(),
                b = inout(reg) b.data.as_ptr() => _,
                b_stride = in(reg) b.stride * size_of::<u32>(),
                b_step = in(reg) b.stride * size_of::<u32>() * SIDE,
                c0 = in(reg) c[0],
                c1 = in(reg) c[1],
                c2 = in(reg) c[2],
                c_stride = in(reg) c_stride * size_of::<f32>(),
                steps = inout(reg) steps => _,
                options(nostack),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
    }
}
