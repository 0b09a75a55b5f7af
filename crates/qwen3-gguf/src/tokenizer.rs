//! The `tokenizer.json` of the checkpoint that a file was made of, from what the file keeps of
//! it: tokens, their types, merges, and the name of the pattern that texts are split by.

use crate::description::unsupported;
use crate::error::Error;
use crate::file::GgufFile;
use crate::metadata::Metadata;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What llama.cpp calls `qwen2` is this pattern of Qwen's own tokenizers.
const QWEN_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const MODEL: &str = "tokenizer.ggml.model";
const PATTERN: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const END: &str = "tokenizer.ggml.eos_token_id";
const ADDS_END: &str = "tokenizer.ggml.add_eos_token";
const ADDS_BEGIN: &str = "tokenizer.ggml.add_bos_token";

/// `enum llama_token_type`, those that byte-level tokenizers have.
const NORMAL: u64 = 1;
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
const UNUSED: u64 = 5;

#[derive(Serialize)]
struct TokenizerJson<'f> {
    version: &'static str,
    truncation: (),
    padding: (),
    added_tokens: Vec<AddedToken<'f>>,
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: Value,
    decoder: Value,
    model: Model<'f>,
}

#[derive(Clone, Copy, Serialize)]
struct AddedToken<'f> {
    id: usize,
    content: &'f str,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

#[derive(Serialize)]
struct Model<'f> {
    r#type: &'static str,
    dropout: (),
    unk_token: (),
    continuing_subword_prefix: &'static str,
    end_of_word_suffix: &'static str,
    fuse_unk: bool,
    byte_fallback: bool,
    ignore_merges: bool,
    vocab: Vocab<'f>,
    merges: Vec<(&'f str, &'f str)>,
}

/// Tokens and their ids.
struct Vocab<'f>(Vec<(&'f str, usize)>);

impl Serialize for Vocab<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// The content of a `tokenizer.json` that gives every text the ids of the original. Names of
/// rows without a token (`[PAD151669]`) are left out. Control tokens are special, which some of
/// the original aren't (`<|fim_prefix|>`); that matters to decoding only.
///
/// The end token is appended to a text if the file says so; early conversions of embedding
/// models don't.
///
/// # Errors
/// If the file has another tokenizer than Qwen's, lacks a part of it, or the parts contradict
/// each other.
pub fn tokenizer_json(file: &GgufFile) -> Result<Vec<u8>, Error> {
    let metadata = file.metadata();
    check_kind(metadata)?;
    let tokens = metadata.needed(TOKENS, metadata.texts(TOKENS)?)?;
    let types = types(metadata, tokens.len())?;
    check_unique(metadata, &tokens, &types)?;
    let (vocab, added_tokens) = split(&tokens, &types);
    let json = TokenizerJson {
        version: "1.0",
        truncation: (),
        padding: (),
        added_tokens,
        normalizer: json!({"type": "NFC"}),
        pre_tokenizer: pre_tokenizer(),
        post_processor: post_processor(metadata, &tokens)?,
        decoder: byte_level(true),
        model: Model {
            r#type: "BPE",
            dropout: (),
            unk_token: (),
            continuing_subword_prefix: "",
            end_of_word_suffix: "",
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
            vocab: Vocab(vocab),
            merges: merges(metadata)?,
        },
    };
    Ok(serde_json::to_vec(&json).expect("texts and numbers are JSON"))
}

fn check_kind(metadata: Metadata) -> Result<(), Error> {
    for (key, expected) in [(MODEL, "gpt2"), (PATTERN, "qwen2")] {
        let found = metadata.needed(key, metadata.text(key)?)?;
        if found != expected {
            return Err(unsupported(metadata, key, found));
        }
    }
    match metadata.bool(ADDS_BEGIN)? {
        Some(true) => Err(unsupported(metadata, ADDS_BEGIN, true)),
        _ => Ok(()),
    }
}

/// The type of each token.
fn types(metadata: Metadata, n_tokens: usize) -> Result<Vec<u64>, Error> {
    let array = metadata.needed(TYPES, metadata.array(TYPES)?)?;
    if array.len() != n_tokens {
        let (path, types) = (metadata.path.to_owned(), array.len());
        return Err(Error::TokenTypes { path, tokens: n_tokens, types });
    }
    let known = |found: u64| [NORMAL, CONTROL, USER_DEFINED, UNUSED].contains(&found);
    let types = array.iter().map(|value| match value.as_unsigned() {
        Some(found) if known(found) => Ok(found),
        _ => Err(unsupported(metadata, TYPES, value)),
    });
    types.collect()
}

/// A token with two ids would lose one.
fn check_unique(metadata: Metadata, tokens: &[&str], types: &[u64]) -> Result<(), Error> {
    let mut seen = HashMap::new();
    for (second, token, _) in used(tokens, types) {
        if let Some(first) = seen.insert(token, second) {
            let (path, token) = (metadata.path.to_owned(), token.to_owned());
            return Err(Error::TokenTwice { path, token, first, second });
        }
    }
    Ok(())
}

/// Ids, tokens and types without rows that have only a name.
fn used<'f>(tokens: &[&'f str], types: &[u64]) -> impl Iterator<Item = (usize, &'f str, u64)> {
    let all = tokens.iter().zip(types).enumerate();
    all.filter(|(_, (_, kind))| **kind != UNUSED).map(|(id, (token, kind))| (id, *token, *kind))
}

/// The vocabulary, and the tokens that were added to it. These are numbered in their order from
/// the vocabulary's length on, whatever ids a file gives them; where that would be others, they
/// are in the vocabulary, too.
fn split<'f>(tokens: &[&'f str], types: &[u64]) -> (Vec<(&'f str, usize)>, Vec<AddedToken<'f>>) {
    let (mut vocab, mut added) = (vec![], vec![]);
    for (id, content, kind) in used(tokens, types) {
        if kind == NORMAL {
            vocab.push((content, id));
        } else {
            let [single_word, lstrip, rstrip, normalized] = [false; 4];
            let special = kind == CONTROL;
            added.push(AddedToken {
                id,
                content,
                single_word,
                lstrip,
                rstrip,
                normalized,
                special,
            });
        }
    }
    let first = vocab.len();
    if added.iter().enumerate().any(|(index, token)| token.id != first + index) {
        vocab.extend(added.iter().map(|token| (token.content, token.id)));
    }
    (vocab, added)
}

fn merges(metadata: Metadata<'_>) -> Result<Vec<(&str, &str)>, Error> {
    let merges = metadata.needed(MERGES, metadata.texts(MERGES)?)?;
    let pairs = merges.into_iter().enumerate().map(|(index, merge)| match merge.split_once(' ') {
        // A space within a token is another letter here.
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok((left, right))
        }
        _ => {
            let (path, merge) = (metadata.path.to_owned(), merge.to_owned());
            Err(Error::Merge { path, index, merge })
        }
    });
    pairs.collect()
}

fn pre_tokenizer() -> Value {
    let split = json!({
        "type": "Split",
        "pattern": {"Regex": QWEN_PATTERN},
        "behavior": "Isolated",
        "invert": false,
    });
    json!({"type": "Sequence", "pretokenizers": [split, byte_level(false)]})
}

fn byte_level(all: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": all, "trim_offsets": all, "use_regex": all})
}

/// Appends the end token, or nothing.
fn post_processor(metadata: Metadata, tokens: &[&str]) -> Result<Value, Error> {
    if metadata.bool(ADDS_END)? != Some(true) {
        return Ok(byte_level(false));
    }
    let id = metadata.needed(END, metadata.unsigned(END)?)?;
    let token = usize::try_from(id).ok().and_then(|id| tokens.get(id));
    let token = token.ok_or_else(|| {
        let path = metadata.path.to_owned();
        Error::TokenId { path, key: END, id, tokens: tokens.len() }
    })?;
    let end = |type_id| json!({"SpecialToken": {"id": token, "type_id": type_id}});
    let text = |id, type_id| json!({"Sequence": {"id": id, "type_id": type_id}});
    let template = json!({
        "type": "TemplateProcessing",
        "single": [text("A", 0), end(0)],
        "pair": [text("A", 0), end(0), text("B", 1), end(1)],
        "special_tokens": {*token: {"id": token, "ids": [id], "tokens": [token]}},
    });
    Ok(json!({"type": "Sequence", "processors": [byte_level(false), template]}))
}
