//! How long an input may be, and what becomes of a longer one.

use crate::Error;
use crate::names::{name_of, named};
use std::fmt;
use std::str::FromStr;

/// What to drop from a text that has more tokens than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Truncate {
    /// The end of the text, as the reference implementations do.
    #[default]
    Right,
    /// The start of the text, and with it the prompt or instruction, as Transformers'
    /// `truncation_side="left"` does.
    Left,
    /// Nothing: such a text is an error.
    Error,
}

const TRUNCATIONS: [(Truncate, &str); 3] =
    [(Truncate::Right, "right"), (Truncate::Left, "left"), (Truncate::Error, "error")];

impl fmt::Display for Truncate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&TRUNCATIONS, *self))
    }
}

impl FromStr for Truncate {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownTruncate { found: word.to_owned() };
        named(&TRUNCATIONS, word).ok_or_else(unknown)
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
pub struct Tokens {
    /// The ids of all its tokens, those of the template and the end token included.
    pub input_ids: Vec<u32>,
    /// Whether tokens of the text were dropped.
    pub truncated: bool,
}

/// Beyond the limit nothing is kept, except that an error tells how long the text is.
pub fn enough_tokens(limit: Limit, reserved_tokens: usize) -> usize {
    match limit.truncate {
        Truncate::Right | Truncate::Left => limit.max_tokens.saturating_sub(reserved_tokens),
        Truncate::Error => usize::MAX,
    }
}

/// `ids` cut to a limit of which `reserved_tokens` are taken by what will be put around them.
pub fn truncated(mut ids: Vec<u32>, limit: Limit, reserved_tokens: usize) -> Result<Tokens, Error> {
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
    Ok(Tokens { input_ids: ids, truncated: excess > 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(truncate: Truncate, max_tokens: usize, expected: Option<(&[u32], bool)>) {
        let tokens = truncated(vec![1, 2, 3, 4], Limit { max_tokens, truncate }, 2);
        let tokens = tokens.ok().map(|tokens| (tokens.input_ids, tokens.truncated));
        assert_eq!(tokens, expected.map(|(ids, truncated)| (ids.to_vec(), truncated)));
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
        for (side, name) in TRUNCATIONS {
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
