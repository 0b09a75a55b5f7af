//! Folders that the system keeps from the program.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Who may do little.
const NOBODY: u32 = 65534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Indexes as somebody who isn't the administrator, and returns what was told.
fn index(folder: &Path, is_root: bool) -> String {
    let mut command = Command::new(folder.join("qwen3-desk"));
    command.arg("--data").arg(folder.join("data")).arg("index").arg(folder.join("notes"));
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    told
}

#[test]
fn an_unreadable_folder_is_told_and_nothing_of_it_is_forgotten() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    fs::create_dir_all(folder.join("notes/private")).unwrap();
    fs::create_dir(folder.join("data")).unwrap();
    fs::write(folder.join("notes/bread.md"), "Let the dough rise overnight.").unwrap();
    fs::write(folder.join("notes/private/diary.md"), "Dear diary, it rained.").unwrap();
    // Where anybody may run it.
    fs::copy(env!("CARGO_BIN_EXE_qwen3-desk"), folder.join("qwen3-desk")).unwrap();
    set_mode(folder, 0o755);
    // Only the administrator can give it to somebody else, and can become that one.
    let is_root = chown(folder.join("data"), Some(NOBODY), Some(NOBODY)).is_ok();

    let told = index(folder, is_root);
    assert!(told.contains("2 files, 2 of 2 passages") && !told.contains("can't be read"), "{told}");
    set_mode(&folder.join("notes/private"), 0o000);
    let told = index(folder, is_root);
    // Or else it couldn't be deleted.
    set_mode(&folder.join("notes/private"), 0o755);
    assert!(told.contains("2 files, 2 of 2 passages"), "{told}");
    let problem = format!("`{}` can't be read", folder.join("notes/private").display());
    assert!(told.contains(&problem), "{told}");
}
