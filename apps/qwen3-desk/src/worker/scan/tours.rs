//! In what order folders are looked through.

use crate::folders::{FoundFile, Walk};
use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

/// A walk through a folder, and what it has met.
pub struct Tour {
    pub walk: Walk,
    /// Whether it was begun because something in the folder has changed.
    pub is_of_a_change: bool,
    /// A file that was being read when a command came. It is next.
    pub postponed: Option<FoundFile>,
    pub seen: HashSet<PathBuf>,
    /// What it couldn't look into. Nothing of it is forgotten.
    pub problems: Vec<(PathBuf, String)>,
}

impl Tour {
    fn new(folder: &Path, is_of_a_change: bool) -> Self {
        let walk = Walk::new(folder);
        Self { walk, is_of_a_change, postponed: None, seen: HashSet::new(), problems: vec![] }
    }
}

/// The tour that goes on, and those that come next.
#[derive(Default)]
pub struct Tours {
    current: Option<Tour>,
    /// Folders in which something has changed. They come first, as there is little to do.
    changed: VecDeque<PathBuf>,
    /// The tour that waits for them.
    waiting: Option<Tour>,
    todo: VecDeque<PathBuf>,
}

impl Tours {
    pub fn of(folders: &[PathBuf]) -> Self {
        Self { todo: folders.iter().cloned().collect(), ..Self::default() }
    }

    /// Looks through these folders before all others.
    pub fn again(&mut self, folders: &[PathBuf]) {
        for folder in folders {
            if !self.has(folder) {
                self.changed.push_back(folder.clone());
            }
        }
        if !self.changed.is_empty()
            && let Some(tour) = self.current.take_if(|tour| !tour.is_of_a_change)
        {
            self.waiting = Some(tour);
        }
    }

    /// Whether this folder is being looked through, or is about to be.
    pub fn has(&self, folder: &Path) -> bool {
        let tours = self.current.iter().chain(&self.waiting);
        tours.map(|tour| tour.walk.root()).any(|of| of == folder)
            || self.changed.iter().chain(&self.todo).any(|of| of == folder)
    }

    /// The folder that is next.
    pub fn folder(&self) -> Option<&Path> {
        let tours = self.current.iter().map(|tour| tour.walk.root());
        let changed = self.changed.iter().map(PathBuf::as_path);
        let waiting = self.waiting.iter().map(|tour| tour.walk.root());
        let todo = self.todo.iter().map(PathBuf::as_path);
        tours.chain(changed).chain(waiting).chain(todo).next()
    }

    pub fn next(&mut self) -> Option<Tour> {
        if let Some(tour) = self.current.take() {
            return Some(tour);
        }
        if let Some(folder) = self.changed.pop_front() {
            return Some(Tour::new(&folder, true));
        }
        let waiting = self.waiting.take();
        waiting.or_else(|| self.todo.pop_front().map(|folder| Tour::new(&folder, false)))
    }

    /// Goes on with this one the next time.
    pub fn go_on(&mut self, tour: Tour) {
        self.current = Some(tour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_comes_first() {
        let [large, next, changed] = ["/large", "/next", "/changed"].map(PathBuf::from);
        let mut tours = Tours::of(&[large.clone(), next.clone()]);
        let tour = tours.next().unwrap();
        tours.go_on(tour);
        tours.again(&[changed.clone(), large.clone(), next.clone()]);
        assert!([&large, &next, &changed].iter().all(|folder| tours.has(folder)));
        let order: Vec<(PathBuf, bool)> = std::iter::from_fn(|| {
            let folder = tours.folder().map(Path::to_owned);
            let tour = tours.next()?;
            assert_eq!(folder.as_deref(), Some(tour.walk.root()));
            Some((tour.walk.root().to_owned(), tour.is_of_a_change))
        })
        .collect();
        assert_eq!(order, [(changed, true), (large, false), (next, false)]);
    }
}
