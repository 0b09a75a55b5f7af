//! What people do, in a window that is drawn into memory.

use super::*;
use crate::model::Library;
use crate::worker::tests::{machinery, notes, until};
use crate::worker::{Activity, Download, Machinery};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use qwen3_engine::Error;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use tempfile::TempDir;

type Opened = Rc<RefCell<Vec<PathBuf>>>;

/// A program under test.
pub struct Program {
    pub harness: Harness<'static, Option<Window>>,
    data: TempDir,
    opened: Opened,
}

/// How it is started.
pub struct Setup {
    pub settings: Settings,
    pub size: [f32; 2],
    pub machinery: Box<dyn FnOnce(&Path) -> Machinery>,
}

impl Default for Setup {
    fn default() -> Self {
        let settings = Settings { device: "cpu".to_owned(), ..Settings::default() };
        Self { settings, size: [1100.0, 740.0], machinery: Box::new(machinery) }
    }
}

impl Program {
    pub fn start(setup: Setup) -> Self {
        let data = tempfile::tempdir().unwrap();
        setup.settings.write(&Places::within(data.path()).settings).unwrap();
        Self::start_in(data, setup)
    }

    /// With what an earlier start has left.
    pub fn start_in(data: TempDir, setup: Setup) -> Self {
        let places = Places::within(data.path());
        let opened = Opened::default();
        let into = opened.clone();
        let mut machinery = Some((setup.machinery)(&places.index));
        let show = move |ui: &mut egui::Ui, window: &mut Option<Window>| {
            let window = window.get_or_insert_with(|| {
                let machinery = machinery.take().expect("there is one window");
                let mut window = Window::new(ui.ctx(), places.clone(), machinery);
                let into = into.clone();
                window.open_file = Box::new(move |path| {
                    into.borrow_mut().push(path.to_owned());
                    Ok(())
                });
                window
            });
            window.receive(ui.ctx());
            window.show(ui);
        };
        let harness = Harness::builder().with_size(setup.size).build_ui_state(show, None);
        Self { harness, data, opened }
    }

    pub fn stop(self) -> TempDir {
        self.data
    }

    pub fn window(&mut self) -> &mut Window {
        self.harness.state_mut().as_mut().expect("the first frame makes it")
    }

    /// Draws frames until something is so.
    pub fn wait(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        until(what, || {
            self.harness.step();
            is_so(self).then_some(())
        });
        self.harness.step();
    }

    pub fn settle(&mut self) {
        self.wait("up to date", |program| program.window().status.activity == Activity::UpToDate);
    }

    pub fn sees(&self, label: &str) -> bool {
        self.harness.query_all_by_label(label).next().is_some()
    }

    pub fn sees_part(&self, label: &str) -> bool {
        self.harness.query_all_by_label_contains(label).next().is_some()
    }

    pub fn click(&mut self, label: &str) {
        let nodes = self.harness.query_all_by_label(label);
        nodes.last().unwrap_or_else(|| panic!("there is no {label}")).click();
        self.harness.step();
        self.harness.step();
    }

    pub fn click_first(&mut self, label: &str) {
        let mut nodes = self.harness.query_all_by_label(label);
        nodes.next().unwrap_or_else(|| panic!("there is no {label}")).click();
        drop(nodes);
        self.harness.step();
        self.harness.step();
    }

    pub fn type_query(&mut self, text: &str) {
        let field = self.harness.get_by_role(egui::accesskit::Role::TextInput);
        field.focus();
        field.type_text(text);
        self.harness.step();
        self.wait("results", |program| {
            let search = &program.window().search;
            search.query.contains(text) && search.found.is_some()
        });
    }

    pub fn key(&mut self, key: egui::Key) {
        self.harness.key_press(key);
        self.harness.step();
        self.harness.step();
    }

    fn first(&mut self) -> String {
        let found = self.window().search.found.as_ref();
        let hit = found.and_then(|found| found.hits.first());
        let name = hit.and_then(|hit| hit.place.path.file_name());
        name.map_or(String::new(), |name| name.to_string_lossy().into_owned())
    }
}

fn with_notes() -> (Program, TempDir) {
    let notes = notes();
    let mut setup = Setup::default();
    setup.settings.add_folder(notes.path().canonicalize().unwrap());
    let mut program = Program::start(setup);
    program.settle();
    (program, notes)
}

#[test]
fn a_folder_that_is_dropped_can_be_searched() {
    let notes = notes();
    let mut program = Program::start(Setup::default());
    program.harness.step();
    assert!(program.sees("Add a folder"));
    let file = egui::DroppedFile { path: Some(notes.path().to_owned()), ..Default::default() };
    program.harness.input_mut().dropped_files.push(file);
    program.wait("indexing", |program| program.window().status.indexed == 5);
    program.settle();
    program.type_query("how do I bake a loaf?");
    assert!(program.sees("bread.md"));
    assert_eq!(program.first(), "bread.md");
    let kept = Settings::read(&Places::within(program.data.path()).settings).unwrap();
    assert_eq!(kept.folders, [notes.path().canonicalize().unwrap()]);
}

#[test]
fn a_folder_is_added_by_its_path() {
    let notes = notes();
    let mut program = Program::start(Setup::default());
    program.harness.step();
    let field = program.harness.get_by_role(egui::accesskit::Role::TextInput);
    field.focus();
    field.type_text(&format!(" {} ", notes.path().display()));
    program.harness.step();
    program.key(egui::Key::Enter);
    program.settle();
    program.wait("its files", |program| program.window().status.indexed == 5);
}

#[test]
fn the_keyboard_is_enough() {
    let (mut program, _notes) = with_notes();
    program.type_query("why do things fall down?");
    program.key(egui::Key::ArrowDown);
    let second = program.window().search.selected().unwrap().clone();
    assert_eq!(program.window().search.found.as_ref().unwrap().hits[1], second);
    program.key(egui::Key::Enter);
    assert_eq!(*program.opened.borrow(), [second.place.path.to_path_buf()]);
    program.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::L);
    program.wait("others like it", |program| {
        let found = program.window().search.found.as_ref();
        found.is_some_and(|found| found.hits.iter().all(|hit| hit.passage != second.passage))
    });
    assert!(program.sees("More like"));
    program.key(egui::Key::Escape);
    assert!(program.window().search.found.is_none() && program.window().search.query.is_empty());
    program.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Num3);
    program.harness.step();
    assert_eq!(program.window().view, View::Folders);
}

#[test]
fn filters_narrow_the_results() {
    let (mut program, _notes) = with_notes();
    program.type_query("bread");
    assert_eq!(program.window().search.found.as_ref().unwrap().hits.len(), 5);
    program.click("Tables");
    program.wait("one kind", |program| program.first() == "bills.csv");
    assert_eq!(program.window().search.found.as_ref().unwrap().hits.len(), 1);
    program.click("PDF");
    program.wait("nothing", |program| program.sees("Nothing here"));
    program.click("All types");
    program.wait("all", |program| program.first() == "bread.md");
}

#[test]
fn a_folder_is_taken_away() {
    let (mut program, _notes) = with_notes();
    program.click("Folders");
    assert!(program.sees("5 files"));
    program.click("Remove");
    program.wait("an empty index", |program| program.window().status.indexed == 0);
    program.click("Search");
    assert!(program.sees("Add a folder"));
}

#[test]
fn ten_thousand_files_are_taken_in_stride() {
    let notes = tempfile::tempdir().unwrap();
    for n in 0..10_000 {
        let folder = notes.path().join(format!("{}", n % 100));
        std::fs::create_dir_all(&folder).unwrap();
        // A few contents, so that the files are what takes the time.
        let text = format!("Note about number {}.", n % 50);
        std::fs::write(folder.join(format!("{n}.txt")), text).unwrap();
    }
    let mut setup = Setup::default();
    setup.settings.pace = crate::settings::Pace::Full;
    setup.settings.add_folder(notes.path().to_owned());
    let mut program = Program::start(setup);
    let mut frames = vec![];
    program.wait("up to date", |program| {
        let start = Instant::now();
        program.harness.step();
        frames.push(start.elapsed());
        program.window().status.activity == Activity::UpToDate
    });
    frames.sort();
    // Half of them: on a busy machine any single one may wait for a processor.
    let median = frames[frames.len() / 2];
    assert!(median < Duration::from_millis(30), "the window waits for {median:?}");
    let status = program.window().status.clone();
    assert_eq!((status.files, status.passages, status.indexed), (10_000, 50, 50));
    program.type_query("number 7");
    let hits = &program.window().search.found.as_ref().unwrap().hits;
    assert_eq!(hits[0].others, 199);
}

#[test]
fn settings_are_kept() {
    let (mut program, _notes) = with_notes();
    program.click("Settings");
    program.click("Dark");
    assert!(program.harness.ctx.global_style().visuals.dark_mode);
    program.click("Light");
    program.click("Gentle");
    let kept = Settings::read(&Places::within(program.data.path()).settings).unwrap();
    assert_eq!((kept.appearance, kept.pace), (Appearance::Light, crate::settings::Pace::Gentle));
    assert!(!program.harness.ctx.global_style().visuals.dark_mode);
}

mod downloads;
mod faults;
mod focus;
mod folders;
mod layout;
mod map;
mod measure;
mod models;
mod screenshots;
