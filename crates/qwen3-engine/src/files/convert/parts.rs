//! What a portable file consists of.

use crate::choices::{DtypeChoice, Kind};
use crate::error::Error;
use crate::files::checkpoint::Checkpoint;
use crate::files::portable::{self, checksums_bytes};
use qwen3::head::{YES_NO, yes_no_rows};
use qwen3::weights::Stored;
use qwen3::{Dtype, Layout, MatmulStrategy, Storage};
use qwen3_text::SpecialTokens;
use safetensors::tensor::TensorInfo;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The table of tokens, and heads.
const ONE_ROW_AT_A_TIME: [&str; 3] = ["embed_tokens.weight", "lm_head.weight", "score.weight"];

/// A tensor to be written.
pub struct Part<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub content: Content<'a>,
}

pub enum Content<'a> {
    /// A weight of the checkpoint, in this dtype.
    Weight(Dtype, Layout),
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
        let wanted = match (shape, dtype) {
            ([_, columns], DtypeChoice::Named(dtype)) if !is_head => {
                let storage = Storage::all(dtype, u64::MAX, MatmulStrategy::PlainUnits);
                storage.dtype_of(stored, *columns)
            }
            _ => stored,
        };
        let content = Content::Weight(wanted, layout(name, wanted, shape));
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
    parts.sort_by_key(|part| std::cmp::Reverse(part.alignment()));
    Ok(parts)
}

/// How a weight is laid out. Of tables and heads single rows are read.
fn layout(name: &str, dtype: Dtype, shape: &[usize]) -> Layout {
    match *shape {
        [rows, columns]
            if !ONE_ROW_AT_A_TIME.contains(&name)
                && Layout::Strips.takes(dtype, [rows, columns]) =>
        {
            Layout::Strips
        }
        _ => Layout::Rows,
    }
}

impl Part<'_> {
    fn dtype(&self) -> safetensors::Dtype {
        match self.content {
            Content::Weight(Dtype::F32, _) | Content::Numbers(_) => safetensors::Dtype::F32,
            Content::Weight(Dtype::F16, _) => safetensors::Dtype::F16,
            Content::Weight(Dtype::Bf16, _) => safetensors::Dtype::BF16,
            Content::Weight(..) | Content::File(_) => safetensors::Dtype::U8,
        }
    }

    /// The dtype of blocks, and how they are laid out.
    fn blocks(&self) -> Option<(Dtype, Layout)> {
        match self.content {
            Content::Weight(dtype, layout) if dtype.is_blocks() => Some((dtype, layout)),
            _ => None,
        }
    }

    /// Blocks are rows of bytes.
    fn stored_shape(&self) -> Vec<usize> {
        match (self.blocks(), &self.shape[..]) {
            (Some((dtype, _)), [rows, columns]) => vec![*rows, dtype.bytes_of(*columns)],
            _ => self.shape.clone(),
        }
    }

    /// Where it may begin, so that it can be computed from in place: blocks are read in
    /// words of 32 bits, and strips best in registers of 64 bytes.
    fn alignment(&self) -> usize {
        match self.blocks() {
            Some((_, Layout::Strips)) => 64,
            Some(_) if self.bytes().is_multiple_of(4) => 4,
            Some(_) => 1,
            None => self.dtype().bitsize() / 8,
        }
    }

    pub fn bytes(&self) -> usize {
        self.stored_shape().iter().product::<usize>() * self.dtype().bitsize() / 8
    }

    /// Calls `take` with the little-endian bytes.
    pub fn with_bytes(
        &self,
        checkpoint: &Checkpoint,
        take: impl FnOnce(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match &self.content {
            Content::Weight(dtype, layout) => {
                let weights = &checkpoint.weights;
                let data = match self.shape[..] {
                    [rows, columns] => {
                        weights.matrix(&self.name, [rows, columns], *dtype, *layout)?
                    }
                    _ => weights.tensor(&self.name, &self.shape, *dtype)?,
                };
                take(&data.as_bytes()[..self.bytes()])
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
        .map(|part| (part.name.clone(), part.dtype(), part.stored_shape(), part.bytes()));
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

/// Those that are blocks, by name.
pub fn blocks(parts: &[Part]) -> BTreeMap<String, (Dtype, Layout)> {
    let blocks = parts.iter().filter_map(|part| Some((part.name.clone(), part.blocks()?)));
    blocks.collect()
}

/// Bytes of all tensors, the checksums too.
pub fn content_bytes(parts: &[Part]) -> u64 {
    (checksums_bytes(parts.len()) + parts.iter().map(Part::bytes).sum::<usize>()) as u64
}
