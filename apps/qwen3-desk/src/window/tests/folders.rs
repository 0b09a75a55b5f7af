//! Folders that come and go.

use super::*;
use std::fs;

/// Types into the only field of a view.
fn enter(program: &mut Program, text: &str) {
    let field = program.harness.get_by_role(egui::accesskit::Role::TextInput);
    field.focus();
    field.type_text(text);
    program.harness.step();
    program.key(egui::Key::Enter);
}

/// What the box for folders shows, if there is one.
fn shown_folder(program: &Program) -> Option<String> {
    program.harness.query_by_role(egui::accesskit::Role::ComboBox)?.value()
}

#[test]
fn a_filter_goes_with_its_folder() {
    let notes = tempfile::tempdir().unwrap();
    let whole = notes.path().canonicalize().unwrap();
    let inner = whole.join("a").join("b");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("bread.md"), "Knead the dough.").unwrap();
    fs::write(whole.join("a").join("apples.md"), "Apples fall to the ground.").unwrap();
    let mut setup = Setup::default();
    setup.settings.add_folder(inner.clone());
    let mut program = Program::start(setup);
    program.settle();
    program.type_query("apples");
    program.click("Folders");
    program.click("Search in it");
    assert_eq!(program.window().search.filter.folder, Some(inner));
    program.harness.step();
    assert_eq!(shown_folder(&program), Some("b".to_owned()));
    assert!(program.window().add_folder(whole.join("a")));
    program.wait("both files", |program| program.first() == "apples.md");
    assert_eq!(program.window().search.filter.folder, None);
    assert_eq!(shown_folder(&program), None, "there is one folder again");
}

#[test]
fn a_filter_stays_when_another_folder_goes() {
    let (first, second) = (notes(), notes());
    let kept = second.path().canonicalize().unwrap();
    let mut setup = Setup::default();
    setup.settings.add_folder(first.path().canonicalize().unwrap());
    setup.settings.add_folder(kept.clone());
    let mut program = Program::start(setup);
    program.settle();
    program.window().search.filter.folder = Some(kept.clone());
    program.click("Folders");
    program.click_first("Remove");
    assert_eq!(program.window().settings.folders, std::slice::from_ref(&kept));
    assert_eq!(program.window().search.filter.folder, Some(kept));
}

#[test]
fn enter_without_a_path_does_nothing() {
    let mut program = Program::start(Setup::default());
    program.harness.step();
    for nothing in ["", "  ", "''"] {
        enter(&mut program, nothing);
        assert!(!program.sees_part("There is no folder"), "{nothing}");
        assert!(program.window().notice.is_none(), "{nothing}");
    }
}

#[test]
fn a_path_is_understood_as_shells_and_file_managers_copy_it() {
    let notes = tempfile::tempdir().unwrap();
    let folder = notes.path().canonicalize().unwrap().join("two words");
    fs::create_dir(&folder).unwrap();
    let url = format!("file://{}", folder.display()).replace(' ', "%20");
    for text in [format!("'{}'", folder.display()), format!("\"{}\" ", folder.display()), url] {
        let mut program = Program::start(Setup::default());
        program.harness.step();
        enter(&mut program, &text);
        assert_eq!(program.window().settings.folders, std::slice::from_ref(&folder), "{text}");
    }
}

#[test]
fn what_went_wrong_before_is_not_told_after_a_success() {
    let notes = notes();
    let mut program = Program::start(Setup::default());
    assert!(!program.window().add_folder("/no/such/folder".into()));
    program.harness.step();
    assert!(program.sees("There is no folder /no/such/folder."));
    assert!(program.window().add_folder(notes.path().to_owned()));
    program.harness.step();
    assert!(!program.sees_part("There is no folder"));
}

#[test]
fn reading_can_be_paused() {
    let notes = tempfile::tempdir().unwrap();
    for n in 0..3000 {
        fs::write(notes.path().join(format!("{n}.txt")), "Knead the dough.").unwrap();
    }
    let mut setup = Setup::default();
    setup.settings.add_folder(notes.path().canonicalize().unwrap());
    let mut program = Program::start(setup);
    program.wait("files that are read", |program| {
        let status = &program.window().status;
        matches!(status.activity, Activity::Looking(_)) && status.pending == 0
    });
    program.click("Pause indexing");
    program.wait("a pause", |program| program.window().status.activity == Activity::Paused);
}
