//! Blocks as numbers: all rows, or some.

use super::{
    BlocksOnGpu, Format, NEIGHBOURS, Neighbours, Rows, WithFormat, neighbours, with_format,
};
use crate::gpu::{UNITS, cube_count, empty};
use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::kernel::{cast, into_contiguous};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// All numbers in `dtype`, `[out, in]`.
pub(crate) fn widened<R: CubeRuntime>(blocks: BlocksOnGpu<R>, dtype: DType) -> CubeTensor<R> {
    let y = empty(&blocks.words, blocks.dims, dtype);
    with_format(blocks.dtype, All { blocks, y: y.clone() });
    y
}

struct All<R: CubeRuntime> {
    blocks: BlocksOnGpu<R>,
    y: CubeTensor<R>,
}

impl<R: CubeRuntime> WithFormat for All<R> {
    type Output = ();

    fn with<F: Format>(self) {
        let Self { blocks, y } = self;
        let vectors = y.meta.shape().num_elements() / NEIGHBOURS;
        if vectors > 0 {
            let (rows, dtype) = (blocks.rows(), y.dtype.into());
            widen_all::launch::<F, R>(
                &y.client.clone(),
                cube_count(vectors.div_ceil(UNITS)),
                CubeDim::new_1d(UNITS as u32),
                blocks.words.into_array_arg(),
                y.into_array_arg(),
                rows,
                dtype,
            );
        }
    }
}

#[cube(launch)]
fn widen_all<F: Format, W: Float>(
    words: &Array<u32>,
    y: &mut Array<Vector<W, Neighbours>>,
    #[comptime] rows: Rows,
    #[define(W)] _dtype: StorageType,
) {
    if ABSOLUTE_POS < y.len() {
        let vectors = comptime!(rows.columns / NEIGHBOURS);
        let (row, vector) = (ABSOLUTE_POS / vectors, ABSOLUTE_POS % vectors);
        y[ABSOLUTE_POS] = Vector::cast_from(neighbours::<F>(words, row, vector * NEIGHBOURS, rows));
    }
}

/// The rows of these numbers in float32, `[T, in]`.
pub(crate) fn selected<R: CubeRuntime>(
    blocks: BlocksOnGpu<R>,
    ids: CubeTensor<R>,
) -> CubeTensor<R> {
    let [n_ids] = ids.meta.shape().dims();
    let y = empty(&blocks.words, [n_ids, blocks.dims[1]], DType::F32);
    let ids = into_contiguous(cast(ids, DType::I32));
    with_format(blocks.dtype, Selected { blocks, ids, y: y.clone() });
    y
}

struct Selected<R: CubeRuntime> {
    blocks: BlocksOnGpu<R>,
    ids: CubeTensor<R>,
    y: CubeTensor<R>,
}

impl<R: CubeRuntime> WithFormat for Selected<R> {
    type Output = ();

    fn with<F: Format>(self) {
        let Self { blocks, ids, y } = self;
        let vectors = y.meta.shape().num_elements() / NEIGHBOURS;
        if vectors > 0 {
            let rows = blocks.rows();
            widen_selected::launch::<F, R>(
                &y.client.clone(),
                cube_count(vectors.div_ceil(UNITS)),
                CubeDim::new_1d(UNITS as u32),
                blocks.words.into_array_arg(),
                ids.into_array_arg(),
                y.into_array_arg(),
                rows,
            );
        }
    }
}

#[cube(launch)]
fn widen_selected<F: Format>(
    words: &Array<u32>,
    ids: &Array<i32>,
    y: &mut Array<Vector<f32, Neighbours>>,
    #[comptime] rows: Rows,
) {
    if ABSOLUTE_POS < y.len() {
        let vectors = comptime!(rows.columns / NEIGHBOURS);
        let row = usize::cast_from(ids[ABSOLUTE_POS / vectors]);
        let column = ABSOLUTE_POS % vectors * NEIGHBOURS;
        y[ABSOLUTE_POS] = neighbours::<F>(words, row, column, rows);
    }
}
