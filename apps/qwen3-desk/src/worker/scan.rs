//! Looking through folders: what is new is read, what is gone goes.

use super::indexing::Trouble;
use super::shared::Shared;
use crate::documents::{Passage, Splitter, Unread, content_key, document, passage_key};
use crate::folders::{FoundFile, Visit, Walk, folder_of};
use crate::store::{Changes, FileRecord};
use std::collections::{HashSet, VecDeque};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Entries of a folder that are looked at in one step.
const ENTRIES: usize = 200;
/// A step ends after a file, or when it has taken so long.
const STEP: Duration = Duration::from_millis(100);
/// What is written at once.
const FILES: usize = 200;
const PASSAGES: usize = 400;

/// The state of the walk.
#[derive(Default)]
pub struct Scan {
    todo: VecDeque<PathBuf>,
    walk: Option<Walk>,
    /// A file that was being read when a command came. It is next.
    postponed: Option<FoundFile>,
    /// The files that the walk has seen.
    seen: HashSet<PathBuf>,
    /// What it couldn't look into. Nothing of it is forgotten.
    unread: Vec<PathBuf>,
    /// Of folders and files without a record.
    problems: Vec<(PathBuf, String)>,
    changes: Changes,
    /// Whether there is no folder, and still something to tidy up.
    is_empty: bool,
    /// Whether results may be others than before.
    has_news: bool,
}

/// What a step has done.
#[derive(Default)]
pub struct Outcome {
    /// Passages that are in the store now.
    pub passages: Vec<u128>,
    /// The folder whose walk has ended, and how long it took.
    pub walked: Option<(PathBuf, Duration)>,
    /// Whether that was the last folder.
    pub is_end: bool,
}

impl Scan {
    /// Looks through these folders, and through no others.
    pub fn restart(&mut self, folders: &[PathBuf]) {
        *self = Self {
            todo: folders.iter().cloned().collect(),
            is_empty: folders.is_empty(),
            has_news: self.has_news,
            ..Self::default()
        };
    }

    /// Looks through these folders once more.
    pub fn again(&mut self, folders: &[PathBuf]) {
        for folder in folders {
            if !self.todo.contains(folder) {
                self.todo.push_back(folder.clone());
            }
        }
    }

    pub fn is_active(&self) -> bool {
        self.walk.is_some() || !self.todo.is_empty() || self.is_empty
    }

    /// Whether this folder is being looked through, or is about to be.
    pub fn has(&self, folder: &Path) -> bool {
        self.walk.as_ref().is_some_and(|walk| walk.root() == folder)
            || self.todo.iter().any(|of| of == folder)
    }

    /// Whether something was written since the last call that results may show.
    pub fn takes_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// The folder that is next.
    pub fn folder(&self) -> Option<&Path> {
        let of_walk = self.walk.as_ref().map(Walk::root);
        of_walk.or_else(|| self.todo.front().map(PathBuf::as_path))
    }

    pub fn step(&mut self, shared: &Shared, splitter: &Splitter) -> Result<Outcome, Trouble> {
        let start = Instant::now();
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None => match self.todo.pop_front().map(|folder| self.begin(&folder)) {
                Some(walk) => walk,
                None => {
                    let is_end = std::mem::take(&mut self.is_empty);
                    return Ok(Outcome { is_end, ..Outcome::default() });
                }
            },
        };
        for _ in 0..ENTRIES {
            let visit = self.postponed.take().map_or_else(|| walk.step(), Visit::File);
            match visit {
                Visit::Nothing => {}
                Visit::Problem(path, problem) => self.problem(path, &problem),
                Visit::File(file) => self.visit(shared, splitter, file),
                Visit::End => {
                    self.end(shared, &walk);
                    let passages = self.write(shared)?;
                    let walked = Some((walk.root().to_owned(), walk.took()));
                    return Ok(Outcome { passages, walked, is_end: self.todo.is_empty() });
                }
            }
            if start.elapsed() > STEP || self.postponed.is_some() {
                break;
            }
        }
        self.walk = Some(walk);
        let is_enough = self.changes.files.len() >= FILES || self.changes.texts.len() >= PASSAGES;
        let passages = if is_enough { self.write(shared)? } else { vec![] };
        Ok(Outcome { passages, ..Outcome::default() })
    }

    fn begin(&mut self, folder: &Path) -> Walk {
        self.seen.clear();
        self.unread.clear();
        self.problems.retain(|(path, _)| !path.starts_with(folder));
        Walk::new(folder)
    }

    fn problem(&mut self, path: PathBuf, problem: &Unread) {
        self.problems.push((path.clone(), problem.to_string()));
        self.unread.push(path);
    }

    fn visit(&mut self, shared: &Shared, splitter: &Splitter, file: FoundFile) {
        let known = {
            let index = shared.index.read().expect("nobody panics with the index");
            index.catalogue.file(&file.path).cloned()
        };
        self.seen.insert(file.path.clone());
        let is_known = known.as_ref().is_some_and(|known| {
            // A file without a time is read every time.
            (known.bytes, known.modified) == (file.bytes, file.modified) && file.modified != 0
        });
        if is_known {
            return;
        }
        let record = match self.read(shared, splitter, &file) {
            Ok(content) => FileRecord {
                bytes: file.bytes,
                modified: file.modified,
                content,
                problem: String::new(),
            },
            Err(Unread::Stopped) => {
                self.postponed = Some(file);
                return;
            }
            Err(problem) => FileRecord {
                bytes: file.bytes,
                // What the system refused is tried again.
                modified: if matches!(problem, Unread::Io { .. }) { 0 } else { file.modified },
                content: 0,
                problem: problem.to_string(),
            },
        };
        if known.as_ref() != Some(&record) {
            let path = file.path.to_str().expect("the walk leaves other names out");
            self.changes.files.push((path.to_owned(), Some(record)));
        }
    }

    /// The key of a file's content, whose passages are in the store or among the changes.
    fn read(
        &mut self,
        shared: &Shared,
        splitter: &Splitter,
        file: &FoundFile,
    ) -> Result<u128, Unread> {
        let failed = |source| Unread::Io { source };
        let opened = std::fs::File::open(&file.path).map_err(failed)?;
        let mut bytes = vec![];
        let most = crate::documents::MAX_FILE_BYTES;
        opened.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > most {
            return Err(Unread::TooLarge);
        }
        let key = content_key(file.kind, &bytes);
        let index = shared.index.read().expect("nobody panics with the index");
        if index.catalogue.has_content(key) {
            return Ok(key);
        }
        drop(index);
        let stops = || shared.is_wanted();
        let document = document(file.kind, &bytes, &stops)?;
        // A fault of the splitter costs a file, and not the thread.
        let cut = AssertUnwindSafe(|| splitter.passages(file.kind, &document, &stops));
        let passages = catch_unwind(cut).map_err(|_| Unread::Uncut)??;
        let mut keys = Vec::with_capacity(passages.len());
        for Passage { heading, text, line } in passages {
            let passage = passage_key(&Passage::embedded(&heading, &text));
            keys.push((passage, line));
            self.changes.texts.push((passage, Some((heading, text))));
        }
        self.changes.contents.push((key, Some(keys)));
        Ok(key)
    }

    /// Forgets files that the walk has not seen.
    fn end(&mut self, shared: &Shared, walk: &Walk) {
        if !walk.is_there() {
            return;
        }
        let index = shared.index.read().expect("nobody panics with the index");
        let below = index.catalogue.files_under(walk.root());
        let gone = below.filter(|(path, _)| {
            let is_unread = self.unread.iter().any(|unread| path.starts_with(unread));
            !self.seen.contains(&***path) && !is_unread
        });
        let gone = gone.map(|(path, _)| (path.to_string_lossy().into_owned(), None));
        self.changes.files.extend(gone);
    }

    /// Writes what was found to the store, then to the index. The passages that are new.
    fn write(&mut self, shared: &Shared) -> Result<Vec<u128>, Trouble> {
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return Ok(vec![]);
        }
        shared.store().ok_or(Trouble::NoStore)?.apply(&changes)?;
        shared.index.write().expect("nobody panics with the index").catalogue.apply(&changes);
        self.has_news = true;
        shared.count();
        Ok(changes.texts.into_iter().map(|(passage, _)| passage).collect())
    }

    /// After the last folder: forgets files of folders that were taken away, and passages that no
    /// file has any more. Those are returned.
    pub fn tidy_up(
        &mut self,
        shared: &Shared,
        folders: &[PathBuf],
    ) -> Result<HashSet<u128>, Trouble> {
        let index = shared.index.read().expect("nobody panics with the index");
        let files = index.catalogue.files();
        let gone = files.filter(|(path, _)| folder_of(folders, path).is_none());
        let gone = gone.map(|(path, _)| (path.to_string_lossy().into_owned(), None));
        self.changes.files.extend(gone);
        drop(index);
        self.write(shared)?;
        let orphans =
            shared.index.read().expect("nobody panics with the index").catalogue.orphans();
        shared.store().ok_or(Trouble::NoStore)?.apply(&orphans)?;
        let mut index = shared.index.write().expect("nobody panics with the index");
        index.catalogue.apply(&orphans);
        let gone: HashSet<u128> = orphans.texts.into_iter().map(|(passage, _)| passage).collect();
        gone.iter().for_each(|passage| index.vectors.remove(*passage));
        drop(index);
        shared.count();
        Ok(gone)
    }

    /// Says what can be searched, and what can't.
    pub fn tell(&self, shared: &Shared, folders: &[PathBuf], unwatched: &[(PathBuf, String)]) {
        let mut problems = self.problems.clone();
        let not_watched = |(folder, reason): &(PathBuf, String)| {
            (folder.clone(), format!("is looked through at each start only: {reason}"))
        };
        let is_told = |folder: &PathBuf| self.problems.iter().any(|(path, _)| path == folder);
        problems.extend(unwatched.iter().filter(|(of, _)| !is_told(of)).map(not_watched));
        let index = shared.index.read().expect("nobody panics with the index");
        let files = index.catalogue.files().filter(|(_, file)| !file.problem.is_empty());
        problems.extend(files.map(|(path, file)| (path.to_path_buf(), file.problem.clone())));
        let count =
            |folder: &PathBuf| (folder.clone(), index.catalogue.files_under(folder).count());
        let files_of = folders.iter().map(count).collect();
        drop(index);
        shared.status(|status| (status.problems, status.files_of) = (problems, files_of));
        shared.wake();
    }
}
