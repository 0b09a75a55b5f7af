//! Opening the index, and beginning it anew.

use super::{Indexing, Trouble};
use crate::index::Index;
use crate::store::{StoreError, put_aside};
use crate::worker::event::{Activity, Event};

impl Indexing<'_> {
    /// Whether the index is still good, as far as is known and can be seen from outside.
    pub(super) fn check_store(&self) -> Result<(), StoreError> {
        if self.shared.takes_damaged_store() {
            return Err(StoreError::Damaged { message: "it couldn't be searched".to_owned() });
        }
        // What is open is written to without an error, and lost at the end of the program.
        let is_gone = matches!(self.shared.machinery.index_file.try_exists(), Ok(false));
        if is_gone && self.shared.store().is_some() { Err(StoreError::Gone) } else { Ok(()) }
    }

    /// Opens the index, at the start and after the disk has failed.
    pub(super) fn open_store(&mut self) -> Result<(), Trouble> {
        if self.shared.store().is_some() {
            return Ok(());
        }
        let store = (self.shared.machinery.open_store)()?;
        let answering = self.shared.index.read().expect("nobody panics with the index").model;
        // What failed was a write: what is in memory is still true, and so is what is to be done.
        let is_as_before = answering.is_some() && store.answering()? == answering;
        if !is_as_before {
            let index = Index::read(&store)?;
            *self.shared.index.write().expect("nobody panics with the index") = index;
            self.compute.forget_model();
        }
        self.shared.set_store(Some(store));
        self.scan.restart(&self.folders);
        self.shared.count();
        self.shared.searching.again();
        Ok(())
    }

    /// Everything in the index can be computed again. Whether the file is out of the way.
    pub(super) fn put_aside(&self, damage: &StoreError) -> bool {
        let aside = match damage {
            StoreError::Gone => Ok(None),
            _ => put_aside(&self.shared.machinery.index_file).map(Some),
        };
        let told = match &aside {
            Ok(None) => format!("A new index is built, as {damage}."),
            Ok(Some(path)) => {
                let path = path.display();
                format!("A new index is built, as {damage}. The old one is kept as {path}.")
            }
            Err(error) => error.to_string(),
        };
        self.activity(Activity::Starting);
        self.shared.tell(Event::Told(told));
        aside.is_ok()
    }
}
