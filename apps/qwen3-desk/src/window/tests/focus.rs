//! Where keys go, and what is too long.

use super::*;
use egui_kittest::kittest::by;

fn query(program: &mut Program) -> String {
    program.window().search.query.clone()
}

/// Types without choosing where.
fn type_on(program: &mut Program, text: &str) {
    program.harness.event(egui::Event::Text(text.to_owned()));
    program.harness.step();
}

#[test]
fn enter_presses_the_button_that_has_the_focus() {
    let (mut program, _notes) = with_notes();
    program.type_query("bread");
    program.harness.get_by_label("Tables").focus();
    program.harness.step();
    program.key(egui::Key::Enter);
    program.wait("one kind", |program| program.first() == "bills.csv");
    assert!(program.opened.borrow().is_empty());
    program.key(egui::Key::Escape);
    assert_eq!(program.window().search.filter, Default::default(), "a search begins anew");
}

#[test]
fn a_page_of_passages_is_left_behind() {
    let (mut program, _notes) = with_notes();
    program.type_query("bread");
    let place = |program: &mut Program| {
        let search = &program.window().search;
        let chosen = search.selected().expect("there are passages").passage;
        search.found.as_ref().unwrap().hits.iter().position(|hit| hit.passage == chosen).unwrap()
    };
    program.key(egui::Key::PageDown);
    let page = place(&mut program);
    assert!((2..5).contains(&page), "{page}");
    program.key(egui::Key::PageDown);
    assert_eq!(place(&mut program), 4, "the last one");
    program.key(egui::Key::PageUp);
    program.key(egui::Key::PageUp);
    assert_eq!(place(&mut program), 0);
}

#[test]
fn typing_goes_on_after_a_click() {
    let (mut program, _notes) = with_notes();
    program.type_query("bread");
    program.click("Tables");
    type_on(&mut program, " and butter");
    assert_eq!(query(&mut program), "bread and butter");
    program.click("Folders");
    program.click("Search in it");
    type_on(&mut program, "!");
    assert_eq!(query(&mut program), "bread and butter!");
}

#[test]
fn a_pasted_megabyte_is_cut_and_told() {
    let (mut program, _notes) = with_notes();
    program.type_query("bread ");
    program.harness.event(egui::Event::Paste("word ".repeat(200_000)));
    program.harness.step();
    program.harness.step();
    assert_eq!(query(&mut program).chars().count(), 4000);
    assert!(program.sees("A query has 4,000 characters at most."));
}

#[test]
fn a_second_click_takes_no_second_folder() {
    let (first, second) = (notes(), notes());
    let mut setup = Setup::default();
    setup.settings.add_folder(first.path().canonicalize().unwrap());
    setup.settings.add_folder(second.path().canonicalize().unwrap());
    let mut program = Program::start(setup);
    program.settle();
    program.click("Folders");
    program.click_first("Remove");
    program.click_first("Remove");
    assert_eq!(program.window().settings.folders.len(), 1);
    program.wait("a while", |program| {
        program.window().removed.is_none_or(|removed| removed.elapsed().as_millis() > 500)
    });
    program.click_first("Remove");
    assert!(program.window().settings.folders.is_empty());
}

#[test]
fn a_mouse_at_rest_covers_no_results_while_somebody_types() {
    let (mut program, notes) = with_notes();
    program.type_query("bread");
    let path = notes.path().canonicalize().unwrap().join("bread.md").display().to_string();
    let point_at = |program: &mut Program, by: f32| {
        let place = program.harness.query_all_by_label_contains("line 1").next().unwrap();
        let at = place.rect().center() + egui::vec2(by, 0.0);
        program.harness.event(egui::Event::PointerMoved(at));
        (0..8).for_each(|_| program.harness.step());
    };
    point_at(&mut program, 0.0);
    assert!(program.sees(&path), "the whole path in a tooltip");
    type_on(&mut program, " dough");
    (0..8).for_each(|_| program.harness.step());
    assert!(!program.sees(&path));
    assert_eq!(program.first(), "bread.md");
    point_at(&mut program, 3.0);
    assert!(program.sees(&path), "the mouse is used again");
}

#[test]
fn a_file_is_no_folder() {
    let notes = notes();
    let mut program = Program::start(Setup::default());
    assert!(!program.window().add_folder(notes.path().join("bread.md")));
    program.harness.step();
    assert!(program.sees_part("bread.md is a file."));
}

#[test]
fn a_long_name_leaves_the_scores_in_the_window() {
    let notes = notes();
    let long = "a very long name ".repeat(9);
    std::fs::write(notes.path().join(format!("{long}.md")), "Bread wants an oven.").unwrap();
    let mut setup = Setup { size: [640.0, 480.0], ..Setup::default() };
    setup.settings.add_folder(notes.path().canonicalize().unwrap());
    let mut program = Program::start(setup);
    program.settle();
    program.type_query("bread in an oven");
    assert!(program.first().starts_with("a very long name"));
    let is_score = |label: Option<String>| label.is_some_and(|label| label.parse::<f32>().is_ok());
    let scores = program
        .harness
        .query_all(by().predicate(|node| is_score(node.label()) || is_score(node.value())));
    let right: Vec<f32> = scores.map(|score| score.rect().right()).collect();
    assert!(!right.is_empty() && right.iter().all(|right| *right <= 640.0), "{right:?}");
}
