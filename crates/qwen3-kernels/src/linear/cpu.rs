//! The linear layer on Burn Flex: float32 arithmetic over weights that stay
//! in their own precision.
//!
//! Flex's own half-precision product turns the whole weight into float32 at
//! every call. Here a panel of rows that fits the second-level cache is
//! widened just before it is used, so nothing of the weight's size is ever
//! allocated.

use crate::matmul::{Destination, Matrix, matmul};
use burn::tensor::{DType, Element, Tensor, TensorPrimitive, bf16, f16};
use burn_flex::{Flex, FlexTensor};
use gemm::Parallelism;
use rayon::prelude::*;
use std::cell::RefCell;

/// Elements of one widened panel: 512 KiB of float32, half of a common
/// second-level cache.
const PANEL_ELEMENTS: usize = 128 * 1024;

/// See [`crate::linear()`].
pub(crate) fn linear(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
    bias: Option<Tensor<Flex, 1>>,
) -> Tensor<Flex, 2> {
    let [tokens, inputs] = x.dims();
    let [outputs, weight_inputs] = weight.dims();
    assert_eq!(inputs, weight_inputs, "linear: x has {inputs} columns, the weight {weight_inputs}");

    let x = x.into_primitive().tensor().to_contiguous();
    let weight = weight.into_primitive().tensor().to_contiguous();
    let mut y = FlexTensor::empty([tokens, outputs].into(), DType::F32);
    let shape = [tokens, inputs, outputs];
    let out = y.storage_mut::<f32>();
    match weight.dtype() {
        DType::F32 => matmul(
            shape,
            rows(x.storage(), inputs),
            transposed(weight.storage(), inputs),
            Destination::new(out, outputs),
            false,
            1.0,
            Parallelism::Rayon(0),
        ),
        DType::BF16 => by_panels(shape, x.storage(), weight.storage(), out, bf16::to_f32),
        DType::F16 => by_panels(shape, x.storage(), weight.storage(), out, f16::to_f32),
        other => panic!("linear: a weight of dtype {other:?}"),
    }
    let y = Tensor::from_primitive(TensorPrimitive::Float(y));
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}

/// A matrix of `columns` columns, row after row.
fn rows(data: &[f32], columns: usize) -> Matrix<'_> {
    Matrix { data, row_stride: columns, column_stride: 1 }
}

/// The transpose of [`rows`].
fn transposed(data: &[f32], columns: usize) -> Matrix<'_> {
    Matrix { data, row_stride: 1, column_stride: columns }
}

/// `out = x · weightᵀ`, a panel of the weight's rows at a time, panels in parallel.
fn by_panels<W: Element + Copy + Sync>(
    [tokens, inputs, outputs]: [usize; 3],
    x: &[f32],
    weight: &[W],
    out: &mut [f32],
    widen: fn(W) -> f32,
) {
    thread_local! {
        static PANEL: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    let threads = rayon::current_num_threads();
    let panel_rows = (PANEL_ELEMENTS / inputs).min(outputs.div_ceil(threads)).max(1);
    let out = Destination::new(out, outputs);
    weight.par_chunks(panel_rows * inputs).enumerate().for_each(|(panel, weight)| {
        PANEL.with_borrow_mut(|widened| {
            widened.clear();
            widened.extend(weight.iter().map(|&w| widen(w)));
            // Safety: panels own disjoint columns of `out`, which outlives this loop.
            let columns = unsafe { out.at_column(panel * panel_rows) };
            let shape = [tokens, inputs, weight.len() / inputs];
            let rhs = transposed(widened, inputs);
            matmul(shape, rows(x, inputs), rhs, columns, false, 1.0, Parallelism::None);
        });
    });
}
