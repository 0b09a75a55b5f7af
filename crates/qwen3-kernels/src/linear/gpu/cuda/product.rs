//! The kernels for products, and the sizes of their tiles.

use crate::gpu::cuda::{COMMON, ENTRY, Source, defines};

const EPILOGUE: &str = include_str!("epilogue.cu");
const MMA: &str = include_str!("mma.cu");
const WGMMA: &str = include_str!("wgmma.cu");

/// Inputs of a step of `wgmma.cu`.
pub(super) const WGMMA_STEP: usize = 64;

/// What becomes of the sums; the numbers of `epilogue.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Epilogue {
    Store = 0,
    Add = 1,
    SwiGlu = 2,
}

/// A kernel for products.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Product {
    pub kernel: Kernel,
    pub is_float16: bool,
    pub epilogue: Epilogue,
    pub weights: usize,
    pub is_scaled: bool,
}

/// How a product is cut into tiles.
///
/// Measured on an H100, bfloat16, microseconds (cuBLAS with a bfloat16 output; `Narrow`, `Small`,
/// `Deep`, `Wide`), for the 0.6B shape's q, k and v with 1, 64, 512 and 4,096 rows: 5.4 (5.9 8.7
/// 10.2 -), 5.9 (11.9 8.9 10.6 15.3), 8.9 (72 42 11.6 15.4), 51 (- - 75 66).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    /// 16 rows, for which reading the weight takes the time: eight warps share the inputs.
    Narrow,
    /// 32 rows.
    Small,
    /// 64 x 128.
    Middle,
    /// 128 x 128.
    Large,
    /// 128 x 128 by `wgmma`, six steps ahead.
    Deep,
    /// 128 x 256 by `wgmma`.
    Wide,
}

/// The sizes of `mma.cu`.
struct MmaSizes {
    tile: [usize; 3],
    warp: [usize; 2],
    warps_k: usize,
    stages: usize,
}

impl Product {
    pub fn rows(&self) -> usize {
        match self.kernel {
            Kernel::Narrow => 16,
            Kernel::Small => 32,
            Kernel::Middle => 64,
            Kernel::Large | Kernel::Deep | Kernel::Wide => 128,
        }
    }

    /// Rows of weights in a tile.
    pub fn weight_rows(&self) -> usize {
        match (self.kernel, self.epilogue) {
            (Kernel::Narrow, Epilogue::Store | Epilogue::Add) => 32,
            (Kernel::Narrow, Epilogue::SwiGlu) | (Kernel::Small, _) => 64,
            (Kernel::Wide, _) => 256,
            (Kernel::Middle | Kernel::Large | Kernel::Deep, _) => 128,
        }
    }

    /// Columns of the output in a tile.
    fn columns(&self) -> usize {
        match self.epilogue {
            Epilogue::Store | Epilogue::Add => self.weight_rows(),
            Epilogue::SwiGlu => self.weight_rows() / 2,
        }
    }

    /// Tiles in all, and of the columns of each output.
    pub fn tiles(&self, rows: usize, columns: &[usize]) -> (usize, Vec<usize>) {
        let of_columns: Vec<usize> = columns.iter().map(|n| n.div_ceil(self.columns())).collect();
        (rows.div_ceil(self.rows()) * of_columns.iter().sum::<usize>(), of_columns)
    }

    pub fn is_wgmma(&self) -> bool {
        matches!(self.kernel, Kernel::Deep | Kernel::Wide)
    }

    /// Steps of `wgmma.cu` that are on their way.
    fn wgmma_stages(&self) -> usize {
        if self.kernel == Kernel::Wide { 4 } else { 6 }
    }

    fn mma_sizes(&self) -> MmaSizes {
        let (rows, weight_rows) = (self.rows(), self.weight_rows());
        let (inputs, warp, warps_k, stages) = match (self.kernel, self.epilogue) {
            (Kernel::Narrow, Epilogue::SwiGlu) => (128, [16, 64], 8, 4),
            (Kernel::Narrow, _) => (256, [16, 32], 8, 3),
            (Kernel::Small, _) => (128, [32, 64], 8, 3),
            (Kernel::Middle, _) => (64, [32, 64], 1, 3),
            _ => (32, [64, 64], 1, 3),
        };
        MmaSizes { tile: [rows, weight_rows, inputs], warp, warps_k, stages }
    }
}

impl Source for Product {
    fn code(&self) -> String {
        let mut constants = vec![
            ("FLOAT16", usize::from(self.is_float16)),
            ("EPILOGUE", self.epilogue as usize),
            ("WEIGHTS", self.weights),
            ("SCALED", usize::from(self.is_scaled)),
            ("TILE_M", self.rows()),
            ("TILE_N", self.weight_rows()),
        ];
        let kernel = if self.is_wgmma() {
            constants.push(("STAGES", self.wgmma_stages()));
            WGMMA
        } else {
            let MmaSizes { tile, warp, warps_k, stages } = self.mma_sizes();
            constants.extend([("TILE_K", tile[2]), ("WARP_M", warp[0]), ("WARP_N", warp[1])]);
            constants.extend([("WARPS_K", warps_k), ("STAGES", stages)]);
            MMA
        };
        format!("#define ENTRY {ENTRY}\n{}{COMMON}{EPILOGUE}{kernel}", defines(&constants))
    }

    fn threads(&self) -> u32 {
        if self.is_wgmma() {
            return 288;
        }
        let MmaSizes { tile, warp, warps_k, .. } = self.mma_sizes();
        (tile[0] / warp[0] * (tile[1] / warp[1]) * warps_k * 32) as u32
    }

    fn shared_bytes(&self) -> usize {
        let rows = self.rows() + self.weight_rows();
        if self.is_wgmma() {
            // Tiles begin at multiples of 1,024 bytes; then two barriers for each.
            return 1024 + self.wgmma_stages() * (rows * WGMMA_STEP * 2 + 16);
        }
        let MmaSizes { tile, stages, .. } = self.mma_sizes();
        stages * rows * tile[2] * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kernel; 6] =
        [Kernel::Narrow, Kernel::Small, Kernel::Middle, Kernel::Large, Kernel::Deep, Kernel::Wide];

    fn product(kernel: Kernel, epilogue: Epilogue) -> Product {
        Product { kernel, is_float16: false, epilogue, weights: 2, is_scaled: false }
    }

    #[test]
    fn blocks_fit_the_smallest_gpu_of_their_generation() {
        for kernel in ALL {
            for epilogue in [Epilogue::Store, Epilogue::Add, Epilogue::SwiGlu] {
                let product = product(kernel, epilogue);
                // Of compute capability 8.6, and of 9.0.
                let limit = if product.is_wgmma() { 227 << 10 } else { 99 << 10 };
                assert!(product.shared_bytes() <= limit, "{product:?}");
                assert!(product.threads() <= 1024, "{product:?}");
                // SwiGLU's epilogue takes eight fragments of eight columns at a time.
                let is_even = product.is_wgmma() || product.mma_sizes().warp[1].is_multiple_of(64);
                assert!(epilogue != Epilogue::SwiGlu || is_even, "{product:?}");
            }
        }
    }

    #[test]
    fn tiles_cover_every_row_and_column() {
        let product = product(Kernel::Wide, Epilogue::Store);
        assert_eq!(product.tiles(129, &[256, 257, 8]), (2 * 4, vec![1, 2, 1]));
        let product = self::product(Kernel::Wide, Epilogue::SwiGlu);
        assert_eq!(product.tiles(128, &[257]), (3, vec![3]));
    }
}
