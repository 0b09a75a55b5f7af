//! Looking through folders: what is new is read, what is gone goes.

mod tours;

use super::indexing::Trouble;
use super::shared::Shared;
use crate::documents::{Passage, Splitter, Unread, VERSION, content_key, document, passage_key};
use crate::folders::{FoundFile, Visit, Watcher, folder_of};
use crate::store::{Changes, FileRecord};
use std::collections::HashSet;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tours::{Tour, Tours};

/// Entries of a folder that are looked at in one step.
const ENTRIES: usize = 200;
/// A step ends after a file, or when it has taken so long.
const STEP: Duration = Duration::from_millis(100);
/// What is written at once.
const FILES: usize = 200;
const PASSAGES: usize = 400;

/// What is being looked through, and what was found.
#[derive(Default)]
pub struct Scan {
    tours: Tours,
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
    /// Whether somebody has just changed their files.
    pub is_of_a_change: bool,
    /// How long files were read.
    pub reading: Duration,
    /// The folder whose walk has ended, and how long it took.
    pub walked: Option<(PathBuf, Duration)>,
    /// Whether that was the last folder.
    pub is_end: bool,
}

impl Scan {
    /// Looks through these folders, and through no others.
    pub fn restart(&mut self, folders: &[PathBuf]) {
        *self = Self {
            tours: Tours::of(folders),
            is_empty: folders.is_empty(),
            has_news: self.has_news,
            ..Self::default()
        };
    }

    /// Looks through these folders once more, before all others.
    pub fn again(&mut self, folders: &[PathBuf]) {
        self.tours.again(folders);
    }

    pub fn is_active(&self) -> bool {
        self.folder().is_some() || self.is_empty
    }

    /// Whether this folder is being looked through, or is about to be.
    pub fn has(&self, folder: &Path) -> bool {
        self.tours.has(folder)
    }

    /// Whether something was written since the last call that results may show.
    pub fn takes_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// The folder that is next.
    pub fn folder(&self) -> Option<&Path> {
        self.tours.folder()
    }

    pub fn step(
        &mut self,
        shared: &Shared,
        splitter: &Splitter,
        watcher: &mut Watcher,
    ) -> Result<Outcome, Trouble> {
        let start = Instant::now();
        let Some(mut tour) = self.tours.next() else {
            let is_end = std::mem::take(&mut self.is_empty);
            return Ok(Outcome { is_end, ..Outcome::default() });
        };
        let mut outcome = Outcome { is_of_a_change: tour.is_of_a_change, ..Outcome::default() };
        let mut is_over = false;
        for _ in 0..ENTRIES {
            match tour.postponed.take().map_or_else(|| tour.walk.step(), Visit::File) {
                Visit::Nothing => {}
                Visit::Folder(folder) => watcher.visit(tour.walk.root(), &folder),
                Visit::Problem(path, problem) => tour.problems.push((path, problem.to_string())),
                Visit::File(file) => {
                    let start = Instant::now();
                    self.visit(shared, splitter, (&mut tour, file));
                    outcome.reading += start.elapsed();
                }
                Visit::End => is_over = true,
            }
            if is_over || start.elapsed() > STEP || tour.postponed.is_some() {
                break;
            }
        }
        tour.walk.spend(start.elapsed());
        if is_over {
            outcome.walked = Some((tour.walk.root().to_owned(), tour.walk.took()));
            outcome.is_end = !self.is_active();
            self.end(shared, tour);
        } else {
            self.tours.go_on(tour);
        }
        let is_enough = self.changes.files.len() >= FILES || self.changes.texts.len() >= PASSAGES;
        if is_over || is_enough {
            outcome.passages = self.write(shared)?;
        }
        Ok(outcome)
    }

    fn visit(
        &mut self,
        shared: &Shared,
        splitter: &Splitter,
        (tour, file): (&mut Tour, FoundFile),
    ) {
        let known = {
            let index = shared.index.read().expect("nobody panics with the index");
            index.catalogue.file(&file.path).cloned()
        };
        tour.seen.insert(file.path.clone());
        let is_known = known.as_ref().is_some_and(|known| {
            // A file without a time is read every time.
            let is_same = (known.bytes, known.modified) == (file.bytes, file.modified);
            is_same && known.reading == VERSION && file.modified != 0
        });
        if is_known {
            return;
        }
        let record = match self.read(shared, splitter, &file) {
            Ok(content) => FileRecord {
                bytes: file.bytes,
                modified: file.modified,
                reading: VERSION,
                content,
                problem: String::new(),
            },
            Err(Unread::Stopped) => {
                tour.postponed = Some(file);
                return;
            }
            Err(problem) => FileRecord {
                bytes: file.bytes,
                // What the system refused is tried again.
                modified: if matches!(problem, Unread::Io { .. }) { 0 } else { file.modified },
                reading: VERSION,
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

    /// Forgets files that the tour has not met.
    fn end(&mut self, shared: &Shared, tour: Tour) {
        let root = tour.walk.root();
        let index = shared.index.read().expect("nobody panics with the index");
        let is_unread = |of: &Path| tour.problems.iter().any(|(path, _)| of.starts_with(path));
        let missed = index.catalogue.files_under(root).map(|(path, _)| path);
        let missed = missed.filter(|path| !tour.seen.contains(&***path) && !is_unread(path));
        let mut missed = missed.map(|path| path.to_string_lossy().into_owned()).peekable();
        self.problems.retain(|(path, _)| !path.starts_with(root));
        // The place of a disk is empty while the disk is away.
        if tour.walk.is_empty() && missed.peek().is_some() {
            self.problems.push((root.to_owned(), Unread::Empty.to_string()));
        } else if tour.walk.is_there() {
            self.changes.files.extend(missed.map(|path| (path, None)));
        }
        self.problems.extend(tour.problems.iter().cloned());
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
        if orphans.is_empty() {
            return Ok(HashSet::new());
        }
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
