//! What a portable file consists of.

use crate::choices::{DtypeChoice, Kind};
use crate::error::Error;
use crate::files::checkpoint::Checkpoint;
use crate::files::portable::{self, checksums_bytes};
use qwen3::Dtype;
use qwen3::head::{YES_NO, yes_no_rows};
use qwen3::weights::Stored;
use qwen3_text::SpecialTokens;
use safetensors::tensor::TensorInfo;
use std::borrow::Cow;

/// A tensor to be written.
pub struct Part<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub content: Content<'a>,
}

pub enum Content<'a> {
    /// A weight of the checkpoint, in this dtype.
    Weight(Dtype),
    /// Numbers that were computed.
    Numbers(Vec<f32>),
    /// Another file.
    File(Cow<'a, [u8]>),
}

/// Every tensor of the file but the checksums, wider dtypes first, so that
/// each is aligned.
pub fn parts(
    checkpoint: &Checkpoint,
    dtype: DtypeChoice,
    trim_head: bool,
) -> Result<Vec<Part<'_>>, Error> {
    let is_reranker = checkpoint.kind == Kind::Reranker;
    if trim_head && !is_reranker {
        return Err(Error::TrimHead { kind: checkpoint.kind });
    }
    let weights = &checkpoint.weights;
    let mut parts = vec![];
    for Stored { name, shape, dtype: stored, .. } in weights.tensors()? {
        let is_head = ["lm_head.weight", "score.weight", YES_NO].contains(&name);
        if name == YES_NO || (name == "lm_head.weight" && trim_head) {
            continue;
        }
        let wanted = if is_head || shape.len() < 2 { stored } else { dtype.or(stored) };
        let content = Content::Weight(wanted);
        parts.push(Part { name: name.to_owned(), shape: shape.to_vec(), content });
    }
    if is_reranker {
        let (_, yes, no) = checkpoint.rerank_tokenizer(SpecialTokens::Literal)?;
        let rows = yes_no_rows(weights, &checkpoint.config, yes, no)?.concat();
        let shape = vec![2, checkpoint.config.hidden_size];
        let content = Content::Numbers(rows);
        parts.push(Part { name: YES_NO.to_owned(), shape, content });
    }
    for name in checkpoint.side_files() {
        if let Some(bytes) = checkpoint.file(&name)? {
            let (name, shape) = (portable::file_tensor(&name), vec![bytes.len()]);
            parts.push(Part { name, shape, content: Content::File(bytes) });
        }
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.number_bytes()));
    Ok(parts)
}

impl Part<'_> {
    fn dtype(&self) -> safetensors::Dtype {
        match self.content {
            Content::Weight(Dtype::F32) | Content::Numbers(_) => safetensors::Dtype::F32,
            Content::Weight(Dtype::F16) => safetensors::Dtype::F16,
            Content::Weight(Dtype::Bf16) => safetensors::Dtype::BF16,
            Content::File(_) => safetensors::Dtype::U8,
        }
    }

    fn number_bytes(&self) -> usize {
        self.dtype().bitsize() / 8
    }

    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.number_bytes()
    }

    /// Calls `take` with the little-endian bytes.
    pub fn with_bytes(
        &self,
        checkpoint: &Checkpoint,
        take: impl FnOnce(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match &self.content {
            Content::Weight(dtype) => {
                take(checkpoint.weights.tensor(&self.name, &self.shape, *dtype)?.as_bytes())
            }
            Content::Numbers(numbers) => {
                take(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())
            }
            Content::File(bytes) => take(bytes),
        }
    }
}

/// Names, dtypes, shapes and places of all tensors, the checksums last.
pub fn infos(parts: &[Part]) -> Vec<(String, TensorInfo)> {
    let checksums = checksums_bytes(parts.len());
    let content = parts
        .iter()
        .map(|part| (part.name.clone(), part.dtype(), part.shape.clone(), part.bytes()));
    let last = (portable::checksums_tensor(), safetensors::Dtype::U8, vec![checksums], checksums);
    let mut end = 0;
    content
        .chain([last])
        .map(|(name, dtype, shape, bytes)| {
            let start = end;
            end += bytes;
            (name, TensorInfo { dtype, shape, data_offsets: (start, end) })
        })
        .collect()
}

/// Bytes of all tensors, the checksums too.
pub fn content_bytes(parts: &[Part]) -> u64 {
    (checksums_bytes(parts.len()) + parts.iter().map(Part::bytes).sum::<usize>()) as u64
}
