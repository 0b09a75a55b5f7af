//! What people say of documents.

use crate::Error;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Which documents are relevant to which query, and how much: 1 and above is relevant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Qrels(BTreeMap<String, BTreeMap<String, i64>>);

impl Qrels {
    /// Adds the relevance of a document to a query.
    ///
    /// # Errors
    /// [`Error::DuplicateId`] if the document is judged for the query already.
    pub fn insert(&mut self, query: &str, document: &str, relevance: i64) -> Result<(), Error> {
        let judged = self.0.entry(query.to_owned()).or_default();
        match judged.entry(document.to_owned()) {
            Entry::Vacant(place) => {
                place.insert(relevance);
                Ok(())
            }
            Entry::Occupied(_) => {
                let place = format!("the query `{query}` of the qrels");
                Err(Error::DuplicateId { place, id: document.to_owned() })
            }
        }
    }

    /// The judgements of a query by document.
    pub fn of(&self, query: &str) -> Option<&BTreeMap<String, i64>> {
        self.0.get(query)
    }

    /// The queries with their judgements.
    pub fn queries(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, i64>)> {
        self.0.iter().map(|(query, judged)| (query.as_str(), judged))
    }

    /// Whether nothing is judged.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every document that is judged for some query.
    pub(super) fn documents(&self) -> impl Iterator<Item = &str> {
        self.0.values().flat_map(|judged| judged.keys().map(String::as_str))
    }
}
