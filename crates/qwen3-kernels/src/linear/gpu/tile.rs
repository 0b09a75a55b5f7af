//! The tile of a product that a cube computes.

use crate::gpu::UNITS;
use crate::gpu::blocks::{Format, NEIGHBOURS, Neighbours, Rows, neighbours};
use cubecl::prelude::*;

/// The units of a cube as a grid, and how many rows and columns each of them has: with a grid of
/// 16 rows the rows 0, 16, 32 and 48.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    grid_rows: usize,
    grid_columns: usize,
    unit_rows: usize,
    unit_columns: usize,
}

/// For many rows: each number of both factors is read once for 64 products. With [`STEP`] it
/// takes 16 KiB of shared memory, which WebGPU grants on every device.
pub(super) const LARGE: Tile =
    Tile { grid_rows: 16, grid_columns: 16, unit_rows: 4, unit_columns: 4 };
/// For few rows, by four times as many cubes for as many columns.
pub(super) const SMALL: Tile =
    Tile { grid_rows: 8, grid_columns: 32, unit_rows: 1, unit_columns: 1 };

/// Vectors of a row in shared memory. They are the numbers of the smallest block, so that every
/// row has a whole number of steps.
pub(super) const STEP: usize = 32 / NEIGHBOURS;

impl Tile {
    pub fn rows(self) -> usize {
        self.grid_rows * self.unit_rows
    }

    pub fn columns(self) -> usize {
        self.grid_columns * self.unit_columns
    }
}

/// What is known when the kernel is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub weight: Rows,
    pub tile: Tile,
}

impl Shape {
    /// Vectors of a row.
    pub fn vectors(self) -> usize {
        self.weight.columns / NEIGHBOURS
    }
}

/// Which tile it is of a product of so many rows and columns.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Place {
    pub first_row: usize,
    pub rows: usize,
    pub first_column: usize,
    pub columns: usize,
}

/// A step of the tile's rows of both factors. Vectors of the same place in all rows are
/// neighbours, because units that run together read them.
#[derive(CubeType)]
pub(super) struct Shared {
    x: SharedMemory<Vector<f32, Neighbours>>,
    weight: SharedMemory<Vector<f32, Neighbours>>,
}

#[cube]
impl Shared {
    pub fn new(#[comptime] tile: Tile) -> Self {
        Shared {
            x: SharedMemory::new(comptime!(STEP * tile.rows())),
            weight: SharedMemory::new(comptime!(STEP * tile.columns())),
        }
    }

    /// From the vector `first` on; zeros beyond the last row.
    pub fn load_x(
        &mut self,
        x: &Array<Vector<f32, Neighbours>>,
        place: &Place,
        first: usize,
        #[comptime] shape: Shape,
    ) {
        let rows = comptime!(shape.tile.rows());
        for i in range_stepped(UNIT_POS as usize, comptime!(STEP * rows), UNITS) {
            let row = place.first_row + i % rows;
            let mut vector = Vector::<f32, Neighbours>::new(0.0);
            if row < place.rows {
                vector = x[row * comptime!(shape.vectors()) + first + i / rows];
            }
            self.x[i] = vector;
        }
    }

    /// The same of the weight, whose rows are the product's columns.
    pub fn load_weight<F: Format>(
        &mut self,
        words: &Array<u32>,
        place: &Place,
        first: usize,
        #[comptime] shape: Shape,
    ) {
        let columns = comptime!(shape.tile.columns());
        for i in range_stepped(UNIT_POS as usize, comptime!(STEP * columns), UNITS) {
            let row = place.first_column + i % columns;
            let mut vector = Vector::<f32, Neighbours>::new(0.0);
            if row < place.columns {
                let at = (first + i / columns) * NEIGHBOURS;
                vector = neighbours::<F>(words, row, at, comptime!(shape.weight));
            }
            self.weight[i] = vector;
        }
    }
}

/// The numbers of the product that a unit computes.
#[derive(CubeType)]
pub(super) struct Sums {
    row: usize,
    column: usize,
    sums: Array<f32>,
}

#[cube]
impl Sums {
    pub fn new(#[comptime] tile: Tile) -> Self {
        let count = comptime!(tile.unit_rows * tile.unit_columns);
        let mut sums = Array::<f32>::new(count);
        #[unroll]
        for i in 0..count {
            sums[i] = f32::new(0.0);
        }
        let grid_columns = comptime!(tile.grid_columns);
        let unit = UNIT_POS as usize;
        Sums { row: unit / grid_columns, column: unit % grid_columns, sums }
    }

    /// Adds the products of a step, one after the other.
    pub fn add(&mut self, shared: &Shared, #[comptime] tile: Tile) {
        let (unit_rows, unit_columns) = comptime!((tile.unit_rows, tile.unit_columns));
        let mut x = Array::<Vector<f32, Neighbours>>::new(unit_rows);
        for step in 0..STEP {
            #[unroll]
            for i in 0..unit_rows {
                let row = self.row + i * comptime!(tile.grid_rows);
                x[i] = shared.x[step * comptime!(tile.rows()) + row];
            }
            #[unroll]
            for j in 0..unit_columns {
                let column = self.column + j * comptime!(tile.grid_columns);
                let weight = shared.weight[step * comptime!(tile.columns()) + column];
                #[unroll]
                for i in 0..unit_rows {
                    let x = x[i];
                    let mut sum = self.sums[i * unit_columns + j];
                    #[unroll]
                    for n in 0..NEIGHBOURS {
                        sum = fma(x[n], weight[n], sum);
                    }
                    self.sums[i * unit_columns + j] = sum;
                }
            }
        }
    }

    pub fn write(&self, y: &mut Array<f32>, place: &Place, #[comptime] tile: Tile) {
        let (unit_rows, unit_columns) = comptime!((tile.unit_rows, tile.unit_columns));
        #[unroll]
        for i in 0..unit_rows {
            let row = place.first_row + self.row + i * comptime!(tile.grid_rows);
            #[unroll]
            for j in 0..unit_columns {
                let column = place.first_column + self.column + j * comptime!(tile.grid_columns);
                if row < place.rows && column < place.columns {
                    y[row * place.columns + column] = self.sums[i * unit_columns + j];
                }
            }
        }
    }
}
