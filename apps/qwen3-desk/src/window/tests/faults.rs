//! Broken settings, folders that aren't there, and systems that lack something.

use super::*;
use std::fs;

#[test]
fn problems_are_listed() {
    let notes = notes();
    fs::write(notes.path().join("broken.pdf"), "%PDF-1.4 and then nothing").unwrap();
    let mut setup = Setup::default();
    setup.settings.add_folder(notes.path().to_owned());
    setup.settings.add_folder("/no/such/folder".into());
    let mut program = Program::start(setup);
    program.click("Folders");
    program.wait("the problems", |program| program.sees("2 can't be searched"));
}

#[test]
fn broken_settings_are_told_and_the_index_is_kept() {
    let (program, notes) = with_notes();
    let data = program.stop();
    let settings = Places::within(data.path()).settings;
    fs::write(&settings, "{").unwrap();
    let mut program = Program::start_in(data, Setup::default());
    program.wait("a pause", |program| program.window().status.activity == Activity::Paused);
    assert!(program.sees_part("Indexing is paused, as the settings can't be read"));
    assert_eq!(fs::read_to_string(settings.with_extension("damaged")).unwrap(), "{");
    program.wait("the old index", |program| program.window().status.indexed == 5);
    // Whoever closes it without a change finds it so again.
    let mut program = Program::start_in(program.stop(), Setup::default());
    program.wait("a pause", |program| program.window().status.activity == Activity::Paused);
    program.wait("the old index", |program| program.window().status.indexed == 5);
    assert!(program.window().add_folder(notes.path().to_owned()));
    program.click("Resume indexing");
    program.settle();
    assert_eq!(program.window().status.indexed, 5);
}

#[test]
fn a_folder_that_is_not_there_can_be_typed_right() {
    let mut program = Program::start(Setup::default());
    program.harness.step();
    let field = program.harness.get_by_role(egui::accesskit::Role::TextInput);
    field.focus();
    field.type_text("/no/such/folder");
    program.harness.step();
    program.key(egui::Key::Enter);
    assert!(program.sees("There is no folder /no/such/folder."));
    assert_eq!(program.window().typed_folder, "/no/such/folder");
}

#[test]
fn a_system_without_a_window_for_folders_is_told() {
    let mut program = Program::start(Setup::default());
    program.harness.step();
    let (sender, picked) = channel();
    program.window().picked = Some((picked, Instant::now()));
    sender.send(None).unwrap();
    program.harness.step();
    program.harness.step();
    assert!(program.sees_part("no window for folders"));
    assert!(program.window().picked.is_none());
}
