//! Rows as columns, with AVX2 and AVX-512.

use crate::cpu::matrix::Matrix;
use std::arch::x86_64::*;

/// Rows and columns that are transposed at a time.
pub(super) const SQUARE: usize = 8;

/// [`transpose`] with its instructions.
///
/// # Safety
/// As [`transpose`].
///
/// # Panics
/// As [`transpose`].
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn transpose_256(
    from: Matrix<f32>,
    shape: [usize; 2],
    to: &mut [f32],
    stride: usize,
) {
    // Safety: by the caller.
    unsafe { transpose(from, shape, to, stride) };
}

/// Rows of `from` as columns of `to`, whose rows begin `stride` numbers apart.
/// Up to a whole [`SQUARE`] of missing rows are zeros.
///
/// # Safety
/// The processor has AVX2.
///
/// # Panics
/// If a slice is smaller.
#[inline(always)]
pub(super) unsafe fn transpose(
    from: Matrix<f32>,
    [rows, columns]: [usize; 2],
    to: &mut [f32],
    stride: usize,
) {
    let padded = rows.next_multiple_of(SQUARE);
    let to_holds = columns == 0 || (columns - 1) * stride + padded <= to.len();
    assert!(from.holds(rows, columns) && to_holds, "[{rows}, {columns}]");
    let whole = columns / SQUARE * SQUARE;
    for first in (0..padded).step_by(SQUARE) {
        for column in (0..whole).step_by(SQUARE) {
            // Safety: by the caller; inside of both by the assertion.
            unsafe {
                let mut square = [_mm256_setzero_ps(); SQUARE];
                for (square, row) in square.iter_mut().zip(first..rows) {
                    *square = _mm256_loadu_ps(from.data.as_ptr().add(row * from.stride + column));
                }
                for (to_row, numbers) in (column..).zip(transposed_square(square)) {
                    _mm256_storeu_ps(to.as_mut_ptr().add(to_row * stride + first), numbers);
                }
            }
        }
        for column in whole..columns {
            let to = &mut to[column * stride + first..][..SQUARE];
            to.fill(0.0);
            for (to, row) in to.iter_mut().zip(first..rows) {
                *to = from.data[row * from.stride + column];
            }
        }
    }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(super) unsafe fn transposed_square(rows: [__m256; SQUARE]) -> [__m256; SQUARE] {
    // Safety: by the caller.
    unsafe {
        let [a, b, c, d, e, f, g, h] = rows;
        let pairs = [
            (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d)),
            (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d)),
            (_mm256_unpacklo_ps(e, f), _mm256_unpacklo_ps(g, h)),
            (_mm256_unpackhi_ps(e, f), _mm256_unpackhi_ps(g, h)),
        ];
        let [(p, q), (r, s), (t, u), (v, w)] = pairs;
        // Four numbers of one column in each half: of a to d, of e to h.
        let left = [
            _mm256_shuffle_ps(p, q, 0b01_00_01_00),
            _mm256_shuffle_ps(p, q, 0b11_10_11_10),
            _mm256_shuffle_ps(r, s, 0b01_00_01_00),
            _mm256_shuffle_ps(r, s, 0b11_10_11_10),
        ];
        let right = [
            _mm256_shuffle_ps(t, u, 0b01_00_01_00),
            _mm256_shuffle_ps(t, u, 0b11_10_11_10),
            _mm256_shuffle_ps(v, w, 0b01_00_01_00),
            _mm256_shuffle_ps(v, w, 0b11_10_11_10),
        ];
        [
            _mm256_permute2f128_ps(left[0], right[0], 0x20),
            _mm256_permute2f128_ps(left[1], right[1], 0x20),
            _mm256_permute2f128_ps(left[2], right[2], 0x20),
            _mm256_permute2f128_ps(left[3], right[3], 0x20),
            _mm256_permute2f128_ps(left[0], right[0], 0x31),
            _mm256_permute2f128_ps(left[1], right[1], 0x31),
            _mm256_permute2f128_ps(left[2], right[2], 0x31),
            _mm256_permute2f128_ps(left[3], right[3], 0x31),
        ]
    }
}

/// 16 rows of 16 numbers of 32 bits as columns: in blocks of 2 × 2, of 4 × 4, and then the
/// blocks.
///
/// # Safety
/// The processor has AVX-512 F.
#[cfg(target_os = "linux")]
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn transposed_512(rows: [__m512i; 16]) -> [__m512i; 16] {
    let mut twos = rows;
    for i in (0..16).step_by(2) {
        twos[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        twos[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    // In each quarter q of `fours[4 * i + c]`: column 4 q + c of rows 4 i to 4 i + 3.
    let mut fours = twos;
    for i in (0..16).step_by(4) {
        fours[i] = _mm512_unpacklo_epi64(twos[i], twos[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(twos[i], twos[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(twos[i + 1], twos[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(twos[i + 1], twos[i + 3]);
    }
    /// Quarters 0 and 2 of both, quarters 1 and 3 of both.
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let mut columns = fours;
    for c in 0..4 {
        let [a, b, d, e] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
        let even = [_mm512_shuffle_i32x4::<EVEN>(a, b), _mm512_shuffle_i32x4::<EVEN>(d, e)];
        let odd = [_mm512_shuffle_i32x4::<ODD>(a, b), _mm512_shuffle_i32x4::<ODD>(d, e)];
        columns[c] = _mm512_shuffle_i32x4::<EVEN>(even[0], even[1]);
        columns[8 + c] = _mm512_shuffle_i32x4::<ODD>(even[0], even[1]);
        columns[4 + c] = _mm512_shuffle_i32x4::<EVEN>(odd[0], odd[1]);
        columns[12 + c] = _mm512_shuffle_i32x4::<ODD>(odd[0], odd[1]);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        if !is_x86_feature_detected!("avx2") {
            eprintln!("skipped: this processor has no AVX2");
            return;
        }
        let rows: [[f32; SQUARE]; SQUARE] =
            std::array::from_fn(|r| std::array::from_fn(|c| (10 * r + c) as f32));
        // Safety: the processor has AVX2, and the types are of one size.
        let columns: [[f32; SQUARE]; SQUARE] = unsafe {
            let registers: [__m256; SQUARE] = std::mem::transmute(rows);
            std::mem::transmute(transposed_square(registers))
        };
        for (r, row) in rows.iter().enumerate() {
            for (c, x) in row.iter().enumerate() {
                assert_eq!(*x, columns[c][r]);
            }
        }
    }
}
