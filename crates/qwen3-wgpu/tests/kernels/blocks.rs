//! Weights in blocks, of every dtype, compared with their numbers as the host widens them.

use crate::{Gpu, Host, Values, assert_close, random, values, with_each_gpu};
use burn::tensor::{DType, Int, Tensor, TensorData, backend::Backend, f16};
use qwen3_dtypes::Dtype;
use qwen3_kernels::MatmulStrategy::{PlainUnits, TensorCores};
use qwen3_kernels::{Blocks, Kernels, Weight, linear, swiglu_mlp};

/// Where the scales of a block are, and the largest number that there is with a scale of 1.
const DTYPES: [(Dtype, &[usize], f32); 10] = [
    (Dtype::Q8_0, &[0], 128.0),
    (Dtype::Q6_K, &[208], 4096.0),
    (Dtype::Q5_K, &[0, 2], 1953.0),
    (Dtype::Q4_K, &[0, 2], 945.0),
    (Dtype::Q3_K, &[108], 128.0),
    (Dtype::Q2_K, &[80, 82], 45.0),
    (Dtype::Q5_0, &[0], 16.0),
    (Dtype::Q5_1, &[0, 2], 31.0),
    (Dtype::Q4_0, &[0], 8.0),
    (Dtype::Q4_1, &[0, 2], 15.0),
];

/// A matrix in blocks, to be put on any backend.
struct Matrix {
    dtype: Dtype,
    shape: [usize; 2],
    bytes: Vec<u8>,
}

impl Matrix {
    /// Of so many blocks in a row, seeded; numbers are below 2.
    fn random(dtype: Dtype, [rows, blocks]: [usize; 2], seed: u64) -> Self {
        let (_, scales, largest) = *DTYPES.iter().find(|row| row.0 == dtype).unwrap();
        let shape = [rows, blocks * dtype.block_len()];
        let numbers = random::random(rows * blocks * dtype.block_bytes(), seed);
        let mut bytes: Vec<u8> = numbers.iter().map(|x| ((x + 1.0) * 127.99) as u8).collect();
        for (block, number) in bytes.chunks_mut(dtype.block_bytes()).zip(&numbers) {
            for (at, sign) in scales.iter().zip([1.0, -1.0]) {
                let scale = f16::from_f32(sign * number / largest);
                block[*at..at + 2].copy_from_slice(&scale.to_le_bytes());
            }
        }
        Self { dtype, shape, bytes }
    }

    /// With these scales in its first blocks.
    fn with_scales(mut self, bits: &[u16]) -> Self {
        let (_, scales, _) = *DTYPES.iter().find(|row| row.0 == self.dtype).unwrap();
        for (block, bits) in self.bytes.chunks_mut(self.dtype.block_bytes()).zip(bits) {
            for at in scales {
                block[*at..at + 2].copy_from_slice(&bits.to_le_bytes());
            }
        }
        self
    }

    fn on<B: Backend>(&self, device: &B::Device) -> Weight<B> {
        let words: Vec<u32> = self
            .bytes
            .chunks(4)
            .map(|chunk| {
                // What is beyond the last block is anything.
                let mut word = [0xa5; 4];
                word[..chunk.len()].copy_from_slice(chunk);
                u32::from_le_bytes(word)
            })
            .collect();
        let n_words = words.len();
        let data = TensorData::new(words, [n_words]);
        let words = Tensor::<B, 1, Int>::from_data(data, (device, DType::U32));
        Weight::Blocks(Blocks::new(self.dtype, self.shape, words))
    }

    fn widened(&self) -> Tensor<Host, 2> {
        self.on::<Host>(&Default::default()).widened()
    }
}

#[test]
fn every_dtype_of_blocks_is_tested() {
    let blocks: Vec<_> = Dtype::all().filter(|dtype| dtype.is_blocks()).collect();
    assert_eq!(blocks, DTYPES.map(|row| row.0));
}

/// The smallest float16 numbers, with and without a sign; zeros, the smallest that is not
/// subnormal, the largest, and one.
const SCALES: [u16; 9] = [1, 0x8001, 0x03ff, 0x83ff, 0, 0x8000, 0x0400, 0x7bff, 0x3c00];

#[test]
fn rows_of_a_table_are_widened_exactly() {
    for (dtype, ..) in DTYPES {
        // Of an odd number of blocks, so that rows begin in the middle of a word.
        for blocks in [1, 3] {
            let table = Matrix::random(dtype, [11, blocks], 1).with_scales(&SCALES);
            let columns = table.shape[1];
            let numbers = values(table.widened());
            let ids = [10, 0, 3, 3, 1, 2, 4, 5, 6, 7, 8, 9];
            let expected = ids.iter().flat_map(|id| &numbers[id * columns..][..columns]);
            let expected: Vec<f32> = expected.copied().collect();
            with_each_gpu(|gpu| {
                let ids = Tensor::<Gpu, 1, Int>::from_data(ids.map(|id| id as i32), gpu);
                let found = Gpu::embed_tokens(table.on(gpu), ids);
                assert_eq!(found.dims(), [12, columns]);
                assert!(values(found) == expected, "{dtype} in rows of {blocks} blocks");
            });
        }
    }
}

#[test]
fn scales_that_are_no_numbers_are_never_swallowed() {
    with_each_gpu(|gpu| {
        for bits in [0x7c00, 0xfc00, 0x7e00] {
            let table = Matrix::random(Dtype::Q8_0, [2, 1], 1).with_scales(&[bits]);
            let ids = Tensor::<Gpu, 1, Int>::from_data([0, 1], gpu);
            let found = values(Gpu::embed_tokens(table.on(gpu), ids));
            assert!(found[..32].iter().all(|x| !x.is_finite()), "{bits:#x}");
            assert!(found[32..].iter().all(|x| x.is_finite()), "{bits:#x} went to another row");
        }
    });
}

/// Sums of up to 768 products of numbers below 1 and 2, of which the reference makes other
/// partial sums: measured at most 7.7e-6.
const LINEAR: f32 = 4e-5;

#[test]
fn linear_layers_with_blocks_match_the_reference() {
    for (dtype, ..) in DTYPES {
        for [tokens, blocks, outputs] in [[1, 1, 5], [37, 3, 129]] {
            let weight = Matrix::random(dtype, [outputs, blocks], 2);
            let x = Values::random([tokens, weight.shape[1]], 1);
            let residual = Values::random([tokens, outputs], 4);
            let expected = linear::reference::linear(x.on_host(), weight.widened());
            let sum = residual.on_host() + expected.clone();
            with_each_gpu(|gpu| {
                let what = format!("linear {dtype} {tokens} × {blocks} blocks × {outputs}");
                let (x, weight) = (x.on::<Gpu>(gpu), || weight.on(gpu));
                let found = Gpu::linear_only_by(x.clone(), weight(), PlainUnits).unwrap();
                assert_close(found, &expected, LINEAR, &what);
                let found = Gpu::linear_add(residual.on(gpu), x, weight(), PlainUnits);
                assert_close(found, &sum, LINEAR, &what);
            });
        }
    }
}

/// The same where factors are rounded to float16: measured at most 4.3e-3.
const LINEAR_F16: f32 = 1.5e-2;

/// Without tensor cores plain units compute with the numbers in float16, as tensor cores would.
#[test]
fn tensor_cores_take_blocks_in_float16() {
    for (dtype, ..) in DTYPES {
        let weight = Matrix::random(dtype, [33, 3], 2);
        let x = Values::random([5, weight.shape[1]], 1);
        let expected = linear::reference::linear(x.on_host(), weight.widened());
        with_each_gpu(|gpu| {
            let [found] = Gpu::linears(x.on(gpu), [weight.on(gpu)], TensorCores);
            assert_close(found, &expected, LINEAR_F16, &format!("linear {dtype} in float16"));
        });
    }
}

#[test]
fn a_row_is_the_same_in_any_batch() {
    for dtype in [Dtype::Q8_0, Dtype::Q4_0, Dtype::Q6_K] {
        let weight = Matrix::random(dtype, [70, 5], 2);
        let columns = weight.shape[1];
        let x = Values::random([67, columns], 1);
        with_each_gpu(|gpu| {
            let x = x.on::<Gpu>(gpu);
            let product = |x| {
                let [y] = Gpu::linears(x, [weight.on(gpu)], PlainUnits);
                values(y)
            };
            let all = product(x.clone());
            // Rows of small tiles and of large ones, and of the last of either.
            for rows in [0..1, 3..12, 60..67, 40..57, 1..66] {
                let some = product(x.clone().slice([rows.clone(), 0..columns]));
                let expected = &all[70 * rows.start..70 * rows.end];
                assert!(some == expected, "rows {rows:?} with {dtype}");
            }
        });
    }
}

#[test]
fn swiglu_mlp_with_blocks_matches_the_reference() {
    let [tokens, columns, width] = [37, 64, 96];
    let [gate, up] = [3, 4].map(|seed| Matrix::random(Dtype::Q4_0, [width, 2], seed));
    let down = Matrix::random(Dtype::Q8_0, [columns, 3], 5);
    let [residual, x] = [1, 2].map(|seed| Values::random([tokens, columns], seed));
    let product = |x, weight: &Matrix| linear::reference::linear::<Host>(x, weight.widened());
    let hidden =
        swiglu_mlp::reference::swiglu(product(x.on_host(), &gate), product(x.on_host(), &up));
    let expected = residual.on_host() + product(hidden, &down);
    let scale = values(expected.clone()).into_iter().fold(1.0f32, |a, b| a.max(b.abs()));
    with_each_gpu(|gpu| {
        // Measured at most 2.4e-7 and 6e-4 of the largest sum.
        for (by, tolerance) in [(PlainUnits, 2e-6), (TensorCores, 2e-3)] {
            let [gate, up, down] = [&gate, &up, &down].map(|weight| weight.on(gpu));
            let found = Gpu::swiglu_mlp(residual.on(gpu), x.on(gpu), gate, up, down, by);
            assert_close(found, &expected, tolerance * scale, &format!("swiglu of blocks, {by}"));
        }
    });
}

#[test]
fn bad_numbers_stay_in_their_row_and_no_rows_give_none() {
    let weight = Matrix::random(Dtype::Q4_K, [40, 1], 2);
    with_each_gpu(|gpu| {
        for bad in [f32::NAN, f32::INFINITY] {
            let x = Values::random([3, 256], 1).with_first(bad);
            let [found] = Gpu::linears(x.on(gpu), [weight.on(gpu)], PlainUnits);
            let found = values(found);
            assert!(!found[0].is_finite(), "{bad} was swallowed");
            assert!(found[40..].iter().all(|x| x.is_finite()), "{bad} went to another row");
        }
        let none = Values::random([0, 256], 1);
        for by in [PlainUnits, TensorCores] {
            let [found] = Gpu::linears(none.on(gpu), [weight.on(gpu)], by);
            assert_eq!(found.dims(), [0, 40]);
        }
        let ids = Tensor::<Gpu, 1, Int>::from_data(TensorData::new(vec![0i32; 0], [0]), gpu);
        assert_eq!(Gpu::embed_tokens(weight.on(gpu), ids).dims(), [0, 256]);
    });
}
