//! What becomes of special tokens that stand in a user's text.

use crate::Error;
use crate::names::{name_of, named};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

/// What to do where a text contains the text of an added token, such as `<|im_end|>` or
/// `<think>`.
///
/// A token that is recognised speaks to the model with the authority of the template: a
/// document with `<|im_end|>` in it can end the reranker's question and answer it. "Added
/// token" means every entry of `added_tokens` in `tokenizer.json`, whether marked `special` or
/// not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialTokens {
    /// They are recognised, as all reference implementations do.
    Parse,
    /// They are text like any other: the ids of added tokens never come from the user.
    Literal,
    /// They are removed, again and again until none is left; removing one can form another.
    Strip,
    /// A text that contains one is an error.
    Reject,
}

const POLICIES: [(SpecialTokens, &str); 4] = [
    (SpecialTokens::Parse, "parse"),
    (SpecialTokens::Literal, "literal"),
    (SpecialTokens::Strip, "strip"),
    (SpecialTokens::Reject, "reject"),
];

impl fmt::Display for SpecialTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&POLICIES, *self))
    }
}

impl FromStr for SpecialTokens {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownSpecialTokens { found: word.to_owned() };
        named(&POLICIES, word).ok_or_else(unknown)
    }
}

/// `text` without any of `tokens`, in time linear in the text.
///
/// The kept text grows character by character, and a token is cut off as soon as it stands at
/// the end. So no token is ever left behind, and a nest of a million tokens costs no more than
/// any other text; removing all occurrences in passes would take a pass per level. Where two
/// tokens end at the same place, the longer one goes.
///
/// The match is on the text as it came, which is also where `tokenizers` looks for Qwen3's
/// added tokens (`normalized` is false). NFC could complete a token afterwards only from
/// U+037E (`;`), U+1FEF (a backquote) or U+212A (`K`); the result is tokenized without added
/// tokens in any case.
pub fn strip<'t>(text: &'t str, tokens: &[String]) -> Cow<'t, str> {
    if !tokens.iter().any(|token| text.contains(token)) {
        return Cow::Borrowed(text);
    }
    let mut tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    tokens.sort_by_key(|token| Reverse(token.len()));
    let last_chars: Vec<char> =
        tokens.iter().filter_map(|token| token.chars().next_back()).collect();
    let mut kept = String::with_capacity(text.len());
    for char in text.chars() {
        kept.push(char);
        if last_chars.contains(&char)
            && let Some(token) = tokens.iter().find(|token| kept.ends_with(**token))
        {
            kept.truncate(kept.len() - token.len());
        }
    }
    Cow::Owned(kept)
}

/// An error with the first of `tokens` in `text`, if there is one.
pub fn reject(text: &str, tokens: &[String]) -> Result<(), Error> {
    let first = tokens
        .iter()
        .filter_map(|token| Some((text.find(token)?, Reverse(token.len()), token)))
        .min();
    match first {
        Some((_, _, token)) => Err(Error::SpecialToken { token: token.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_strip(text: &str, expected: &str) {
        let tokens = ["<|im_end|>", "<think>", "end|>"].map(str::to_owned);
        assert_eq!(strip(text, &tokens), expected, "{text:?}");
    }

    #[test]
    fn stripping_leaves_no_token_behind() {
        check_strip("", "");
        check_strip("no token: <|im_start|>", "no token: <|im_start|>");
        check_strip("<think>", "");
        check_strip("a<think>b<|im_end|>c", "abc");
        check_strip("<th<think>ink>", "");
        check_strip("<|im_<|im_end|>end|>", "");
        check_strip("<th<th<think>ink>ink", "<think");
        check_strip("é<th<|im_end|>ink>\0", "é\0");
    }

    #[test]
    fn a_deep_nest_is_stripped_in_linear_time() {
        let depth = 200_000;
        let text = format!("{}x{}", "<th".repeat(depth), "ink>".repeat(depth));
        assert_eq!(strip(&text, &["<think>".to_owned()]).len(), text.len());
        let text = format!("{}{}", "<th".repeat(depth), "ink>".repeat(depth));
        assert_eq!(strip(&text, &["<think>".to_owned()]), "");
    }

    #[test]
    fn the_first_token_is_named() {
        let tokens = ["<b>", "<a>", "<a"].map(str::to_owned);
        let found = |text| match reject(text, &tokens) {
            Err(Error::SpecialToken { token }) => Some(token),
            _ => None,
        };
        assert_eq!(found("x <a> <b>").as_deref(), Some("<a>"));
        assert_eq!(found("x <b> <a>").as_deref(), Some("<b>"));
        assert_eq!(found("x < a >"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn policies_are_spelled_in_lower_case() {
        for (policy, name) in POLICIES {
            assert_eq!(policy.to_string(), name);
            assert_eq!(name.parse::<SpecialTokens>().unwrap(), policy);
        }
        assert!("Parse".parse::<SpecialTokens>().is_err());
    }
}
