//! Files that appear whole or not at all.

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn written(path: &Path, text: &str) -> NewFile {
    let mut file = NewFile::create(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn the_old_file_stays_until_the_new_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "old").unwrap();
    drop(written(&path, "half"));
    assert_eq!((names(folder.path()).len(), fs::read_to_string(&path).unwrap()), (1, "old".into()));
    let file = written(&path, "new");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    file.replace().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    let refused = written(&path, "newer").keep_old().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn a_reader_of_the_old_file_is_not_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "old").unwrap();
    let mut reader = File::open(&path).unwrap();
    written(&path, "new").replace().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(io::read_to_string(&mut reader).unwrap(), "old");
    drop(reader);
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn a_name_may_be_as_long_as_the_system_allows_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a".repeat(255), "語".repeat(85)] {
        let path = folder.path().join(name);
        written(&path, "new").keep_old().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
    // Before anything is written, not at the end.
    assert!(NewFile::create(&folder.path().join("a".repeat(256))).is_err());
    for path in ["", "..", "/", "new/"] {
        assert!(NewFile::create(&folder.path().join(path)).is_err(), "{path:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("sub")).unwrap();
    symlink("sub/file", at("link")).unwrap();
    symlink("link", at("to-link")).unwrap();
    symlink("circle", at("circle")).unwrap();
    drop(written(&at("to-link"), "half"));
    assert!(!at("sub/file").exists() && names(&at("sub")).is_empty());
    for text in ["new", "newer"] {
        written(&at("to-link"), text).replace().unwrap();
        assert_eq!(fs::read_to_string(at("sub/file")).unwrap(), text);
        assert!(at("link").is_symlink() && at("to-link").is_symlink());
    }
    assert!(NewFile::create(&at("circle")).is_err());
}

#[cfg(unix)]
#[test]
fn permissions_are_kept_and_devices_are_left_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    written(&path, "new").replace().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let error = NewFile::create(Path::new("/dev/null")).unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_is_being_written_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let others = [".b.AbCd12.part", ".a.AbCd1.part", ".a.AbC-12.part", "a.AbCd12.part"];
    for name in others.iter().chain(&[".a.AbCd12.part"]) {
        fs::write(at(name), "half").unwrap();
    }
    let first = written(&at("a"), "first");
    assert!(!at(".a.AbCd12.part").exists());
    let second = written(&at("a"), "second");
    assert!(first.path().exists() && others.iter().all(|name| at(name).exists()));
    first.replace().unwrap();
    second.replace().unwrap();
    assert_eq!(fs::read_to_string(at("a")).unwrap(), "second");
    assert_eq!(names(folder.path()).len(), 1 + others.len());
}
