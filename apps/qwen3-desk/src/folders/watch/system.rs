//! What the system says of folders.

use notify::{RecommendedWatcher, Watcher as _, WatcherKind};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Duration;

/// A file that is put into a folder may be overlooked between listing and watching it.
const FRESH: Duration = Duration::from_secs(5);

/// Whether the system watches a folder with all that is below. Linux doesn't.
pub fn is_deep() -> bool {
    RecommendedWatcher::kind() != WatcherKind::Inotify
}

/// Whether something was put into a folder just now, or there may have been.
pub fn is_fresh(folder: &Path) -> bool {
    let modified = std::fs::metadata(folder).and_then(|of| of.modified()).ok();
    modified.is_none_or(|at| at.elapsed().map_or(true, |elapsed| elapsed < FRESH))
}

/// What the system tells folders apart by; `None`: there is no folder. It is not kept open, so that
/// its disk can be taken out.
pub fn identity(folder: &Path) -> Option<u64> {
    let handle = same_file::Handle::from_path(folder).ok()?;
    let mut hasher = DefaultHasher::new();
    handle.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(unix)]
    use std::time::SystemTime;

    #[test]
    fn a_folder_is_fresh_for_seconds_and_known_by_more_than_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder");
        std::fs::create_dir(&path).unwrap();
        let before = identity(&path);
        assert!(is_fresh(&path) && before.is_some() && before == identity(&path));
        // Elsewhere folders can't be opened as files.
        #[cfg(unix)]
        {
            let file = std::fs::File::open(&path).unwrap();
            file.set_modified(SystemTime::now() - FRESH * 2).unwrap();
            assert!(!is_fresh(&path));
            file.set_modified(SystemTime::now() + FRESH * 2).unwrap();
            assert!(is_fresh(&path), "who knows");
        }
        std::fs::rename(&path, folder.path().join("other")).unwrap();
        assert_eq!(identity(&path), None);
        std::fs::create_dir(&path).unwrap();
        assert_ne!(identity(&path), before);
    }
}
