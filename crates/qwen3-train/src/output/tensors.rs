//! Safetensors files, written one tensor at a time.

use crate::error::Error;
use half::{bf16, f16};
use qwen3_engine::{Dtype, NewFile};
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::path::Path;

/// A tensor to be written.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its name in the file.
    pub key: String,
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub dtype: Dtype,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.dtype.bytes_of(self.shape.iter().product())
    }
}

/// Writes a file of tensors, which is there when it is whole; `values` gives the numbers
/// of the tensor of an index.
///
/// # Errors
/// If the file can't be written, a number doesn't fit its dtype, or `values` fails.
pub(crate) fn write_tensors(
    path: &Path,
    entries: Vec<Entry>,
    mut values: impl FnMut(usize) -> Result<Vec<f32>, Error>,
) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let mut file = NewFile::create(path).map_err(failed)?;
    // Wider numbers first, so that all are aligned.
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(entries[index].dtype.block_bytes()));
    let mut writer = BufWriter::new(&mut file);
    writer.write_all(&header(order.iter().map(|&index| &entries[index]))).map_err(failed)?;
    for index in order {
        let numbers = values(index)?;
        let entry = &entries[index];
        assert_eq!(
            numbers.len(),
            entry.shape.iter().product::<usize>(),
            "numbers of `{}`",
            entry.key
        );
        writer.write_all(&encoded(entry, &numbers)?).map_err(failed)?;
    }
    writer.flush().map_err(failed)?;
    drop(writer);
    file.replace().map_err(failed)
}

/// Names and places of all tensors; `format` as Transformers asks for it.
fn header<'e>(entries: impl Iterator<Item = &'e Entry>) -> Vec<u8> {
    let mut end = 0;
    let infos = entries.map(|entry| {
        let start = end;
        end += entry.bytes();
        let dtype = match entry.dtype {
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F16 => safetensors::Dtype::F16,
            Dtype::Bf16 => safetensors::Dtype::BF16,
            blocks => unreachable!("{blocks} is not written here"),
        };
        let info = TensorInfo { dtype, shape: entry.shape.clone(), data_offsets: (start, end) };
        (entry.key.clone(), info)
    });
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let header = Metadata::new(Some(format), infos.collect());
    let header = header.expect("offsets and sizes are computed from the shapes");
    let mut json = serde_json::to_vec(&header).expect("a map with string keys");
    json.resize(json.len().next_multiple_of(8), b' ');
    [&(json.len() as u64).to_le_bytes()[..], &json].concat()
}

fn encoded(entry: &Entry, numbers: &[f32]) -> Result<Vec<u8>, Error> {
    let lost = |value: f32| Error::SaveRange { name: entry.key.clone(), value, dtype: entry.dtype };
    let mut bytes = Vec::with_capacity(entry.bytes());
    for &value in numbers {
        match entry.dtype {
            Dtype::F32 => bytes.extend(value.to_le_bytes()),
            Dtype::Bf16 => {
                let rounded = bf16::from_f32(value);
                if rounded.is_infinite() {
                    return Err(lost(value));
                }
                bytes.extend(rounded.to_le_bytes());
            }
            Dtype::F16 => {
                let rounded = f16::from_f32(value);
                if rounded.is_infinite() {
                    return Err(lost(value));
                }
                bytes.extend(rounded.to_le_bytes());
            }
            blocks => unreachable!("{blocks} is not written here"),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;
    use tempfile::TempDir;

    #[test]
    fn tensors_are_read_as_they_were_written() {
        let path = TempDir::new().unwrap().keep().join("x.safetensors");
        let entry = |key: &str, dtype| Entry { key: key.to_owned(), shape: vec![2, 1], dtype };
        let entries = vec![entry("half", Dtype::F16), entry("whole", Dtype::F32)];
        write_tensors(&path, entries, |index| Ok(vec![index as f32, -1.5])).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let whole = file.tensor("whole").unwrap();
        assert_eq!(
            (whole.shape(), whole.data()),
            (&[2, 1][..], &[0, 0, 128, 63, 0, 0, 192, 191][..])
        );
        assert_eq!(file.tensor("half").unwrap().data(), [0, 0, 0, 190]);
    }

    #[test]
    fn a_number_that_does_not_fit_is_told() {
        let path = TempDir::new().unwrap().keep().join("x.safetensors");
        let entries = vec![Entry { key: "x".to_owned(), shape: vec![1], dtype: Dtype::F16 }];
        let error = write_tensors(&path, entries, |_| Ok(vec![1e5])).unwrap_err();
        assert!(matches!(error, Error::SaveRange { .. }), "{error}");
        assert!(!path.exists());
    }
}
