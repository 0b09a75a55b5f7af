//! The folders that people added: which files are in them, and when these change.

mod walk;
mod watch;

pub use walk::{FoundFile, Visit, Walk};
pub use watch::Watcher;

use std::path::{Path, PathBuf};

/// The folder that a file belongs to: the nearest one above it.
pub fn folder_of<'f>(folders: &'f [PathBuf], file: &Path) -> Option<&'f PathBuf> {
    let above = folders.iter().filter(|folder| file.starts_with(folder));
    above.max_by_key(|folder| folder.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_nearest_folder() {
        let folders = ["/a", "/a/b", "/ab"].map(PathBuf::from);
        let of =
            |file: &str| folder_of(&folders, Path::new(file)).map(|path| path.to_str().unwrap());
        assert_eq!(of("/a/x.md"), Some("/a"));
        assert_eq!(of("/a/b/x.md"), Some("/a/b"));
        assert_eq!(of("/abc/x.md"), None);
    }
}
