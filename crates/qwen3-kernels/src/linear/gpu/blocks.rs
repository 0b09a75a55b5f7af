//! Products with weights in blocks by plain units, which never leave them: a cube widens a tile
//! of the weight at a time in the memory that its units share.
//!
//! A number of the product is summed by one unit, over `in` from the first to the last, in tiles
//! of either size: it is the same to the last bit whatever else is computed beside it.

use super::tile::{LARGE, Place, SMALL, STEP, Shape, Shared, Sums};
use crate::gpu::blocks::{BlocksOnGpu, Format, Neighbours, WithFormat, with_format};
use crate::gpu::{UNITS, empty, rows_and_columns};
use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Up to so many rows tiles are small.
const SMALL_ROWS: usize = 16;

/// `x · weightᵀ`, float32.
pub(crate) fn product<R: CubeRuntime>(x: CubeTensor<R>, weight: BlocksOnGpu<R>) -> CubeTensor<R> {
    let ([rows, columns], [outputs, inputs]) = (rows_and_columns(&x), weight.dims);
    assert_eq!(columns, inputs, "linear: the columns of x and of the weight");
    let y = empty(&x, [rows, outputs], DType::F32);
    if rows * outputs > 0 {
        with_format(weight.dtype, Product { x, weight, y: y.clone() });
    }
    y
}

struct Product<R: CubeRuntime> {
    x: CubeTensor<R>,
    weight: BlocksOnGpu<R>,
    y: CubeTensor<R>,
}

impl<R: CubeRuntime> WithFormat for Product<R> {
    type Output = ();

    fn with<F: Format>(self) {
        let [rows, outputs] = rows_and_columns(&self.y);
        let tile = if rows <= SMALL_ROWS { SMALL } else { LARGE };
        let (across, down) = (outputs.div_ceil(tile.columns()), rows.div_ceil(tile.rows()));
        multiply::launch::<F, R>(
            &self.y.client.clone(),
            CubeCount::Static(across as u32, down as u32, 1),
            CubeDim::new_1d(UNITS as u32),
            self.x.into_array_arg(),
            self.weight.words.clone().into_array_arg(),
            self.y.into_array_arg(),
            Shape { weight: self.weight.rows(), tile },
        );
    }
}

#[cube(launch)]
fn multiply<F: Format>(
    x: &Array<Vector<f32, Neighbours>>,
    words: &Array<u32>,
    y: &mut Array<f32>,
    #[comptime] shape: Shape,
) {
    let tile = comptime!(shape.tile);
    let vectors = comptime!(shape.vectors());
    let rows = x.len() / vectors;
    let place = Place {
        first_row: CUBE_POS_Y as usize * comptime!(tile.rows()),
        rows,
        first_column: CUBE_POS_X as usize * comptime!(tile.columns()),
        columns: y.len() / rows,
    };
    let mut shared = Shared::new(tile);
    let mut sums = Sums::new(tile);
    for first in range_stepped(0, vectors, STEP) {
        shared.load_x(x, &place, first, shape);
        shared.load_weight::<F>(words, &place, first, shape);
        sync_cube();
        sums.add(&shared, tile);
        sync_cube();
    }
    sums.write(y, &place, tile);
}
