//! Hearing of changes in folders.

mod system;

use crate::documents::Kind;
use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{
    Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use system::{identity, is_deep, is_fresh};

/// A program that saves a file makes several events, and copies of many files make many.
const QUIET: Duration = Duration::from_millis(700);
/// A folder that is never quiet is looked through all the same.
const LIMIT: Duration = Duration::from_secs(2);
/// After a walk a folder rests this many times as long, so that one large folder with a log in
/// it doesn't keep the disk busy.
const REST: u32 = 3;
const MAX_REST: Duration = Duration::from_secs(30);

/// Between two looks whether the folders are where they were: of a folder above one that is
/// renamed the system says nothing.
const LOOK: Duration = Duration::from_secs(5);
/// A disk may be plugged in again: then its folders can be watched.
const RETRY: Duration = Duration::from_secs(30);
/// To find out again that the system watches no more folders takes long.
const RETRY_FULL: Duration = Duration::from_secs(3600);

/// Tells which folders have to be looked through again.
pub struct Watcher {
    watcher: Option<RecommendedWatcher>,
    events: Receiver<notify::Result<Event>>,
    watched: BTreeMap<PathBuf, Watched>,
    /// Folders that the system doesn't watch, with its reason.
    problems: Vec<(PathBuf, String)>,
    retry_at: Instant,
    look_at: Instant,
    changed: BTreeMap<PathBuf, Change>,
    /// When the rest of a folder ends.
    rests: HashMap<PathBuf, Instant>,
}

/// A folder that is watched.
struct Watched {
    /// What tells it from another one that takes its place.
    identity: Option<u64>,
    /// The folders below that are watched each for itself.
    below: HashSet<PathBuf>,
}

/// The events in a folder that nobody has been told of.
struct Change {
    first: Instant,
    last: Instant,
}

impl Watcher {
    pub fn new() -> Self {
        let (sender, events) = channel();
        let hear = move |event| {
            // Nobody hears it when the program ends.
            let _ = sender.send(event);
        };
        let watcher = RecommendedWatcher::new(hear, Config::default().with_follow_symlinks(false));
        Self {
            watcher: watcher.ok(),
            events,
            watched: BTreeMap::new(),
            problems: vec![],
            retry_at: Instant::now(),
            look_at: Instant::now() + LOOK,
            changed: BTreeMap::new(),
            rests: HashMap::new(),
        }
    }

    /// Watches these folders, and no others any more.
    pub fn watch(&mut self, folders: &[PathBuf]) {
        self.problems.clear();
        self.changed.retain(|folder, _| folders.contains(folder));
        self.rests.retain(|folder, _| folders.contains(folder));
        self.retry_at = Instant::now() + RETRY;
        let Some(watcher) = &mut self.watcher else {
            let reason = "the system has no way to watch folders".to_owned();
            self.problems.extend(folders.iter().map(|folder| (folder.clone(), reason.clone())));
            return;
        };
        for (folder, watched) in self.watched.extract_if(.., |of, _| !folders.contains(of)) {
            unwatch(watcher, &folder, &watched);
        }
        for folder in folders {
            if self.watched.contains_key(folder) {
                continue;
            }
            let mode =
                if is_deep() { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            match watcher.watch(folder, mode) {
                Ok(()) => {
                    let watched = Watched { identity: identity(folder), below: HashSet::new() };
                    self.watched.insert(folder.clone(), watched);
                }
                Err(error) => {
                    if matches!(error.kind, ErrorKind::MaxFilesWatch) {
                        self.retry_at = Instant::now() + RETRY_FULL;
                    }
                    self.problems.push((folder.clone(), error.to_string()));
                }
            }
        }
    }

    /// A walk has come to a folder below `root`. Where the system doesn't watch what is below a
    /// folder by itself, only what walks come to is watched: nothing that is ignored, can't be
    /// read, or is behind a link.
    pub fn visit(&mut self, root: &Path, folder: &Path) {
        let is_limited = self.problems.iter().any(|(of, _)| of == root);
        let Some(watcher) = self.watcher.as_mut().filter(|_| !is_deep() && !is_limited) else {
            return;
        };
        let Some(watched) = self.watched.get_mut(root) else { return };
        if folder == root || watched.below.contains(folder) {
            return;
        }
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                watched.below.insert(folder.to_owned());
                // The walk has listed it before it was watched.
                if is_fresh(folder) {
                    self.note(root.to_owned());
                }
            }
            Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => {
                self.retry_at = Instant::now() + RETRY_FULL;
                self.problems.push((root.to_owned(), error.to_string()));
            }
            // The walk says what can't be read, and what is gone is no matter.
            Err(_) => {}
        }
    }

    /// Folders that are not watched, with the reason: they are looked through at each start only.
    pub fn problems(&self) -> &[(PathBuf, String)] {
        &self.problems
    }

    /// The folders that have changed, once they are quiet or have been restless for long enough.
    /// One that is being walked through waits for the end of that.
    pub fn changed(&mut self, is_walked: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        while let Ok(event) = self.events.try_recv() {
            self.receive(event);
        }
        if self.look_at <= Instant::now() {
            self.look();
        }
        if self.retry_at <= Instant::now() && !self.problems.is_empty() {
            self.try_again();
        }
        let is_due = |(folder, change): &(&PathBuf, &Change)| {
            (change.last.elapsed() >= QUIET || change.first.elapsed() >= LIMIT)
                && self.rests.get(*folder).is_none_or(|end| *end <= Instant::now())
                && !is_walked(folder)
        };
        let due = self.changed.iter().filter(is_due).map(|(folder, _)| folder.clone());
        let due: Vec<PathBuf> = due.collect();
        self.changed.retain(|folder, _| !due.contains(folder));
        due
    }

    /// A walk through a folder has ended, and took so long.
    pub fn walked(&mut self, folder: PathBuf, took: Duration) {
        self.rests.insert(folder, Instant::now() + (took * REST).min(MAX_REST));
    }

    fn receive(&mut self, event: notify::Result<Event>) {
        let (kind, paths) = match event {
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
            Ok(event) if !event.need_rescan() => (event.kind, event.paths),
            // An event that was lost may have been in any of them.
            _ => {
                self.watched.values_mut().for_each(|watched| watched.below.clear());
                (EventKind::Any, vec![PathBuf::new()])
            }
        };
        for path in paths {
            let concerned = self.watched.keys().filter(|of| concerns(&path, of, kind)).cloned();
            for folder in concerned.collect::<Vec<_>>() {
                self.note(folder);
            }
            let is_away =
                kind.is_remove() || matches!(kind, EventKind::Modify(ModifyKind::Name(_)));
            if is_away {
                self.watched.values_mut().for_each(|watched| watched.forget(&path));
                self.lose(path);
            }
        }
    }

    fn note(&mut self, folder: PathBuf) {
        let now = Instant::now();
        self.changed.entry(folder).or_insert(Change { first: now, last: now }).last = now;
    }

    /// Finds out which folders are no longer where they were.
    fn look(&mut self) {
        let moved = self.watched.iter().filter(|(of, watched)| identity(of) != watched.identity);
        for folder in moved.map(|(folder, _)| folder.clone()).collect::<Vec<_>>() {
            self.note(folder.clone());
            self.lose(folder);
        }
        self.look_at = Instant::now() + LOOK;
    }

    /// If it was watched: it was deleted or renamed. Another one may have its name already.
    fn lose(&mut self, folder: PathBuf) {
        let Some(watched) = self.watched.remove(&folder) else { return };
        if let Some(watcher) = &mut self.watcher {
            // Under its new name it would be watched still.
            unwatch(watcher, &folder, &watched);
        }
        self.problems.push((folder, "it is gone".to_owned()));
        self.retry_at = Instant::now();
    }

    /// Watches what is there again, and has it looked through.
    fn try_again(&mut self) {
        let missing: Vec<PathBuf> =
            std::mem::take(&mut self.problems).into_iter().map(|(folder, _)| folder).collect();
        let folders: Vec<PathBuf> = self.watched.keys().chain(&missing).cloned().collect();
        self.watch(&folders);
        for folder in missing {
            if self.watched.contains_key(&folder) {
                self.note(folder);
            }
        }
    }
}

impl Watched {
    /// A folder was deleted or renamed, and with it what is below.
    fn forget(&mut self, folder: &Path) {
        if self.below.contains(folder) {
            self.below.retain(|of| !of.starts_with(folder));
        }
    }
}

/// These fail where a folder was deleted.
fn unwatch(watcher: &mut RecommendedWatcher, folder: &Path, watched: &Watched) {
    for of in watched.below.iter().map(PathBuf::as_path).chain([folder]) {
        let _ = watcher.unwatch(of);
    }
}

/// Whether a walk through a folder may find something else after an event.
fn concerns(path: &Path, folder: &Path, kind: EventKind) -> bool {
    if path.as_os_str().is_empty() {
        return true;
    }
    let Ok(inside) = path.strip_prefix(folder) else { return false };
    let Some(name) = inside.file_name() else { return true };
    let is_hidden = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
    if inside.parent().is_some_and(|above| above.iter().any(is_hidden)) {
        return false;
    }
    if is_hidden(name) {
        return name == ".gitignore" || name == ".ignore";
    }
    let is_file =
        matches!(kind, EventKind::Create(CreateKind::File) | EventKind::Remove(RemoveKind::File));
    // A name without a kind may be that of a folder.
    Kind::of(path).is_some() || !(is_file || path.is_file())
}

#[cfg(test)]
mod tests;
