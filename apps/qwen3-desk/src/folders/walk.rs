//! Every file of a folder that can be searched, in steps.

use crate::documents::{Kind, MAX_FILE_BYTES, Unread};
use ignore::{DirEntry, WalkBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// A file as the folder lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    pub path: PathBuf,
    pub kind: Kind,
    pub bytes: u64,
    /// In nanoseconds since 1970; with `bytes` it tells whether the file was changed.
    pub modified: u64,
}

/// What is next in a folder.
#[derive(Debug)]
pub enum Visit {
    File(FoundFile),
    /// A folder below. What is in it comes next.
    Folder(PathBuf),
    /// Something that can't be searched.
    Problem(PathBuf, Unread),
    /// Nothing to search.
    Nothing,
    /// That was all of it.
    End,
}

/// A walk through a folder. What `.gitignore` and its like name is left out, and so is what
/// is hidden; links are not followed.
pub struct Walk {
    root: PathBuf,
    entries: ignore::Walk,
    took: Duration,
}

impl Walk {
    pub fn new(root: &Path) -> Self {
        let mut builder = builder(root);
        builder.parents(!is_left_out(root)).sort_by_file_name(Ord::cmp);
        Self { root: root.to_owned(), entries: builder.build(), took: Duration::ZERO }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the folder itself is there. If it isn't, a disk may be unplugged, and nothing of
    /// it is forgotten.
    pub fn is_there(&self) -> bool {
        self.root.is_dir()
    }

    /// Whether nothing at all is in the folder.
    pub fn is_empty(&self) -> bool {
        std::fs::read_dir(&self.root).is_ok_and(|mut entries| entries.next().is_none())
    }

    /// Counts the time that a part of it took.
    pub fn spend(&mut self, time: Duration) {
        self.took += time;
    }

    /// How long it took so far.
    pub fn took(&self) -> Duration {
        self.took
    }

    pub fn step(&mut self) -> Visit {
        match self.entries.next() {
            None => Visit::End,
            Some(Ok(entry)) => visit(&entry),
            Some(Err(error)) => {
                let path = path_of(&error).unwrap_or(&self.root).to_owned();
                let text = error.to_string();
                let source = error.into_io_error().unwrap_or_else(|| io::Error::other(text));
                // A file that went away during the walk is none.
                match source.kind() {
                    io::ErrorKind::NotFound if path != self.root => Visit::Nothing,
                    io::ErrorKind::NotFound => Visit::Problem(path, Unread::Away),
                    _ => Visit::Problem(path, Unread::Io { source }),
                }
            }
        }
    }
}

fn builder(root: &Path) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    builder.require_git(false).follow_links(false);
    builder
}

/// Whether a `.gitignore` above a folder leaves it out. Then it says nothing of what is in it
/// either: people have asked for it.
fn is_left_out(root: &Path) -> bool {
    root.parent().is_some_and(|above| {
        let mut entries = builder(above).hidden(false).max_depth(Some(1)).build().flatten();
        !entries.any(|entry| entry.path() == root)
    })
}

fn visit(entry: &DirEntry) -> Visit {
    let (is_file, is_folder) =
        entry.file_type().map_or((false, false), |of| (of.is_file(), of.is_dir()));
    if is_folder {
        return Visit::Folder(entry.path().to_owned());
    }
    let Some(kind) = Kind::of(entry.path()).filter(|_| is_file) else { return Visit::Nothing };
    let path = entry.path().to_owned();
    let metadata = match entry.metadata() {
        Ok(metadata) => metadata,
        Err(error) => {
            let source = error.into_io_error().unwrap_or_else(|| io::Error::other("no metadata"));
            return Visit::Problem(path, Unread::Io { source });
        }
    };
    if path.to_str().is_none() {
        return Visit::Problem(path, Unread::Name);
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Visit::Problem(path, Unread::TooLarge);
    }
    let since = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let modified = since.map_or(0, |since| since.as_nanos() as u64);
    Visit::File(FoundFile { path, kind, bytes: metadata.len(), modified })
}

/// The path that an error is about.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let (mut walk, mut names) = (Walk::new(root), vec![]);
        loop {
            match walk.step() {
                Visit::File(file) => {
                    let inside = file.path.strip_prefix(root).unwrap();
                    names.push(inside.to_str().unwrap().to_owned());
                }
                Visit::End => return names,
                _ => {}
            }
        }
    }

    #[test]
    fn what_git_ignores_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("build/deep")).unwrap();
        std::fs::create_dir_all(root.join(".git")).unwrap();
        for (name, text) in [
            (".gitignore", "build/\n*.log\n"),
            ("a.md", "a"),
            ("b.jpg", "b"),
            ("c.log", "c"),
            ("build/deep/d.md", "d"),
            (".git/e.md", "e"),
        ] {
            std::fs::write(root.join(name), text).unwrap();
        }
        assert_eq!(names(root), ["a.md"]);
    }

    #[test]
    fn a_folder_that_is_ignored_is_searched_if_it_is_added() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["notes", "src", ".hidden"] {
            let root = folder.path().join(name);
            std::fs::create_dir(&root).unwrap();
            std::fs::write(root.join("a.md"), "a").unwrap();
            std::fs::write(root.join("b.txt"), "b").unwrap();
        }
        std::fs::write(folder.path().join(".gitignore"), "notes/\n*.txt\n").unwrap();
        assert_eq!(names(&folder.path().join("notes")), ["a.md", "b.txt"]);
        assert_eq!(names(&folder.path().join("src")), ["a.md"]);
        assert_eq!(names(&folder.path().join(".hidden")), ["a.md"]);
        std::fs::write(folder.path().join(".gitignore"), "*\n").unwrap();
        assert_eq!(names(&folder.path().join("src")), ["a.md", "b.txt"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_a_problem() {
        let mut walk = Walk::new(Path::new("/no/such/folder"));
        assert!(!walk.is_there());
        let Visit::Problem(path, Unread::Away) = walk.step() else { panic!("it is there") };
        assert_eq!(path, Path::new("/no/such/folder"));
    }
}
