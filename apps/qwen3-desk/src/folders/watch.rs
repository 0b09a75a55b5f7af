//! Hearing of changes in folders.

use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A program that saves a file makes several events, and copies of many files make many.
const QUIET: Duration = Duration::from_millis(700);

/// A disk may be plugged in again: then its folders can be watched.
const RETRY: Duration = Duration::from_secs(30);
/// To find out again that the system watches no more folders takes long.
const RETRY_FULL: Duration = Duration::from_secs(3600);

/// Tells which folders have to be looked through again.
pub struct Watcher {
    watcher: Option<RecommendedWatcher>,
    events: Receiver<notify::Result<Event>>,
    watched: Vec<PathBuf>,
    /// Folders that the system doesn't watch, with its reason.
    problems: Vec<(PathBuf, String)>,
    retry_at: Instant,
    changed: BTreeSet<PathBuf>,
    last_event: Instant,
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
            watched: vec![],
            problems: vec![],
            retry_at: Instant::now(),
            changed: BTreeSet::new(),
            last_event: Instant::now(),
        }
    }

    /// Watches these folders, and no others any more.
    pub fn watch(&mut self, folders: &[PathBuf]) {
        self.problems.clear();
        self.retry_at = Instant::now() + RETRY;
        let Some(watcher) = &mut self.watcher else {
            let reason = "the system has no way to watch folders".to_owned();
            self.problems.extend(folders.iter().map(|folder| (folder.clone(), reason.clone())));
            return;
        };
        self.watched.retain(|folder| {
            let stays = folders.contains(folder);
            if !stays {
                // It may have been deleted.
                let _ = watcher.unwatch(folder);
            }
            stays
        });
        for folder in folders {
            if self.watched.contains(folder) {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::Recursive) {
                Ok(()) => self.watched.push(folder.clone()),
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

    /// The folders that have changed, once they are quiet.
    pub fn changed(&mut self) -> Vec<PathBuf> {
        while let Ok(event) = self.events.try_recv() {
            self.receive(event);
        }
        if self.retry_at < Instant::now() && !self.problems.is_empty() {
            self.try_again();
        }
        if self.changed.is_empty() || self.last_event.elapsed() < QUIET {
            return vec![];
        }
        std::mem::take(&mut self.changed).into_iter().collect()
    }

    fn receive(&mut self, event: notify::Result<Event>) {
        // An event that was lost may have been in any of them.
        let all = vec![PathBuf::new()];
        let is_removal = matches!(&event, Ok(event) if event.kind.is_remove());
        let paths = match event {
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
            Ok(event) if event.need_rescan() => all,
            Ok(event) => event.paths,
            Err(_) => all,
        };
        for path in paths {
            self.changed.extend(self.watched.iter().filter(|of| concerns(&path, of)).cloned());
            self.last_event = Instant::now();
            if is_removal && let Some(at) = self.watched.iter().position(|of| *of == path) {
                self.problems.push((self.watched.remove(at), "it is gone".to_owned()));
                self.retry_at = Instant::now() + RETRY;
            }
        }
    }

    /// Watches what is there again, and has it looked through.
    fn try_again(&mut self) {
        let before = self.watched.clone();
        let missing = std::mem::take(&mut self.problems).into_iter().map(|(folder, _)| folder);
        let folders: Vec<PathBuf> = before.iter().cloned().chain(missing).collect();
        self.watch(&folders);
        self.changed.extend(self.watched.iter().filter(|of| !before.contains(of)).cloned());
    }
}

fn concerns(path: &Path, folder: &Path) -> bool {
    path.as_os_str().is_empty() || path.starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until_changed(watcher: &mut Watcher) -> Vec<PathBuf> {
        let start = Instant::now();
        let mut told = vec![];
        while told.is_empty() && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
            told = watcher.changed();
        }
        told
    }

    #[test]
    fn a_folder_that_comes_back_is_watched_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("disk");
        let mut watcher = Watcher::new();
        watcher.watch(std::slice::from_ref(&root));
        assert_eq!(watcher.problems().len(), 1);
        std::fs::create_dir(&root).unwrap();
        watcher.retry_at = Instant::now();
        assert_eq!(until_changed(&mut watcher), std::slice::from_ref(&root));
        assert_eq!(watcher.problems(), []);
        std::fs::remove_dir(&root).unwrap();
        assert_eq!(until_changed(&mut watcher), [root]);
        assert_eq!(watcher.problems().len(), 1);
    }

    #[test]
    fn a_change_is_told_once_when_it_is_quiet() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let mut watcher = Watcher::new();
        watcher.watch(std::slice::from_ref(&root));
        assert_eq!(watcher.problems(), []);
        for n in 0..5 {
            std::fs::write(root.join(format!("{n}.md")), "text").unwrap();
        }
        assert_eq!(until_changed(&mut watcher), [root]);
        std::thread::sleep(QUIET * 2);
        assert_eq!(watcher.changed(), Vec::<PathBuf>::new());
    }
}
