//! Hearing of changes in folders.

use crate::documents::Kind;
use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

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
    /// With what tells a folder from another one that takes its place.
    watched: BTreeMap<PathBuf, Option<u64>>,
    /// Folders that the system doesn't watch, with its reason.
    problems: Vec<(PathBuf, String)>,
    retry_at: Instant,
    look_at: Instant,
    changed: BTreeMap<PathBuf, Change>,
    /// When the rest of a folder ends.
    rests: HashMap<PathBuf, Instant>,
}

/// The events in a folder that nobody has been told of.
struct Change {
    first: Instant,
    last: Instant,
}

impl Watcher {
    pub fn new() -> Self {
        let (sender, events) = channel();
        let watcher = notify::recommended_watcher(move |event| {
            // Nobody hears it when the program ends.
            let _ = sender.send(event);
        });
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
        self.watched.retain(|folder, _| {
            let stays = folders.contains(folder);
            if !stays {
                // It may have been deleted.
                let _ = watcher.unwatch(folder);
            }
            stays
        });
        for folder in folders {
            if self.watched.contains_key(folder) {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::Recursive) {
                Ok(()) => drop(self.watched.insert(folder.clone(), identity(folder))),
                Err(error) => {
                    if matches!(error.kind, ErrorKind::MaxFilesWatch) {
                        self.retry_at = Instant::now() + RETRY_FULL;
                    }
                    self.problems.push((folder.clone(), error.to_string()));
                }
            }
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
            _ => (EventKind::Any, vec![PathBuf::new()]),
        };
        for path in paths {
            let concerned = self.watched.keys().filter(|of| concerns(&path, of, kind)).cloned();
            for folder in concerned.collect::<Vec<_>>() {
                self.note(folder);
            }
            let is_away =
                kind.is_remove() || matches!(kind, EventKind::Modify(ModifyKind::Name(_)));
            if is_away {
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
        let moved = self.watched.iter().filter(|(of, before)| identity(of) != **before);
        for folder in moved.map(|(folder, _)| folder.clone()).collect::<Vec<_>>() {
            self.note(folder.clone());
            self.lose(folder);
        }
        self.look_at = Instant::now() + LOOK;
    }

    /// If it was watched: it was deleted or renamed. Another one may have its name already.
    fn lose(&mut self, folder: PathBuf) {
        if self.watched.remove(&folder).is_none() {
            return;
        }
        if let Some(watcher) = &mut self.watcher {
            // Under its new name it would be watched still; one that was deleted isn't.
            let _ = watcher.unwatch(&folder);
        }
        self.problems.push((folder, "it is gone".to_owned()));
        self.retry_at = Instant::now();
    }

    /// Watches what is there again, and has it looked through.
    fn try_again(&mut self) {
        let before = self.watched.clone();
        let missing = std::mem::take(&mut self.problems).into_iter().map(|(folder, _)| folder);
        let folders: Vec<PathBuf> = before.keys().cloned().chain(missing).collect();
        self.watch(&folders);
        let back = self.watched.keys().filter(|of| !before.contains_key(*of)).cloned();
        for folder in back.collect::<Vec<_>>() {
            self.note(folder);
        }
    }
}

/// What the system tells folders apart by; `None`: there is no folder. It is not kept open, so that
/// its disk can be taken out.
fn identity(folder: &Path) -> Option<u64> {
    let handle = same_file::Handle::from_path(folder).ok()?;
    let mut hasher = DefaultHasher::new();
    handle.hash(&mut hasher);
    Some(hasher.finish())
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
