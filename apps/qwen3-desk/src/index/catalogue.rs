//! Which files have which passages.

use crate::store::{Changes, FileRecord, Passages, Store, StoreError, damaged};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a passage stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: Arc<Path>,
    /// The line, or the page of a PDF.
    pub line: u32,
}

/// All files and passages, by each other. It changes with the store, and never before it.
#[derive(Debug, Default)]
pub struct Catalogue {
    files: BTreeMap<Arc<Path>, FileRecord>,
    contents: HashMap<u128, Content>,
    /// The contents that a passage is in.
    passages: HashMap<u128, Vec<u128>>,
}

#[derive(Debug, Default)]
struct Content {
    passages: Passages,
    files: BTreeSet<Arc<Path>>,
}

impl Catalogue {
    pub fn read(store: &Store) -> Result<Self, StoreError> {
        let mut catalogue = Self::default();
        for (key, passages) in store.contents()? {
            catalogue.put_content(key, passages);
        }
        for (path, record) in store.files()? {
            if record.problem.is_empty() && !catalogue.has_content(record.content) {
                return Err(damaged("a file has lost its passages"));
            }
            catalogue.put_file(Path::new(&path), record);
        }
        Ok(catalogue)
    }

    /// Does what the store did.
    pub fn apply(&mut self, changes: &Changes) {
        for (key, passages) in &changes.contents {
            match passages {
                Some(passages) => self.put_content(*key, passages.clone()),
                None => self.remove_content(*key),
            }
        }
        for (path, record) in &changes.files {
            self.remove_file(Path::new(path));
            if let Some(record) = record {
                self.put_file(Path::new(path), record.clone());
            }
        }
    }

    pub fn file(&self, path: &Path) -> Option<&FileRecord> {
        self.files.get(path)
    }

    /// The files at and below a path.
    pub fn files_under<'c>(
        &'c self,
        folder: &'c Path,
    ) -> impl Iterator<Item = (&'c Arc<Path>, &'c FileRecord)> {
        let from = (std::ops::Bound::Included(folder), std::ops::Bound::Unbounded);
        let files = self.files.range::<Path, _>(from);
        // Paths are in the order of their components, so those of a folder are together.
        files.take_while(move |(path, _)| path.starts_with(folder))
    }

    pub fn files(&self) -> impl Iterator<Item = (&Arc<Path>, &FileRecord)> {
        self.files.iter()
    }

    pub fn n_files(&self) -> usize {
        self.files.len()
    }

    pub fn has_content(&self, key: u128) -> bool {
        self.contents.contains_key(&key)
    }

    pub fn passages_of(&self, content: u128) -> &[(u128, u32)] {
        self.contents.get(&content).map_or(&[], |content| &content.passages)
    }

    /// Every passage once.
    pub fn passages(&self) -> impl Iterator<Item = u128> {
        self.passages.keys().copied()
    }

    pub fn n_passages(&self) -> usize {
        self.passages.len()
    }

    /// Where a passage stands: in several files if they share it.
    pub fn places(&self, passage: u128) -> Vec<Place> {
        let contents = self.passages.get(&passage).map_or(&[][..], Vec::as_slice);
        let contents = contents.iter().filter_map(|key| self.contents.get(key));
        let mut places = vec![];
        for content in contents {
            let line = content.passages.iter().find(|(key, _)| *key == passage);
            let line = line.map_or(0, |(_, line)| *line);
            places.extend(content.files.iter().map(|path| Place { path: path.clone(), line }));
        }
        places
    }

    /// What no file has any more, as a change that takes it away.
    pub fn orphans(&self) -> Changes {
        let gone: BTreeSet<u128> = self
            .contents
            .iter()
            .filter(|(_, content)| content.files.is_empty())
            .map(|(key, _)| *key)
            .collect();
        let is_gone = |contents: &Vec<u128>| contents.iter().all(|key| gone.contains(key));
        let of_gone = gone.iter().flat_map(|key| self.passages_of(*key));
        let passages: BTreeSet<u128> = of_gone
            .map(|(passage, _)| *passage)
            .filter(|passage| self.passages.get(passage).is_none_or(is_gone))
            .collect();
        Changes {
            files: vec![],
            contents: gone.into_iter().map(|key| (key, None)).collect(),
            texts: passages.into_iter().map(|passage| (passage, None)).collect(),
        }
    }

    fn put_content(&mut self, key: u128, passages: Passages) {
        for (passage, _) in &passages {
            let contents = self.passages.entry(*passage).or_default();
            if !contents.contains(&key) {
                contents.push(key);
            }
        }
        self.contents.entry(key).or_default().passages = passages;
    }

    fn remove_content(&mut self, key: u128) {
        let Some(content) = self.contents.remove(&key) else { return };
        for (passage, _) in content.passages {
            if let Some(contents) = self.passages.get_mut(&passage) {
                contents.retain(|of| *of != key);
                if contents.is_empty() {
                    self.passages.remove(&passage);
                }
            }
        }
    }

    fn put_file(&mut self, path: &Path, record: FileRecord) {
        let path: Arc<Path> = PathBuf::from(path).into();
        if record.problem.is_empty()
            && let Some(content) = self.contents.get_mut(&record.content)
        {
            content.files.insert(path.clone());
        }
        self.files.insert(path, record);
    }

    fn remove_file(&mut self, path: &Path) {
        let Some(record) = self.files.remove(path) else { return };
        if let Some(content) = self.contents.get_mut(&record.content) {
            content.files.remove(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: u128) -> Option<FileRecord> {
        Some(FileRecord { content, ..FileRecord::default() })
    }

    fn paths(places: &[Place]) -> Vec<(&str, u32)> {
        places.iter().map(|place| (place.path.to_str().unwrap(), place.line)).collect()
    }

    #[test]
    fn a_passage_lives_as_long_as_a_file_has_it() {
        let mut catalogue = Catalogue::default();
        catalogue.apply(&Changes {
            contents: vec![(1, Some(vec![(10, 1), (11, 5)])), (2, Some(vec![(11, 3)]))],
            files: vec![
                ("/f/a".into(), file(1)),
                ("/f/b".into(), file(1)),
                ("/f/c".into(), file(2)),
                ("/fa".into(), file(2)),
            ],
            ..Changes::default()
        });
        assert!(catalogue.orphans().is_empty());
        assert_eq!(paths(&catalogue.places(10)), [("/f/a", 1), ("/f/b", 1)]);
        assert_eq!(catalogue.places(11).len(), 4);
        assert_eq!(catalogue.files_under(Path::new("/f")).count(), 3);

        let gone = ["/f/a", "/f/b"].map(|path| (path.to_owned(), None));
        catalogue.apply(&Changes { files: gone.into(), ..Changes::default() });
        let orphans = catalogue.orphans();
        assert_eq!(orphans.contents, [(1, None)]);
        assert_eq!(orphans.texts, [(10, None)]);
        catalogue.apply(&orphans);
        assert_eq!((catalogue.n_passages(), catalogue.places(10)), (1, vec![]));
        assert_eq!(paths(&catalogue.places(11)), [("/f/c", 3), ("/fa", 3)]);
    }

    #[test]
    fn a_file_that_changed_has_its_new_passages_only() {
        let mut catalogue = Catalogue::default();
        for content in [1, 2] {
            catalogue.apply(&Changes {
                contents: vec![(content, Some(vec![(content * 10, 1)]))],
                files: vec![("/a".into(), file(content))],
                ..Changes::default()
            });
        }
        assert_eq!(catalogue.places(10), []);
        assert_eq!(paths(&catalogue.places(20)), [("/a", 1)]);
        assert_eq!(catalogue.orphans().texts, [(10, None)]);
    }
}
