//! Everything that can be wrong with a GGUF file.

use std::io;
use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum Error {
    /// A file can't be read.
    #[error("can't read `{path}`")]
    Read { path: PathBuf, source: io::Error },

    /// Something that is no file stands where one should.
    #[error("`{path}` is not a regular file; put the GGUF file there")]
    NotRegular { path: PathBuf },

    /// Another kind of file.
    #[error(
        "`{path}` is no GGUF file: it doesn't begin with `GGUF`; is it the file itself, and not a page about it?"
    )]
    NotGguf { path: PathBuf },

    /// A version of the format that is not read.
    #[error(
        "`{path}` has version {found} of GGUF, and versions 2 and 3 are read; convert the model again with a llama.cpp of today"
    )]
    Version { path: PathBuf, found: u32 },

    /// Numbers in the other order.
    #[error("`{path}` is a big-endian GGUF file; convert the model again without `--bigendian`")]
    BigEndian { path: PathBuf },

    /// The file contradicts itself.
    #[error("`{path}` is a damaged GGUF file; is the download complete?")]
    Damaged { path: PathBuf, source: Fault },

    /// A part of a model.
    #[error(
        "`{path}` is one of the {parts} files of a model; put them together with `llama-gguf-split --merge`"
    )]
    Split { path: PathBuf, parts: u64 },

    /// A tensor in a dtype that is not read.
    #[error(
        "tensor `{name}` of `{path}` is stored as {dtype}, which is not supported; take a file in Q8_0, Q6_K, Q5_K_M, Q4_K_M or F16"
    )]
    TensorDtype { path: PathBuf, name: String, dtype: String },

    /// Metadata that the model can't do without.
    #[error(
        "the metadata of `{path}` has no `{key}`; convert the model again with a llama.cpp of today"
    )]
    MissingKey { path: PathBuf, key: String },

    /// Metadata of another type.
    #[error(
        "`{key}` in the metadata of `{path}` is {found}, expected {expected}; convert the model again with a llama.cpp of today"
    )]
    KeyType { path: PathBuf, key: String, expected: &'static str, found: &'static str },

    /// The metadata asks for something that is not computed.
    #[error(
        "`{path}` asks for `{key}`: `{value}`, which is not supported; use a Qwen3 embedding model or reranker"
    )]
    Unsupported { path: PathBuf, key: String, value: String },

    /// A tensor that the model needs is not in the file.
    #[error("`{path}` has no tensor `{name}`; is it the whole model?")]
    MissingTensor { path: PathBuf, name: String },

    /// A tensor that the model has no place for.
    #[error("tensor `{name}` of `{path}` has no place in a Qwen3 model; was the file made of one?")]
    UnknownTensor { path: PathBuf, name: String },

    /// A tensor has another shape than the metadata says.
    #[error(
        "tensor `{name}` of `{path}` has shape {found:?}, expected {expected}; convert the model again"
    )]
    TensorShape { path: PathBuf, name: String, expected: String, found: Vec<usize> },

    /// A tensor that no vector can be computed from.
    #[error(
        "tensor `{name}` of `{path}` holds NaN or infinity; download the file again, or take another one"
    )]
    NotFinite { path: PathBuf, name: String },

    /// Two tensors of the file for one of the network.
    #[error(
        "`{path}` has the tensor `{name}` twice, once fused with others; convert the model again"
    )]
    WeightTwice { path: PathBuf, name: String },

    /// Tokens and their kinds don't belong together.
    #[error("`{path}` has {tokens} tokens and {types} types of tokens; convert the model again")]
    TokenTypes { path: PathBuf, tokens: usize, types: usize },

    /// A token with two ids.
    #[error(
        "token `{token}` of `{path}` has two ids, {first} and {second}; convert the model again"
    )]
    TokenTwice { path: PathBuf, token: String, first: usize, second: usize },

    /// A merge of other than two tokens.
    #[error(
        "merge {index} of `{path}` is `{merge}`, not two tokens with a space between them; convert the model again"
    )]
    Merge { path: PathBuf, index: usize, merge: String },

    /// The id of a token that there isn't.
    #[error("`{key}` of `{path}` is {id}, and there are {tokens} tokens; convert the model again")]
    TokenId { path: PathBuf, key: &'static str, id: u64, tokens: usize },
}

/// Where a file contradicts itself. `at` counts bytes from its beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum Fault {
    /// The header goes on beyond the end of the file.
    #[error("the file ends at byte {at}, within its header")]
    End { at: usize },

    /// A header beyond any model's.
    #[error("the header is longer than {max_bytes} bytes, as no model's is")]
    LongHeader { max_bytes: usize },

    /// More of something than any model has.
    #[error("the header announces {found} {what}, more than {max}")]
    TooMany { what: &'static str, found: u64, max: u64 },

    /// A name that is no text.
    #[error("the text at byte {at} is not UTF-8")]
    Utf8 { at: usize },

    /// A name beyond the specification's limit.
    #[error("the name at byte {at} is longer than {max_bytes} bytes")]
    LongName { at: usize, max_bytes: usize },

    /// A type of values that there isn't.
    #[error("the value at byte {at} has the unknown type {found}")]
    ValueType { at: usize, found: u32 },

    /// A truth value that is neither.
    #[error("the truth value at byte {at} is {found}, neither 0 nor 1")]
    Bool { at: usize, found: u8 },

    /// Arrays in arrays in arrays.
    #[error("the arrays at byte {at} are nested more than {max} deep")]
    Nesting { at: usize, max: usize },

    /// A key that is there twice.
    #[error("the key `{key}` is there twice")]
    KeyTwice { key: String },

    /// An alignment that is no power of two.
    #[error("the alignment is {found}, not a power of two")]
    Alignment { found: u64 },

    /// A name that two tensors have.
    #[error("the tensor `{name}` is there twice")]
    TensorTwice { name: String },

    /// No dimension, or more than ggml has.
    #[error("tensor `{name}` has {found} dimensions, not 1 to 4")]
    Dimensions { name: String, found: u32 },

    /// A dimension of nothing, or of more than there can be.
    #[error("tensor `{name}` has the impossible shape {shape:?}")]
    Shape { name: String, shape: Vec<u64> },

    /// Rows that end within a block.
    #[error("the rows of tensor `{name}` have {row} numbers, which blocks of {block} don't divide")]
    RowLength { name: String, row: usize, block: usize },

    /// A tensor that begins between two multiples of the alignment.
    #[error("tensor `{name}` begins at {offset}, which is no multiple of {alignment}")]
    Offset { name: String, offset: u64, alignment: usize },

    /// A tensor that goes on beyond the end of the file.
    #[error("tensor `{name}` is not within the {file_bytes} bytes of the file")]
    Outside { name: String, file_bytes: usize },

    /// Tensors that share bytes.
    #[error("the tensors `{first}` and `{second}` overlap")]
    Overlap { first: String, second: String },
}
