//! Sums of products of pairs, for attention: whole tiles here, 48 rows by 16 columns
//! at a time, and what is left with the registers of AVX-512.

use crate::cpu::amx::{Processor, SIDE, Tiles};
use crate::cpu::gemm::accumulate::{Accumulate, Sum};
use crate::cpu::gemm::x86::accumulate_pairs_512;

/// # Safety
/// As of [`Accumulate`].
pub(crate) unsafe fn accumulate_pairs(of: Sum<u32>) {
    // Safety: by the caller.
    unsafe { accumulate_on(Processor::configured, accumulate_pairs_512, of) }
}

/// [`accumulate_pairs`] on any tiles, and with any registers for the rest.
///
/// # Safety
/// As of [`Accumulate`].
pub(super) unsafe fn accumulate_on<T: Tiles>(
    tiles: impl Fn() -> T,
    rest: Accumulate<u32>,
    of: Sum<u32>,
) {
    let Sum { shape: [m, k, n], a, b, c } = of;
    assert!(a.holds(m, k) && b.holds(k, n), "[{m}, {k}] · [{k}, {n}]");
    let whole = |length: usize| length / SIDE * SIDE;
    let (rows, steps, columns) = (whole(m), k / SIDE, whole(n));
    if rows == 0 || steps == 0 || columns == 0 {
        // Safety: by the caller.
        return unsafe { rest(of) };
    }
    let mut tiles = tiles();
    for first in (0..rows).step_by(3 * SIDE) {
        // The last tile again where there are no three.
        let at = [0, 1, 2].map(|tile| (first + tile * SIDE).min(rows - SIDE));
        let a = at.map(|row| a.from(row, 0));
        for column in (0..columns).step_by(SIDE) {
            let c = at.map(|row| c.from(row, column));
            // Safety: by the caller; inside of `m` rows of `n` columns.
            unsafe { tiles.add(steps, a, b.from(0, column), c) };
        }
    }
    drop(tiles);
    let done = steps * SIDE;
    let parts = [
        // The last of `k`, of the rows and columns above.
        ([rows, k - done, columns], [0, done, 0]),
        ([rows, k, n - columns], [0, 0, columns]),
        ([m - rows, k, n], [rows, 0, 0]),
    ];
    for (shape, [row, i, column]) in parts.into_iter().filter(|(shape, _)| !shape.contains(&0)) {
        let (a, b, c) = (a.from(row, i), b.from(i, column), c.from(row, column));
        // Safety: by the caller; as above.
        unsafe { rest(Sum { shape, a, b, c }) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::amx::{Emulated, is_available};
    use crate::cpu::gemm::amx::tests::sizes;
    use crate::cpu::gemm::{path, tests};
    use crate::cpu::isa::Isa;
    use proptest::prelude::*;

    fn check_pairs(shape: [usize; 3], gap: usize, seed: u64) {
        let rest = Isa::available().into_iter().rfind(|isa| *isa <= Isa::Avx512Bf16).unwrap();
        tests::check_pairs("emulated", shape, gap, seed, |sum| {
            // Safety: its memory is nobody else's.
            unsafe { accumulate_on(|| Emulated, path::accumulate_pairs(rest), sum) };
        });
        if is_available() {
            tests::check_pairs("processor", shape, gap, seed, |sum| {
                // Safety: as above.
                unsafe { accumulate_pairs(sum) };
            });
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn sums_of_pairs_are_right_for_odd_sizes(
            m in 1usize..110, k in 1usize..70, n in 1usize..70, gap in 0usize..9, seed: u64,
        ) {
            check_pairs([m, k, n], gap, seed);
        }

        #[test]
        fn sums_of_pairs_are_right_around_the_sizes_of_tiles(
            m in sizes(), k in sizes(), n in sizes(), seed: u64,
        ) {
            check_pairs([m, k, n], 0, seed);
        }
    }

    #[test]
    fn sums_of_no_pairs_are_what_was_there() {
        for shape in [[0, 20, 20], [20, 0, 20], [20, 20, 0]] {
            check_pairs(shape, 3, 1);
        }
    }
}
