//! What both tokenizers share: special tokens by policy, limits and truncation.

use crate::Error;
use crate::pieces::pieces;
use crate::special::{self, SpecialTokens};
use crate::tokenizer_json::TokenizerJson;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use tokenizers::{AddedToken, AddedVocabulary, Tokenizer};

/// What to drop from a text that has more tokens than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Truncate {
    /// The end of the text, as the reference implementations do.
    #[default]
    Right,
    /// The start of the text, and with it the prompt or instruction, as Transformers' `truncation_side="left"` does.
    Left,
    /// Nothing: such a text is an error.
    Error,
}

impl Truncate {
    const ALL: [(Self, &str); 3] =
        [(Self::Right, "right"), (Self::Left, "left"), (Self::Error, "error")];
}

impl fmt::Display for Truncate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(side, _)| side == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}

impl FromStr for Truncate {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        Self::ALL
            .iter()
            .find(|(_, name)| *name == word)
            .map(|(side, _)| *side)
            .ok_or_else(|| Error::UnknownTruncate { found: word.to_owned() })
    }
}

/// How many tokens an input may have, and what to do if it has more.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The most tokens of an input, those of the template and the end token included.
    pub max_tokens: usize,
    /// What to do with a longer one.
    pub truncate: Truncate,
}

/// An input as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The ids of all its tokens, those of the template and the end token included.
    pub input_ids: Vec<u32>,
    /// Whether tokens of the text were dropped.
    pub truncated: bool,
}

/// Long texts are encoded in pieces of this size, one of which takes 20 MB at most while it is encoded.
const PIECE_BYTES: usize = 1 << 16;

/// Encodes text without anything around it.
#[derive(Debug)]
pub(crate) struct TextTokenizer {
    /// Has added tokens only if the policy is to parse them.
    pub(crate) tokenizer: Tokenizer,
    /// The added tokens of the file, by id, whatever the policy.
    pub(crate) added_by_id: BTreeMap<u32, AddedToken>,
    special: SpecialTokens,
    added_tokens: Vec<String>,
    vocab_size: usize,
    /// Where it was read from; for messages.
    path: PathBuf,
    /// The token of the highest id that any text may have.
    highest: Option<(String, u32)>,
    /// Whether a text may be encoded in pieces.
    in_pieces: bool,
    without_row: Vec<String>,
}

impl TextTokenizer {
    pub(crate) fn new(json: TokenizerJson, special: SpecialTokens) -> Self {
        let TokenizerJson { mut tokenizer, added_tokens, vocab_size, path, highest, .. } = json;
        let parse = special == SpecialTokens::Parse;
        if !parse {
            tokenizer.with_added_vocabulary(AddedVocabulary::new());
        }
        let in_pieces = json.is_qwen_pattern && (!parse || json.pieces_keep_added_tokens);
        let added_by_id: BTreeMap<u32, AddedToken> =
            added_tokens.into_iter().map(|added| (added.id, added.token)).collect();
        let added_tokens = added_by_id.values().map(|token| token.content.clone()).collect();
        Self {
            tokenizer,
            added_by_id,
            special,
            added_tokens,
            vocab_size,
            path,
            highest,
            in_pieces,
            without_row: vec![],
        }
    }

    /// The same for a model whose table has `rows` rows. Added tokens beyond it, with which no model can have been
    /// trained, are text like any other: published 4B and 8B models have such tokens.
    ///
    /// # Errors
    /// If other tokens are beyond it, or those that every input has.
    pub(crate) fn within(mut self, rows: usize, of_all_inputs: &[u32]) -> Result<Self, Error> {
        let is_beyond = |id: u32| id as usize >= rows;
        let beyond = |token, id| Error::BeyondTable { path: self.path.clone(), token, id, rows };
        if let Some((token, id)) = self.highest.as_ref().filter(|(_, id)| is_beyond(*id)) {
            return Err(beyond(token.clone(), *id));
        }
        if let Some(&id) = of_all_inputs.iter().find(|id| is_beyond(**id)) {
            let token = self.added_by_id.get(&id).map(|token| token.content.clone());
            return Err(beyond(token.unwrap_or_default(), id));
        }
        if self.vocab_size > rows {
            self.vocab_size = rows;
            let beyond = self.added_by_id.extract_if(.., |id, _| is_beyond(*id));
            self.without_row = beyond.map(|(_, token)| token.content).collect();
            if self.special == SpecialTokens::Parse {
                let failed = |source| Error::Build { path: self.path.clone(), source };
                self.tokenizer.with_added_vocabulary(AddedVocabulary::new());
                let added = self.added_by_id.values().cloned();
                self.tokenizer.add_tokens(added).map_err(failed)?;
            }
        }
        Ok(self)
    }

    pub(crate) fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    pub(crate) fn without_row(&self) -> &[String] {
        &self.without_row
    }

    /// `text` with its special tokens removed or refused, where that is the policy.
    pub(crate) fn apply_policy<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Error> {
        match self.special {
            SpecialTokens::Parse | SpecialTokens::Literal => {}
            SpecialTokens::Strip => return Ok(special::strip(text, &self.added_tokens)),
            SpecialTokens::Reject => special::reject(text, &self.added_tokens)?,
        }
        Ok(Cow::Borrowed(text))
    }

    /// The tokens of `text`, which has been through [`Self::apply_policy`], in a limit of which `reserved_tokens` are
    /// taken.
    pub(crate) fn encode(
        &self,
        text: &str,
        limit: Limit,
        reserved_tokens: usize,
    ) -> Result<Encoded, Error> {
        let mut pieces = if self.in_pieces { pieces(text, PIECE_BYTES) } else { vec![text] };
        let from_the_end = limit.truncate == Truncate::Left;
        if from_the_end {
            pieces.reverse();
        }
        // Beyond the limit nothing is kept, except that an error tells how long the text is.
        let enough_tokens = match limit.truncate {
            Truncate::Right | Truncate::Left => limit.max_tokens.saturating_sub(reserved_tokens),
            Truncate::Error => usize::MAX,
        };
        let mut n_tokens = 0;
        let mut encoded = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let ids = ids(&self.tokenizer, piece)?;
            n_tokens += ids.len();
            encoded.push(ids);
            if n_tokens > enough_tokens {
                break;
            }
        }
        if from_the_end {
            encoded.reverse();
        }
        truncated(encoded.concat(), limit, reserved_tokens)
    }
}

/// `ids` cut to a limit of which `reserved_tokens` are taken by what will be put around them.
pub(crate) fn truncated(
    mut ids: Vec<u32>,
    limit: Limit,
    reserved_tokens: usize,
) -> Result<Encoded, Error> {
    let room = limit.max_tokens.saturating_sub(reserved_tokens);
    let excess = ids.len().saturating_sub(room);
    match limit.truncate {
        _ if excess == 0 => {}
        Truncate::Right => ids.truncate(room),
        Truncate::Left => drop(ids.drain(..excess)),
        Truncate::Error => {
            let found = ids.len() + reserved_tokens;
            return Err(Error::TooLong { found, max_tokens: limit.max_tokens });
        }
    }
    Ok(Encoded { input_ids: ids, truncated: excess > 0 })
}

/// The ids of `text`, and nothing around them.
pub(crate) fn ids(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, Error> {
    let encoding = tokenizer.encode_fast(text, false).map_err(|source| Error::Encode { source })?;
    Ok(encoding.get_ids().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(truncate: Truncate, max_tokens: usize, expected: Option<(&[u32], bool)>) {
        let encoded = truncated(vec![1, 2, 3, 4], Limit { max_tokens, truncate }, 2);
        let encoded = encoded.ok().map(|encoded| (encoded.input_ids, encoded.truncated));
        assert_eq!(encoded, expected.map(|(ids, truncated)| (ids.to_vec(), truncated)));
    }

    #[test]
    fn truncation_drops_the_side_it_names() {
        check(Truncate::Right, 5, Some((&[1, 2, 3], true)));
        check(Truncate::Left, 5, Some((&[2, 3, 4], true)));
        check(Truncate::Error, 5, None);
        for truncate in [Truncate::Right, Truncate::Left, Truncate::Error] {
            check(truncate, 6, Some((&[1, 2, 3, 4], false)));
        }
    }

    #[test]
    fn truncations_are_spelled_in_lower_case() {
        for (side, name) in Truncate::ALL {
            assert_eq!(side.to_string(), name);
            assert_eq!(name.parse::<Truncate>().unwrap(), side);
        }
        assert_eq!(Truncate::default(), Truncate::Right);
        let error = "Right".parse::<Truncate>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown truncation `Right`; choose `right`, `left` or `error`"
        );
    }
}
