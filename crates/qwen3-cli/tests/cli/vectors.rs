//! Vectors out of what `qwen3 embed` prints, and how near they are to others.

use crate::fixtures::floats;
use serde_json::Value;

/// Vectors of objects as `--format json` and `jsonl` print them, which are also
/// numbered from 0.
#[track_caller]
pub fn of_objects(objects: &[Value]) -> Vec<Vec<f32>> {
    let number = |number: &Value| number.as_f64().expect("a number") as f32;
    let vector = |(index, object): (usize, &Value)| {
        assert_eq!(object["index"], index, "{object}");
        let numbers = object["embedding"].as_array().expect("a list of numbers");
        numbers.iter().map(number).collect()
    };
    objects.iter().enumerate().map(vector).collect()
}

/// Vectors of a NumPy file, read by the letter of numpy.lib.format.
#[track_caller]
pub fn of_npy(bytes: &[u8]) -> Vec<Vec<f32>> {
    let (magic, rest) = bytes.split_at(10);
    assert_eq!(&magic[..8], b"\x93NUMPY\x01\x00");
    let (header, data) = rest.split_at(u16::from_le_bytes([magic[8], magic[9]]).into());
    assert!((bytes.len() - data.len()).is_multiple_of(64), "the data are aligned");
    let header = std::str::from_utf8(header).expect("a Python dictionary");
    let shape = header
        .strip_prefix("{'descr': '<f4', 'fortran_order': False, 'shape': (")
        .and_then(|rest| rest.trim_end().strip_suffix("), }"));
    let (rows, columns) = shape.and_then(|shape| shape.split_once(", ")).expect("two dimensions");
    let [rows, columns] = [rows, columns].map(|n| n.parse::<usize>().expect("a length"));
    let vectors = in_rows(&floats(data), columns);
    assert_eq!(vectors.len(), rows, "{header}");
    vectors
}

/// Numbers as vectors of `columns` numbers.
#[track_caller]
pub fn in_rows(numbers: &[f32], columns: usize) -> Vec<Vec<f32>> {
    assert!(numbers.len().is_multiple_of(columns.max(1)), "{} / {columns}", numbers.len());
    numbers.chunks(columns.max(1)).map(<[f32]>::to_vec).collect()
}

pub fn cosine(left: &[f32], right: &[f32]) -> f64 {
    dot(left, right) / (length(left) * length(right))
}

pub fn length(vector: &[f32]) -> f64 {
    dot(vector, vector).sqrt()
}

fn dot(left: &[f32], right: &[f32]) -> f64 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(&l, &r)| f64::from(l) * f64::from(r)).sum()
}

/// Expects the same number of vectors, and every number within `tolerance`.
#[track_caller]
pub fn assert_close(found: &[Vec<f32>], expected: &[Vec<f32>], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "number of vectors");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.len(), expected.len(), "dimensions of vector {index}");
        let largest = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
        assert!(largest <= tolerance, "vector {index} is off by {largest}");
    }
}
