//! The processor's own tiles.

use super::available::is_available;
use super::tile::{SIDE, Tile};
use super::tiles::{Strip, Tiles, hold, hold_pairs};
use crate::cpu::destination::Destination;
use crate::cpu::matrix::Matrix;
use burn::tensor::bf16;
use std::arch::asm;
use std::marker::PhantomData;

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
    pub(super) unsafe fn configure() -> Self {
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

    #[inline]
    fn multiply_first(&mut self, a: [Strip; 4], b: &[[Tile; 2]], c: &mut [Tile; 4]) {
        assert!(!b.is_empty() && hold(&a, b.len()), "{} steps", b.len());
        // Safety: as of `multiply`.
        unsafe {
            asm!(
                "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{b} + {line}*1]",
                "tileloadd tmm5, [{a0} + {stride}*1]",
                "tileloadd tmm6, [{a1} + {stride}*1]",
                "tileloadd tmm7, [{a2} + {stride}*1]",
                "tdpbf16ps tmm0, tmm5, tmm4",
                "tileloadd tmm5, [{a3} + {stride}*1]",
                "tdpbf16ps tmm1, tmm6, tmm4",
                "tdpbf16ps tmm2, tmm7, tmm4",
                "tdpbf16ps tmm3, tmm5, tmm4",
                "add {a0}, {apart}", "add {a1}, {apart}",
                "add {a2}, {apart}", "add {a3}, {apart}",
                "add {b}, 2048",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{c} + {line}*1], tmm0",
                "tilestored [{c} + {line}*1 + 1024], tmm1",
                "tilestored [{c} + {line}*1 + 2048], tmm2",
                "tilestored [{c} + {line}*1 + 3072], tmm3",
                a0 = inout(reg) a[0].rows.data.as_ptr() => _,
                a1 = inout(reg) a[1].rows.data.as_ptr() => _,
                a2 = inout(reg) a[2].rows.data.as_ptr() => _,
                a3 = inout(reg) a[3].rows.data.as_ptr() => _,
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
