//! A weight matrix as it is on a device: numbers, or blocks of codes and scales.

use burn::tensor::{DType, Int, Tensor, TensorData, backend::Backend};
use qwen3_dtypes::{Dtype, Layout, strips};

/// A matrix `[out, in]` of a linear layer, or a table `[rows, columns]` of vectors.
#[derive(Clone, Debug)]
pub enum Weight<B: Backend> {
    /// Float32, float16 or bfloat16.
    Float(Tensor<B, 2>),
    /// Codes that share scales.
    Blocks(Blocks<B>),
}

/// A matrix in blocks, each row a whole number of them.
#[derive(Clone, Debug)]
pub struct Blocks<B: Backend> {
    dtype: Dtype,
    layout: Layout,
    shape: [usize; 2],
    words: Tensor<B, 1, Int>,
}

impl<B: Backend> Blocks<B> {
    /// From the blocks, row after row unless they are [`Blocks::laid`] otherwise, four bytes in a word of 32 bits, the first in its lowest
    /// bits; what the last word has beyond them is never read.
    ///
    /// # Panics
    /// If rows are no whole blocks, or there are too few words.
    pub fn new(dtype: Dtype, shape: [usize; 2], words: Tensor<B, 1, Int>) -> Self {
        let [rows, columns] = shape;
        assert!(columns.is_multiple_of(dtype.block_len()), "rows of {columns} in {dtype}");
        let bytes = dtype.bytes_of(rows * columns);
        let n_words = words.dims()[0];
        assert!(n_words >= bytes.div_ceil(WORD), "{n_words} words for {bytes} bytes");
        Self { dtype, layout: Layout::Rows, shape, words }
    }

    /// The same blocks, which are in this layout.
    ///
    /// # Panics
    /// If the layout doesn't take them.
    pub fn laid(self, layout: Layout) -> Self {
        assert!(layout.takes(self.dtype, self.shape), "{:?} in {}", self.shape, layout.name());
        Self { layout, ..self }
    }

    /// How a block is laid out.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// In which order they are.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// `[out, in]`
    pub fn dims(&self) -> [usize; 2] {
        self.shape
    }

    /// The blocks, in words of 32 bits.
    pub fn words(&self) -> &Tensor<B, 1, Int> {
        &self.words
    }

    /// The numbers in float32, block by block on the host: what every faster way is compared with.
    pub fn widened(&self) -> Tensor<B, 2> {
        let words: Vec<u32> = self.words.to_data().to_vec().expect("words of 32 bits");
        let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        let [rows, columns] = self.shape;
        let bytes = &bytes[..self.dtype.bytes_of(rows * columns)];
        let mut numbers = vec![0.0; rows * columns];
        match self.layout {
            Layout::Rows => self.dtype.widen(bytes, &mut numbers),
            Layout::Strips => {
                let rows = strips::to_rows(self.dtype, self.shape, bytes);
                self.dtype.widen(&rows, &mut numbers);
            }
        }
        let data = TensorData::new(numbers, self.shape);
        Tensor::from_data(data, (&self.words.device(), DType::F32))
    }
}

/// Bytes of a word.
pub const WORD: usize = size_of::<u32>();

impl<B: Backend> Weight<B> {
    /// `[out, in]`
    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Float(weight) => weight.dims(),
            Self::Blocks(blocks) => blocks.dims(),
        }
    }

    /// The numbers, as they are or in float32.
    pub fn widened(&self) -> Tensor<B, 2> {
        match self {
            Self::Float(weight) => weight.clone(),
            Self::Blocks(blocks) => blocks.widened(),
        }
    }

    /// The numbers of a weight that is no blocks.
    ///
    /// # Panics
    /// If it is blocks, with which nothing is trained: who loads for training asks for numbers.
    pub fn into_float(self) -> Tensor<B, 2> {
        match self {
            Self::Float(weight) => weight,
            Self::Blocks(blocks) => panic!("a weight in {} has no gradient", blocks.dtype),
        }
    }

    /// How far activations that meet it may be rounded before: to the dtype of its numbers, and
    /// to bfloat16 where it is rounded further itself.
    pub fn round_to(&self) -> DType {
        match self {
            Self::Float(weight) => weight.dtype(),
            Self::Blocks(_) => DType::BF16,
        }
    }
}

impl<B: Backend> From<Tensor<B, 2>> for Weight<B> {
    fn from(weight: Tensor<B, 2>) -> Self {
        Self::Float(weight)
    }
}
