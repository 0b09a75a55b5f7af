//! What becomes of the numbers of two strips.

use super::STRIP;
use crate::linear::product::finish::Finish;

impl Finish<'_> {
    /// Takes `n` columns of a few rows: 32 of one weight, or 16 gates and as
    /// many values.
    ///
    /// # Safety
    /// As [`Finish::row`].
    #[inline(always)]
    pub(super) unsafe fn strips(
        &self,
        row: usize,
        column: usize,
        n: usize,
        strips: [&[[f32; STRIP]]; 2],
    ) {
        let here = n.min(STRIP);
        for (row, (first, second)) in (row..).zip(strips[0].iter().zip(strips[1])) {
            // Safety: by the caller.
            unsafe {
                self.row(row, column, &first[..here], &second[..here]);
                if n > STRIP {
                    self.row(row, column + STRIP, &second[..n - STRIP], &[]);
                }
            }
        }
    }
}
