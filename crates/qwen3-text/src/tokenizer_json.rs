//! Reads `tokenizer.json`: the parts that decide about ids, and nothing else.
//!
//! The file is read here and not by `Tokenizer::from_file`, which panics on some edited files
//! (release 0.23.2): a merge longer than every token of the vocabulary, a template with an
//! undefined token. Reading it here also takes half the time and memory, and the file's own
//! `truncation`, `padding`, `dropout` and `decoder` have no say.

use crate::Error;
use crate::pieces::{QWEN_PATTERN, keeps_whole};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::{AddedToken, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

/// A tokenizer of 150,000 tokens takes 11 MB.
const MAX_BYTES: u64 = 32 << 20;

/// What `tokenizer.json` says.
pub struct TokenizerJson {
    pub path: PathBuf,
    /// Recognises added tokens, and appends nothing.
    pub tokenizer: Tokenizer,
    /// The added tokens, in the order of the file.
    pub added_tokens: Vec<AddedTokenWithId>,
    /// The ids that the post-processor appends to a text.
    pub appended_ids: Vec<u32>,
    /// The highest id and one.
    pub vocab_size: usize,
    /// The token of the highest id without added tokens, and that id.
    pub highest: Option<(String, u32)>,
    /// Whether normalizer and pre-tokenizer are those that [`crate::pieces`] knows.
    pub is_qwen_pattern: bool,
    /// Whether [`crate::pieces`] leaves all added tokens whole.
    pub pieces_keep_added_tokens: bool,
}

#[derive(Deserialize)]
struct File {
    version: Option<String>,
    #[serde(default)]
    added_tokens: Vec<AddedTokenWithId>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    model: Model,
}

#[derive(Debug, Deserialize)]
pub struct AddedTokenWithId {
    pub id: u32,
    #[serde(flatten)]
    pub token: AddedToken,
}

#[derive(Deserialize)]
struct Model {
    r#type: Option<String>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    fuse_unk: Option<bool>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    vocab: Vocab,
    merges: Vec<Merge>,
}

/// A merge in today's spelling, and in the one before 2024.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
}

impl TokenizerJson {
    pub fn from_json(json: &[u8], path: &Path) -> Result<Self, Error> {
        let file: File = match serde_json::from_slice(json) {
            Ok(file) => file,
            Err(source) => return Err(Error::Parse { path: path.to_owned(), source }),
        };
        file.build(path.to_owned())
    }
}

/// The content of a file of a model's folder; what is larger than any of them is cut.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let content = || {
        // A pipe would be waited for, and a device has no end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        let mut content = vec![];
        std::fs::File::open(path)?.take(MAX_BYTES).read_to_end(&mut content)?;
        Ok(content)
    };
    content().map_err(|source| Error::Read { path: path.to_owned(), source })
}

impl File {
    fn build(self, path: PathBuf) -> Result<TokenizerJson, Error> {
        self.check_kinds(&path)?;
        let is_qwen_pattern = self.is_qwen_pattern();
        let appended_ids = appended_ids(&path, &self.post_processor)?;
        let highest = self.model.vocab.iter().max_by_key(|(_, id)| **id);
        let highest = highest.map(|(token, id)| (token.clone(), *id));
        let mut highest_id = highest.as_ref().map_or(0, |(_, id)| *id);
        let failed = |source| Error::Build { path: path.clone(), source };

        let mut tokenizer = Tokenizer::new(self.model.build(&path)?);
        let normalizer: Option<NormalizerWrapper> = parse(&path, self.normalizer)?;
        tokenizer.with_normalizer(normalizer).map_err(failed)?;
        let pre_tokenizer: Option<PreTokenizerWrapper> = parse(&path, self.pre_tokenizer)?;
        tokenizer.with_pre_tokenizer(pre_tokenizer);

        let mut added = self.added_tokens;
        added.retain(|added| !added.token.content.is_empty());
        tokenizer.add_tokens(added.iter().map(|added| added.token.clone())).map_err(failed)?;
        // The library numbers added tokens by their order, whatever ids the file gives.
        for AddedTokenWithId { id, token } in &added {
            if tokenizer.token_to_id(&token.content) != Some(*id) {
                return Err(Error::AddedTokenId { path, token: token.content.clone(), id: *id });
            }
            highest_id = highest_id.max(*id);
        }
        Ok(TokenizerJson {
            path,
            tokenizer,
            appended_ids,
            vocab_size: (highest_id as usize).saturating_add(1),
            highest,
            is_qwen_pattern,
            pieces_keep_added_tokens: added.iter().all(|added| keeps_whole(&added.token)),
            added_tokens: added,
        })
    }

    fn check_kinds(&self, path: &Path) -> Result<(), Error> {
        let check = |part, found: Option<&str>, expected: &'static str| match found {
            Some(found) if !expected.split(", ").any(|kind| kind == found) => {
                Err(Error::Unsupported {
                    path: path.to_owned(),
                    part,
                    found: found.to_owned(),
                    expected,
                })
            }
            _ => Ok(()),
        };
        check("version", self.version.as_deref(), "1.0")?;
        check("model", self.model.r#type.as_deref(), "BPE")?;
        for kind in kinds(&self.normalizer, "normalizers") {
            check("normalizer", Some(kind), "NFC, NFD, NFKC, NFKD")?;
        }
        for kind in kinds(&self.pre_tokenizer, "pretokenizers") {
            check("pre_tokenizer", Some(kind), "Split, ByteLevel, Digits")?;
        }
        Ok(())
    }

    fn is_qwen_pattern(&self) -> bool {
        let [split, byte_level] = elements(&self.pre_tokenizer, "pretokenizers")[..] else {
            return false;
        };
        let normalizers = kinds(&self.normalizer, "normalizers");
        (normalizers.is_empty() || normalizers == ["NFC"])
            && split["pattern"]["Regex"] == QWEN_PATTERN
            && split["behavior"] == "Isolated"
            && split["invert"] == false
            && byte_level["type"] == "ByteLevel"
            && byte_level["add_prefix_space"] == false
            && byte_level["use_regex"] == false
    }
}

impl Model {
    fn build(self, path: &Path) -> Result<BPE, Error> {
        for (part, found) in [
            ("continuing_subword_prefix", &self.continuing_subword_prefix),
            ("end_of_word_suffix", &self.end_of_word_suffix),
        ] {
            if let Some(found) = found.as_ref().filter(|found| !found.is_empty()) {
                let (path, found) = (path.to_owned(), found.clone());
                return Err(Error::Unsupported { path, part, found, expected: "none" });
            }
        }
        if let Some(token) =
            self.unk_token.as_ref().filter(|token| !self.vocab.contains_key(*token))
        {
            let (path, token) = (path.to_owned(), token.clone());
            return Err(Error::MissingToken { path, token, expected: "Qwen3 model" });
        }
        let merges = checked_merges(path, self.merges, &self.vocab)?;
        let mut builder = BPE::builder()
            .vocab_and_merges(self.vocab, merges)
            .fuse_unk(self.fuse_unk.unwrap_or_default())
            .byte_fallback(self.byte_fallback.unwrap_or_default())
            .ignore_merges(self.ignore_merges.unwrap_or_default());
        if let Some(token) = self.unk_token {
            builder = builder.unk_token(token);
        }
        builder.build().map_err(|source| Error::Build { path: path.to_owned(), source })
    }
}

fn checked_merges(path: &Path, merges: Vec<Merge>, vocab: &Vocab) -> Result<Merges, Error> {
    let mut merged = String::new();
    let mut checked = Merges::with_capacity(merges.len());
    for merge in merges {
        let (left, right) = match merge {
            Merge::Pair(left, right) => (left, right),
            Merge::Line(line) if line.starts_with("#version") => continue,
            Merge::Line(line) => {
                let (left, right) = line.split_once(' ').unwrap_or((&line, ""));
                (left.to_owned(), right.to_owned())
            }
        };
        merged.clear();
        merged.push_str(&left);
        merged.push_str(&right);
        if [&left, &right, &merged].into_iter().any(|token| !vocab.contains_key(token)) {
            return Err(Error::UnknownMerge { path: path.to_owned(), left, right });
        }
        checked.push((left, right));
    }
    Ok(checked)
}

/// The ids that the post-processor appends to a single text.
fn appended_ids(path: &Path, post_processor: &Value) -> Result<Vec<u32>, Error> {
    let unsupported = |found: &str| Error::Unsupported {
        path: path.to_owned(),
        part: "post_processor",
        found: found.to_owned(),
        expected: "a TemplateProcessing that appends one token, or none",
    };
    let mut ids = Vec::new();
    for processor in elements(post_processor, "processors") {
        match processor["type"].as_str() {
            // Changes offsets only, which nobody asks for here.
            Some("ByteLevel") => {}
            Some("TemplateProcessing") => {
                let mut template = processor["single"].as_array().into_iter().flatten();
                if template.next().is_none_or(|first| first["Sequence"]["id"] != "A") {
                    return Err(unsupported("template that doesn't begin with the text"));
                }
                for piece in template {
                    let token = piece["SpecialToken"]["id"].as_str();
                    let token = token.and_then(|token| processor["special_tokens"].get(token));
                    let appended = token.and_then(|token| Vec::deserialize(&token["ids"]).ok());
                    ids.append(
                        &mut appended.ok_or_else(|| unsupported("template without token ids"))?,
                    );
                }
            }
            kind => return Err(unsupported(kind.unwrap_or("without a type"))),
        }
    }
    Ok(ids)
}

/// The elements of a `Sequence`, which stand under `key`, or the value itself; nothing for
/// null.
fn elements<'v>(value: &'v Value, key: &str) -> Vec<&'v Value> {
    match value[key].as_array() {
        Some(children) if value["type"] == "Sequence" => {
            children.iter().flat_map(|child| elements(child, key)).collect()
        }
        _ if value.is_null() => Vec::new(),
        _ => vec![value],
    }
}

fn kinds<'v>(value: &'v Value, key: &str) -> Vec<&'v str> {
    elements(value, key)
        .into_iter()
        .map(|value| value["type"].as_str().unwrap_or("without a type"))
        .collect()
}

fn parse<T: DeserializeOwned>(path: &Path, value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|source| Error::Parse { path: path.to_owned(), source })
}
