//! The rows of a table on Burn Flex: of a table in blocks only those that are asked for.

use super::reference;
use crate::cpu::isa::Isa;
use crate::cpu::{blocks, buffers};
use crate::linear::cpu::words;
use crate::{Blocks, Weight};
use burn::tensor::{Int, Tensor, TensorPrimitive};
use burn_flex::Flex;
use qwen3_dtypes::Layout;
use rayon::prelude::*;

/// See [`crate::Kernels::embed_tokens`].
pub(crate) fn embed_tokens(table: Weight<Flex>, ids: Tensor<Flex, 1, Int>) -> Tensor<Flex, 2> {
    match table {
        Weight::Float(_) => reference::embed_tokens(table, ids),
        Weight::Blocks(table) => rows(&table, ids),
    }
}

/// In parallel.
///
/// # Panics
/// If there is no such row, or the rows are stored as strips.
fn rows(table: &Blocks<Flex>, ids: Tensor<Flex, 1, Int>) -> Tensor<Flex, 2> {
    let (isa, dtype, words) = (Isa::best(), table.dtype(), words(table));
    assert!(table.layout() == Layout::Rows, "a table as {}", table.layout().name());
    let [n_rows, columns] = table.dims();
    let ids: Vec<i64> = ids.into_data().iter().collect();
    let mut found = buffers::tensor([ids.len(), columns]);
    let row_bytes = dtype.bytes_of(columns);
    let rows = found.storage_mut::<f32>().par_chunks_mut(columns.max(1));
    rows.zip(&ids).for_each(|(numbers, &id)| {
        let row = usize::try_from(id).ok().filter(|row| *row < n_rows);
        let row = row.unwrap_or_else(|| panic!("row {id} of a table of {n_rows}"));
        let blocks = &words.bytes()[row * row_bytes..][..row_bytes];
        blocks::widen(isa, dtype, blocks, numbers);
    });
    Tensor::from_primitive(TensorPrimitive::Float(found))
}
