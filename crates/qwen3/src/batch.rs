//! Sequences of token ids, one after the other, without padding.

use crate::config::Config;
use crate::error::Error;
use burn::tensor::{DType, Int, Tensor, TensorData, backend::Backend};

/// A batch of `B` sequences with `T` tokens in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedBatch {
    input_ids: Vec<u32>,
    position_ids: Vec<u32>,
    cu_seqlens: Vec<usize>,
    max_seqlen: usize,
}

impl PackedBatch {
    /// Packs sequences in their order.
    ///
    /// # Errors
    /// If there is no sequence, or one is empty, longer than the model's
    /// positions, or holds an id outside of the vocabulary.
    pub fn new<S: AsRef<[u32]>>(sequences: &[S], config: &Config) -> Result<Self, Error> {
        let tokens = sequences.iter().map(|ids| ids.as_ref().len()).sum();
        let mut batch = Self {
            input_ids: Vec::with_capacity(tokens),
            position_ids: Vec::with_capacity(tokens),
            cu_seqlens: vec![0],
            max_seqlen: 0,
        };
        if sequences.is_empty() {
            return Err(Error::EmptyBatch);
        }
        for (sequence, ids) in sequences.iter().enumerate() {
            let ids = ids.as_ref();
            if ids.is_empty() {
                return Err(Error::EmptySequence { sequence });
            }
            if ids.len() > config.max_position_embeddings {
                let max = config.max_position_embeddings;
                return Err(Error::SequenceTooLong { sequence, tokens: ids.len(), max });
            }
            if let Some(&id) = ids.iter().find(|&&id| id as usize >= config.vocab_size) {
                return Err(Error::TokenId { id, vocab_size: config.vocab_size });
            }
            batch.input_ids.extend(ids);
            batch.position_ids.extend(0..ids.len() as u32);
            batch.cu_seqlens.push(batch.input_ids.len());
            batch.max_seqlen = batch.max_seqlen.max(ids.len());
        }
        Ok(batch)
    }

    /// Token ids `[T]`.
    pub fn input_ids(&self) -> &[u32] {
        &self.input_ids
    }

    /// Position of each token in its own sequence `[T]`.
    pub fn position_ids(&self) -> &[u32] {
        &self.position_ids
    }

    /// Running sum of the sequences' lengths `[B+1]`, from 0 to `T`.
    pub fn cu_seqlens(&self) -> &[usize] {
        &self.cu_seqlens
    }

    /// Tokens of the longest sequence.
    pub fn max_seqlen(&self) -> usize {
        self.max_seqlen
    }

    /// `B`
    pub fn n_sequences(&self) -> usize {
        self.cu_seqlens.len() - 1
    }

    pub(crate) fn bounds(&self) -> Vec<usize> {
        self.cu_seqlens.clone()
    }

    pub(crate) fn input_ids_tensor<B: Backend>(&self, device: &B::Device) -> Tensor<B, 1, Int> {
        indices(self.input_ids.iter().copied(), device)
    }

    pub(crate) fn position_ids_tensor<B: Backend>(&self, device: &B::Device) -> Tensor<B, 1, Int> {
        indices(self.position_ids.iter().copied(), device)
    }

    /// Index in the batch of each sequence's last token `[B]`.
    pub(crate) fn last_rows_tensor<B: Backend>(&self, device: &B::Device) -> Tensor<B, 1, Int> {
        indices(self.cu_seqlens[1..].iter().map(|&end| end as u32 - 1), device)
    }
}

/// Indices as a tensor.
pub(crate) fn indices<B: Backend>(
    values: impl Iterator<Item = u32>,
    device: &B::Device,
) -> Tensor<B, 1, Int> {
    let values: Vec<i32> = values.map(|value| value as i32).collect();
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), (device, DType::I32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_packed_with_positions_of_their_own() {
        let batch = PackedBatch::new(&[vec![5, 6, 7], vec![8]], &Config::for_tests()).unwrap();
        assert_eq!(batch.input_ids(), [5, 6, 7, 8]);
        assert_eq!(batch.position_ids(), [0, 1, 2, 0]);
        assert_eq!(batch.cu_seqlens(), [0, 3, 4]);
        assert_eq!((batch.max_seqlen(), batch.n_sequences()), (3, 2));
    }

    #[test]
    fn what_the_network_can_not_take_is_refused() {
        let refused = |sequences: &[Vec<u32>]| {
            PackedBatch::new(sequences, &Config::for_tests()).unwrap_err().to_string()
        };
        assert!(refused(&[]).contains("at least one sequence"));
        assert!(refused(&[vec![1], vec![]]).contains("sequence 1 of the batch has no tokens"));
        assert!(refused(&[vec![1; 65]]).contains("has 65 tokens, the model takes 64"));
        assert!(
            refused(&[vec![31, 32]]).contains("token id 32 is outside of the vocabulary of 32")
        );
    }
}
