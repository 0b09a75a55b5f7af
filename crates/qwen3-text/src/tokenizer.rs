//! What both tokenizers share: texts to ids, with special tokens by policy, as far as a
//! limit keeps them.

use crate::Error;
use crate::limit::{Limit, Tokens, Truncate, enough_tokens, truncated};
use crate::pieces::Cuts;
use crate::special::{self, SpecialTokens};
use crate::tokenizer_json::TokenizerJson;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tokenizers::{AddedToken, AddedVocabulary, Tokenizer};

/// What stands before several texts, such as a prompt or a query: tokenized once, as far as no
/// text can change its tokens.
#[derive(Clone, Debug, Default)]
pub struct Prefix {
    /// No more than the limit keeps, and one, so that it is noticed.
    input_ids: Vec<u32>,
    /// The end, whose tokens depend on the text.
    rest: String,
}

impl Prefix {
    /// Bytes of its end that are tokenized again with each text. There are few where its last
    /// word begins with a blank, a line break, a digit or a mark.
    pub fn bytes_per_text(&self) -> usize {
        self.rest.len()
    }

    /// `text` with what has to be tokenized together with it.
    pub fn with<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.rest.as_str() {
            "" => Cow::Borrowed(text),
            rest => Cow::Owned([rest, text].concat()),
        }
    }
}

/// What is tokenized at once takes up to 350 bytes of memory per byte, and nothing stops it.
/// It also has to be below a million: `fancy-regex`, which runs the pattern, gives up on so
/// many white-space characters in a row (`MAX_STACK` in its `vm.rs`), and `tokenizers` then
/// takes the whole rest of the text for one word.
pub const MAX_PIECE_BYTES: usize = 1 << 18;

/// Tokenizes text without anything around it.
#[derive(Debug)]
pub struct TextTokenizer {
    /// Has added tokens only if the policy is to parse them.
    pub tokenizer: Tokenizer,
    /// The added tokens of the file, by id, whatever the policy.
    pub added_by_id: BTreeMap<u32, AddedToken>,
    special: SpecialTokens,
    added_tokens: Vec<String>,
    vocab_size: usize,
    /// Where it was read from; for messages.
    path: PathBuf,
    /// The token of the highest id that any text may have.
    highest: Option<(String, u32)>,
    /// Where a text may be cut; `None`: nowhere.
    cuts: Option<Cuts>,
    without_row: Vec<String>,
}

impl TextTokenizer {
    pub fn new(json: TokenizerJson, special: SpecialTokens) -> Self {
        let TokenizerJson { mut tokenizer, added_tokens, vocab_size, path, highest, .. } = json;
        let parse = special == SpecialTokens::Parse;
        if !parse {
            tokenizer.with_added_vocabulary(AddedVocabulary::new());
        }
        let in_pieces = json.is_qwen_pattern && (!parse || json.pieces_keep_added_tokens);
        let added_by_id: BTreeMap<u32, AddedToken> =
            added_tokens.into_iter().map(|added| (added.id, added.token)).collect();
        let added_tokens: Vec<String> =
            added_by_id.values().map(|token| token.content.clone()).collect();
        let cuts = match special {
            SpecialTokens::Literal => Cuts::default(),
            _ => Cuts::beside(added_tokens.iter().map(String::as_str)),
        };
        let cuts = in_pieces.then_some(cuts);
        let without_row = vec![];
        Self {
            tokenizer,
            added_by_id,
            special,
            added_tokens,
            vocab_size,
            path,
            highest,
            cuts,
            without_row,
        }
    }

    /// The same for a model whose table has `rows` rows. Added tokens beyond it, with which no
    /// model can have been trained, are text like any other: published 4B and 8B models have
    /// such tokens.
    ///
    /// # Errors
    /// If other tokens are beyond it, or those that every input has.
    pub fn within(mut self, rows: usize, of_all_inputs: &[u32]) -> Result<Self, Error> {
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

    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    pub fn without_row(&self) -> &[String] {
        &self.without_row
    }

    /// `text` with its special tokens removed or refused, where that is the policy.
    pub fn apply_policy<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Error> {
        match self.special {
            SpecialTokens::Parse | SpecialTokens::Literal => {}
            SpecialTokens::Strip => return Ok(special::strip(text, &self.added_tokens)),
            SpecialTokens::Reject => special::reject(text, &self.added_tokens)?,
        }
        Ok(Cow::Borrowed(text))
    }

    /// `before` and `text`, which has been through [`Self::apply_policy`] together with the
    /// rest of `before`, as what stands before other texts.
    pub fn prefix(
        &self,
        before: &Prefix,
        text: &str,
        limit: Limit,
        reserved_tokens: usize,
    ) -> Result<Prefix, Error> {
        let at = self.cuts.as_ref().and_then(|cuts| cuts.last(text, 0)).unwrap_or(0);
        let (text, rest) = text.split_at(at);
        let enough_tokens = enough_tokens(limit, reserved_tokens);
        let mut input_ids = self.ids_after(&before.input_ids, text, limit, enough_tokens)?;
        let excess = input_ids.len().saturating_sub(enough_tokens.saturating_add(1));
        match limit.truncate {
            Truncate::Left => drop(input_ids.drain(..excess)),
            _ => input_ids.truncate(input_ids.len() - excess),
        }
        Ok(Prefix { input_ids, rest: rest.to_owned() })
    }

    /// The tokens of `before` and of `text`, which has been through [`Self::apply_policy`]
    /// together with the rest of `before`, in a limit of which `reserved_tokens` are taken.
    pub fn tokenize(
        &self,
        before: &Prefix,
        text: &str,
        limit: Limit,
        reserved_tokens: usize,
    ) -> Result<Tokens, Error> {
        let enough_tokens = enough_tokens(limit, reserved_tokens);
        let ids = self.ids_after(&before.input_ids, text, limit, enough_tokens)?;
        truncated(ids, limit, reserved_tokens)
    }

    /// `before` and the ids of `text`; of a text beyond `enough_tokens` not all, but more than
    /// these.
    fn ids_after(
        &self,
        before: &[u32],
        mut text: &str,
        limit: Limit,
        enough_tokens: usize,
    ) -> Result<Vec<u32>, Error> {
        if limit.truncate == Truncate::Left {
            let (mut n_tokens, mut tokens) = (0, vec![]);
            while n_tokens <= enough_tokens
                && let Some(piece) = self.last_piece(&mut text)
            {
                let ids = self.piece_ids(piece)?;
                n_tokens += ids.len();
                tokens.push(ids);
            }
            let before = if n_tokens <= enough_tokens { before } else { &[] };
            return Ok(std::iter::once(before)
                .chain(tokens.iter().rev().map(Vec::as_slice))
                .flatten()
                .copied()
                .collect());
        }
        let mut ids = before.to_vec();
        while ids.len() <= enough_tokens
            && let Some(piece) = self.first_piece(&mut text)
        {
            ids.append(&mut self.piece_ids(piece)?);
        }
        Ok(ids)
    }

    /// Takes the next piece off `text`, whose tokens are the same without the others.
    pub fn first_piece<'t>(&self, text: &mut &'t str) -> Option<&'t str> {
        match &self.cuts {
            Some(cuts) => cuts.first_piece(text),
            None => Some(std::mem::take(text)).filter(|piece| !piece.is_empty()),
        }
    }

    /// The same from the end of `text`.
    fn last_piece<'t>(&self, text: &mut &'t str) -> Option<&'t str> {
        match &self.cuts {
            Some(cuts) => cuts.last_piece(text),
            None => Some(std::mem::take(text)).filter(|piece| !piece.is_empty()),
        }
    }

    fn piece_ids(&self, piece: &str) -> Result<Vec<u32>, Error> {
        check_bytes(piece)?;
        ids(&self.tokenizer, piece)
    }
}

/// Whether a piece may be tokenized at once.
pub fn check_bytes(piece: &str) -> Result<(), Error> {
    match piece.len() {
        found if found > MAX_PIECE_BYTES => {
            Err(Error::Unbroken { found, max_bytes: MAX_PIECE_BYTES })
        }
        _ => Ok(()),
    }
}

/// The ids of `text`, and nothing around them.
pub fn ids(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, Error> {
    let encoding =
        tokenizer.encode_fast(text, false).map_err(|source| Error::Tokenize { source })?;
    Ok(encoding.get_ids().to_vec())
}
