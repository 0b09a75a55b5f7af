//! Folders that change, go and come back.

use super::*;
use crate::folders::{Visit, Walk};

fn until_changed(watcher: &mut Watcher) -> Vec<PathBuf> {
    let start = Instant::now();
    let mut told = vec![];
    while told.is_empty() && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
        told = watcher.changed(|_| false);
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
    stays_silent(&mut watcher, |_| false);
}

/// Nothing is told for longer than it takes to tell a change.
fn stays_silent(watcher: &mut Watcher, is_walked: impl Fn(&Path) -> bool) {
    let start = Instant::now();
    while start.elapsed() < QUIET * 2 {
        assert_eq!(watcher.changed(&is_walked), Vec::<PathBuf>::new());
        std::thread::sleep(QUIET / 10);
    }
}

/// A watcher of one folder, with the folder.
fn watched() -> (Watcher, tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("root");
    std::fs::create_dir(&root).unwrap();
    let mut watcher = Watcher::new();
    watcher.watch(std::slice::from_ref(&root));
    assert_eq!(watcher.problems(), []);
    (watcher, folder, root)
}

/// Comes to the folders below, as whoever is told of a change does.
fn walk(watcher: &mut Watcher, root: &Path) {
    let mut walk = Walk::new(root);
    loop {
        match walk.step() {
            Visit::Folder(folder) => watcher.visit(root, &folder),
            Visit::End => break,
            _ => {}
        }
    }
}

/// Waits for a change and walks, and once more where that finds what is new.
fn tell_and_walk(watcher: &mut Watcher, root: &Path) {
    assert_eq!(until_changed(watcher), [root]);
    walk(watcher, root);
    let start = Instant::now();
    while start.elapsed() < QUIET * 2 {
        if watcher.changed(|_| false) == [root] {
            walk(watcher, root);
        }
        std::thread::sleep(QUIET / 10);
    }
}

/// Changes a file so long, and returns when something was told.
fn told_while_changing(watcher: &mut Watcher, file: &Path, time: Duration) -> Option<Duration> {
    let start = Instant::now();
    while start.elapsed() < time {
        std::fs::write(file, format!("{:?}", start.elapsed())).unwrap();
        std::thread::sleep(QUIET / 10);
        if !watcher.changed(|_| false).is_empty() {
            return Some(start.elapsed());
        }
    }
    None
}

#[test]
fn a_file_that_changes_all_the_time_hides_nothing() {
    let (mut watcher, _folder, root) = watched();
    let told = told_while_changing(&mut watcher, &root.join("a.log"), LIMIT * 5);
    assert!(told.is_some_and(|told| told >= LIMIT), "{told:?}");
}

#[test]
fn what_is_never_read_is_no_change() {
    let (mut watcher, _folder, root) = watched();
    std::fs::create_dir_all(root.join("sub/.git")).unwrap();
    tell_and_walk(&mut watcher, &root);
    for name in ["build.out", "sub/.git/notes.md", ".hidden.md"] {
        assert_eq!(told_while_changing(&mut watcher, &root.join(name), QUIET), None);
        std::fs::remove_file(root.join(name)).unwrap();
    }
    stays_silent(&mut watcher, |_| false);
    std::fs::rename(root.join("sub"), root.join("renamed")).unwrap();
    assert_eq!(until_changed(&mut watcher), std::slice::from_ref(&root));
    std::fs::write(root.join(".gitignore"), "*.md").unwrap();
    assert_eq!(until_changed(&mut watcher), [root]);
}

#[test]
fn a_large_folder_rests_after_a_walk() {
    let (mut watcher, _folder, root) = watched();
    let start = Instant::now();
    watcher.walked(root.clone(), QUIET);
    std::fs::write(root.join("a.md"), "text").unwrap();
    assert_eq!(until_changed(&mut watcher), std::slice::from_ref(&root));
    assert!(start.elapsed() >= QUIET * REST);
    watcher.walked(root.clone(), Duration::ZERO);
    std::fs::write(root.join("a.md"), "another text").unwrap();
    stays_silent(&mut watcher, |folder| folder == root);
    assert_eq!(watcher.changed(|_| false), [root]);
}

#[test]
fn a_folder_that_takes_the_place_of_another_is_watched() {
    let (mut watcher, folder, root) = watched();
    std::fs::rename(&root, folder.path().join("old")).unwrap();
    std::fs::create_dir(&root).unwrap();
    assert_eq!(until_changed(&mut watcher), std::slice::from_ref(&root));
    assert_eq!(watcher.problems(), []);
    std::fs::write(folder.path().join("old/a.md"), "text").unwrap();
    stays_silent(&mut watcher, |_| false);
    std::fs::write(root.join("a.md"), "text").unwrap();
    assert_eq!(until_changed(&mut watcher), [root]);
}

#[test]
fn a_folder_goes_with_one_above_it() {
    let folder = tempfile::tempdir().unwrap();
    let (above, renamed) = (folder.path().join("above"), folder.path().join("renamed"));
    let root = above.join("root");
    std::fs::create_dir_all(&root).unwrap();
    let mut watcher = Watcher::new();
    watcher.watch(std::slice::from_ref(&root));
    watcher.look_at = Instant::now();
    stays_silent(&mut watcher, |_| false);
    std::fs::rename(&above, &renamed).unwrap();
    watcher.look_at = Instant::now();
    assert_eq!(until_changed(&mut watcher), std::slice::from_ref(&root));
    assert_eq!(watcher.problems().len(), 1);
    // Another one takes its place, and is watched in place of it.
    std::fs::create_dir_all(&root).unwrap();
    watcher.retry_at = Instant::now();
    assert_eq!(until_changed(&mut watcher), std::slice::from_ref(&root));
    assert_eq!(watcher.problems(), []);
    std::fs::write(renamed.join("root/a.md"), "text").unwrap();
    stays_silent(&mut watcher, |_| false);
    std::fs::write(root.join("a.md"), "text").unwrap();
    assert_eq!(until_changed(&mut watcher), [root]);
}

#[test]
fn what_came_between_listing_and_watching_is_looked_for() {
    let (mut watcher, _folder, root) = watched();
    std::fs::create_dir(root.join("sub")).unwrap();
    watcher.changed.clear();
    walk(&mut watcher, &root);
    assert_eq!(watcher.changed.contains_key(&root), !is_deep());
}

#[test]
fn folders_below_are_watched_where_they_are_searched() {
    let (mut watcher, folder, root) = watched();
    std::fs::create_dir_all(root.join("sub/deep")).unwrap();
    std::fs::create_dir_all(root.join("ignored")).unwrap();
    std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
    std::fs::write(root.join(".gitignore"), "ignored/").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), root.join("link")).unwrap();
    tell_and_walk(&mut watcher, &root);
    std::fs::write(root.join("sub/deep/a.md"), "text").unwrap();
    tell_and_walk(&mut watcher, &root);
    std::fs::write(folder.path().join("elsewhere/a.md"), "text").unwrap();
    if !is_deep() {
        std::fs::write(root.join("ignored/a.md"), "text").unwrap();
    }
    stays_silent(&mut watcher, |_| false);
    std::fs::rename(root.join("sub"), root.join("renamed")).unwrap();
    tell_and_walk(&mut watcher, &root);
    std::fs::write(root.join("renamed/deep/a.md"), "another text").unwrap();
    tell_and_walk(&mut watcher, &root);
    std::fs::remove_dir_all(root.join("renamed")).unwrap();
    std::fs::create_dir_all(root.join("renamed/deep")).unwrap();
    tell_and_walk(&mut watcher, &root);
    std::fs::write(root.join("renamed/deep/a.md"), "text").unwrap();
    assert_eq!(until_changed(&mut watcher), [root]);
}
