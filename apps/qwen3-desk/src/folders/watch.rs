//! Hearing of changes in folders.

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A program that saves a file makes several events, and copies of many files make many.
const QUIET: Duration = Duration::from_millis(700);

/// Tells which folders have to be looked through again.
pub struct Watcher {
    watcher: Option<RecommendedWatcher>,
    events: Receiver<notify::Result<Event>>,
    folders: Vec<PathBuf>,
    changed: BTreeSet<PathBuf>,
    last_event: Instant,
    /// Folders that the system doesn't watch, with its reason.
    problems: Vec<(PathBuf, String)>,
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
            folders: vec![],
            changed: BTreeSet::new(),
            last_event: Instant::now(),
            problems: vec![],
        }
    }

    /// Watches these folders, and no others any more.
    pub fn watch(&mut self, folders: &[PathBuf]) {
        self.problems.clear();
        let Some(watcher) = &mut self.watcher else {
            let reason = "the system has no way to watch folders".to_owned();
            self.problems.extend(folders.iter().map(|folder| (folder.clone(), reason.clone())));
            return;
        };
        for gone in self.folders.iter().filter(|folder| !folders.contains(folder)) {
            // It may have been deleted.
            let _ = watcher.unwatch(gone);
        }
        for folder in folders.iter().filter(|folder| !self.folders.contains(folder)) {
            if let Err(error) = watcher.watch(folder, RecursiveMode::Recursive) {
                self.problems.push((folder.clone(), error.to_string()));
            }
        }
        self.folders = folders.to_vec();
    }

    /// Folders that are not watched, with the reason: they are looked through at each start only.
    pub fn problems(&self) -> &[(PathBuf, String)] {
        &self.problems
    }

    /// The folders that have changed, once they are quiet.
    pub fn changed(&mut self) -> Vec<PathBuf> {
        while let Ok(event) = self.events.try_recv() {
            // An event that was lost may have been in any of them.
            let all = vec![PathBuf::new()];
            let paths = match event {
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => continue,
                Ok(event) if event.need_rescan() => all,
                Ok(event) => event.paths,
                Err(_) => all,
            };
            for path in paths {
                self.changed.extend(self.folders.iter().filter(|of| concerns(&path, of)).cloned());
                self.last_event = Instant::now();
            }
        }
        if self.changed.is_empty() || self.last_event.elapsed() < QUIET {
            return vec![];
        }
        std::mem::take(&mut self.changed).into_iter().collect()
    }
}

fn concerns(path: &Path, folder: &Path) -> bool {
    path.as_os_str().is_empty() || path.starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let start = Instant::now();
        let mut told = vec![];
        while told.is_empty() && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
            told = watcher.changed();
        }
        assert_eq!(told, [root]);
        std::thread::sleep(QUIET * 2);
        assert_eq!(watcher.changed(), Vec::<PathBuf>::new());
    }
}
