//! Batches of a good size, whatever the size of those in a file.

use super::Read;
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;

/// A batch is sorted by length and packed for the device, so it should hold many.
pub(super) const CHUNK_ROWS: usize = 4_096;
pub(super) const CHUNK_BYTES: usize = 16 << 20;

/// Batches of [`CHUNK_ROWS`] rows, or fewer where they are longer than [`CHUNK_BYTES`].
pub(super) struct Chunks {
    read: Read,
    /// What is left of a batch.
    rest: Option<RecordBatch>,
}

impl Chunks {
    pub fn new(read: Read) -> Self {
        Self { read, rest: None }
    }

    fn batch(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        let rest = self.rest.take().map(Ok);
        rest.or_else(|| self.read.by_ref().find(|batch| !is_empty(batch)))
    }
}

impl Iterator for Chunks {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut parts: Vec<RecordBatch> = vec![];
        let (mut rows, mut bytes) = (0, 0);
        while rows < CHUNK_ROWS && bytes < CHUNK_BYTES {
            let batch = match self.batch() {
                None => break,
                // What came before the error is computed first.
                Some(Err(error)) if parts.is_empty() => return Some(Err(error)),
                Some(Err(error)) => {
                    let before = std::mem::replace(&mut self.read, Box::new(std::iter::empty()));
                    self.read = Box::new(std::iter::once(Err(error)).chain(before));
                    break;
                }
                Some(Ok(batch)) => batch,
            };
            let row_bytes = batch.get_array_memory_size() / batch.num_rows();
            let fit = (CHUNK_BYTES - bytes) / row_bytes.max(1);
            let taken = batch.num_rows().min(CHUNK_ROWS - rows).min(fit.max(1));
            if taken < batch.num_rows() {
                self.rest = Some(batch.slice(taken, batch.num_rows() - taken));
            }
            parts.push(batch.slice(0, taken));
            (rows, bytes) = (rows + taken, bytes + taken * row_bytes);
        }
        let schema = parts.first()?.schema();
        Some(concat_batches(&schema, &parts))
    }
}

fn is_empty(batch: &Result<RecordBatch, ArrowError>) -> bool {
    batch.as_ref().is_ok_and(|batch| batch.num_rows() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use std::sync::Arc;

    fn batch(numbers: std::ops::Range<i64>, text: &str) -> RecordBatch {
        let texts = StringArray::from_iter_values(numbers.clone().map(|_| text));
        let columns: [(&str, ArrayRef); 2] = [
            ("number", Arc::new(Int64Array::from_iter_values(numbers))),
            ("text", Arc::new(texts)),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn chunked(batches: Vec<Result<RecordBatch, ArrowError>>) -> (Vec<usize>, Vec<i64>, bool) {
        let (mut sizes, mut numbers, mut failed) = (vec![], vec![], false);
        for chunk in Chunks::new(Box::new(batches.into_iter())) {
            let Ok(chunk) = chunk else {
                failed = true;
                continue;
            };
            sizes.push(chunk.num_rows());
            let column = chunk.column(0).as_any().downcast_ref::<Int64Array>().unwrap();
            numbers.extend(column.values());
        }
        (sizes, numbers, failed)
    }

    #[test]
    fn small_batches_are_put_together_and_large_ones_cut() {
        let (sizes, numbers, _) = chunked(vec![
            Ok(batch(0..10, "a")),
            Ok(batch(10..10, "a")),
            Ok(batch(10..10_000, "a")),
        ]);
        assert_eq!(sizes, [4_096, 4_096, 1_808]);
        assert!(numbers.into_iter().eq(0..10_000));
    }

    #[test]
    fn long_rows_make_small_chunks() {
        let megabyte = "a".repeat(1 << 20);
        let (sizes, numbers, _) = chunked(vec![Ok(batch(0..40, &megabyte))]);
        assert!(sizes.len() >= 3 && sizes.iter().all(|&size| size <= 16), "{sizes:?}");
        assert!(numbers.into_iter().eq(0..40));
    }

    #[test]
    fn what_came_before_an_error_is_not_lost() {
        let error = Err(ArrowError::ParseError("bad".to_owned()));
        let (sizes, _, failed) = chunked(vec![Ok(batch(0..5, "a")), error]);
        assert_eq!((sizes, failed), (vec![5], true));
    }
}
