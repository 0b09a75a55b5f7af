//! Texts of a request for vectors, on their way to tokens.

use qwen3_engine::{Input, Limit, Prompt};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use utoipa::ToSchema;

/// A text, or token ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash, ToSchema)]
#[serde(untagged)]
pub enum InputItem {
    /// Text.
    Text(String),
    /// Token ids.
    Ids(Vec<u32>),
}

/// The texts of a request, and how they become tokens.
#[derive(Clone, Debug)]
pub struct TextsToEmbed {
    /// In the order of the answer.
    pub inputs: Vec<InputItem>,
    /// What is put in front of each text.
    pub prompt: Prompt,
    /// Tokens of a text, and what happens beyond.
    pub limit: Limit,
}

/// What a vector looks like.
#[derive(Clone, Copy, Debug)]
pub struct VectorOptions {
    /// The first so many; `None`: all.
    pub dimensions: Option<usize>,
    /// Whether it is scaled to length 1.
    pub normalize: bool,
}

impl InputItem {
    /// As the engine reads it.
    pub fn as_input(&self) -> Input<'_> {
        match self {
            Self::Text(text) => Input::Text(text),
            Self::Ids(ids) => Input::Ids(ids),
        }
    }

    pub fn characters(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::Ids(_) => 0,
        }
    }
}

/// The texts that differ, each with the index of the first that is like it, and
/// for every text its place among them: equal ones are tokenized once.
pub fn distinct(inputs: Vec<InputItem>) -> (Vec<(usize, InputItem)>, Vec<usize>) {
    let mut seen = HashMap::with_capacity(inputs.len());
    let mut firsts = vec![];
    let place = |(index, input)| {
        let next = firsts.len();
        match seen.entry(input) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                firsts.push(index);
                *entry.insert(next)
            }
        }
    };
    let places = inputs.into_iter().enumerate().map(place).collect();
    let mut texts: Vec<_> = seen.into_iter().map(|(input, place)| (firsts[place], input)).collect();
    texts.sort_unstable_by_key(|(first, _)| *first);
    (texts, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_place() {
        let texts = ["b", "a", "b", "c", "a"].map(|text| InputItem::Text(text.to_owned()));
        let texts = [&texts[..], &[InputItem::Ids(vec![1]), InputItem::Ids(vec![1])]].concat();
        let (different, places) = distinct(texts.clone());
        assert_eq!(places, [0, 1, 0, 2, 1, 3, 3]);
        assert_eq!(different.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [0, 1, 3, 5]);
        for (text, place) in texts.iter().zip(places) {
            assert_eq!(*text, different[place].1);
        }
    }
}
