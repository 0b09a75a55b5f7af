//! From a query's vector to passages with their texts.

use super::{Index, Place};
use crate::documents::Kind;
use crate::store::{NO_TEXT, Store, StoreError, damaged};
use std::path::{Path, PathBuf};
use std::sync::RwLock;

/// How many more are looked at exactly than are shown: eight bits mix up neighbours.
const CANDIDATES: usize = 4;

/// What passages are searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only files in it.
    pub folder: Option<PathBuf>,
    /// Only files of this kind.
    pub kind: Option<Kind>,
}

impl Filter {
    fn is_open(&self) -> bool {
        *self == Self::default()
    }

    fn takes(&self, path: &Path) -> bool {
        self.folder.as_ref().is_none_or(|folder| path.starts_with(folder))
            && self.kind.is_none_or(|kind| Kind::of(path) == Some(kind))
    }
}

/// A passage that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub passage: u128,
    /// Cosine of its vector with the query's.
    pub similarity: f32,
    /// What a reranker makes of it: log-odds of "yes".
    pub relevance: Option<f64>,
    pub place: Place,
    /// How many other files have the same passage.
    pub others: usize,
    pub heading: String,
    pub text: String,
}

impl Hit {
    /// The similarity in digits.
    pub fn score(&self, decimals: usize) -> String {
        let text = format!("{:.decimals$}", self.similarity);
        // One that rounds to nothing has no sign.
        match text.strip_prefix('-') {
            Some(digits) if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) => {
                digits.to_owned()
            }
            _ => text,
        }
    }
}

/// The `count` passages nearest to a query, best first.
pub fn nearest(
    index: &RwLock<Index>,
    store: &Store,
    (query, filter): (&[f32], &Filter),
    count: usize,
) -> Result<Vec<Hit>, StoreError> {
    let Some((model, near)) = candidates(index, query, filter, count) else { return Ok(vec![]) };
    let keys: Vec<u128> = near.iter().map(|(passage, _)| *passage).collect();
    let exact = store.vectors(model, &keys)?;
    let mut scored: Vec<(f32, u128)> = near
        .into_iter()
        .zip(exact)
        .map(|((passage, rough), vector)| {
            (vector.map_or(rough, |vector| cosine(query, &vector)), passage)
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    scored.truncate(count);
    let keys: Vec<u128> = scored.iter().map(|(_, passage)| *passage).collect();
    let texts = store.texts(&keys)?;
    let index = index.read().expect("nobody panics with the index");
    let hit = |((similarity, passage), text): ((f32, u128), Option<(String, String)>)| {
        let places = index.catalogue.places(passage);
        let taken = places.iter().filter(|place| filter.takes(&place.path));
        // If its files are gone by now, so may be its text.
        let place = taken.min_by(|a, b| a.path.cmp(&b.path))?.clone();
        let Some((heading, text)) = text else { return Some(Err(damaged(NO_TEXT))) };
        let others = places.len() - 1;
        Some(Ok(Hit { passage, similarity, relevance: None, place, others, heading, text }))
    };
    scored.into_iter().zip(texts).filter_map(hit).collect()
}

type Candidates = (u32, Vec<(u128, f32)>);

fn candidates(
    index: &RwLock<Index>,
    query: &[f32],
    filter: &Filter,
    count: usize,
) -> Option<Candidates> {
    let index = index.read().expect("nobody panics with the index");
    let rows = (!filter.is_open()).then(|| {
        let catalogue = &index.catalogue;
        let folder = filter.folder.as_deref().unwrap_or(Path::new(""));
        let files = catalogue.files().filter(|(path, _)| path.starts_with(folder));
        let files = files.filter(|(path, _)| filter.takes(path));
        let passages = files.flat_map(|(_, file)| catalogue.passages_of(file.content));
        index.vectors.rows_of(passages.map(|(passage, _)| *passage))
    });
    let near = index.vectors.nearest(query, rows.as_deref(), CANDIDATES * count);
    Some((index.model?, near))
}

/// The vector of a passage, to find what is like it.
pub fn vector_of(
    index: &RwLock<Index>,
    store: &Store,
    passage: u128,
) -> Result<Option<Vec<f32>>, StoreError> {
    let model = index.read().expect("nobody panics with the index").model;
    let Some(model) = model else { return Ok(None) };
    Ok(store.vectors(model, &[passage])?.pop().flatten())
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    // Rounded, a vector is almost of length 1.
    dot / b.iter().map(|b| b * b).sum::<f32>().sqrt().max(1e-6)
}
