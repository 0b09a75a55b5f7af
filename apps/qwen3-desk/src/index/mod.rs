//! What is searched, in memory: which files have which passages, and a small vector of each.

mod catalogue;
mod map;
mod search;
mod vectors;

pub use catalogue::{Catalogue, Place};
pub use map::{MapPoint, map};
pub use search::{Filter, Hit, nearest, vector_of};
pub use vectors::Vectors;

use crate::store::{Store, StoreError};

/// Everything that a search needs, but for texts and exact vectors.
#[derive(Debug, Default)]
pub struct Index {
    pub catalogue: Catalogue,
    pub vectors: Vectors,
    /// The store's number of the model that the vectors are of.
    pub model: Option<u32>,
}

impl Index {
    /// Reads the index that answered last.
    pub fn read(store: &Store) -> Result<Self, StoreError> {
        let mut index = Self { catalogue: Catalogue::read(store)?, ..Self::default() };
        if let Some(model) = store.answering()? {
            index.answer_with(store, model)?;
        }
        Ok(index)
    }

    /// Takes the vectors of another model.
    pub fn answer_with(&mut self, store: &Store, model: u32) -> Result<(), StoreError> {
        self.vectors = Vectors::read(store, model)?;
        self.model = Some(model);
        Ok(())
    }
}
