//! Small windows.

use super::*;

#[test]
fn everything_has_its_place_in_a_small_window() {
    let notes = notes();
    let mut setup = Setup { size: [640.0, 480.0], ..Setup::default() };
    setup.settings.add_folder(notes.path().to_owned());
    let mut program = Program::start(setup);
    program.settle();
    for view in View::ALL {
        program.window().view = view;
        program.harness.step();
        program.harness.step();
        let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(640.0, 480.0));
        let buttons = program.harness.query_all_by_role(egui::accesskit::Role::Button);
        for button in buttons {
            let bounds = button.rect();
            assert!(
                bounds.left() >= 0.0 && bounds.right() <= screen.right(),
                "{} in {view:?}: {bounds:?}",
                button.accesskit_node().label().unwrap_or_default()
            );
        }
    }
}

#[test]
fn the_first_start_fits_into_very_little() {
    let mut program = Program::start(Setup { size: [480.0, 340.0], ..Setup::default() });
    program.harness.step();
    program.harness.step();
    let title = "Search your own files by what they mean";
    for label in [title, "Yours alone", "Add a folder"] {
        let bounds = program.harness.get_by_label(label).rect();
        // The side has 176.
        assert!(bounds.left() >= 176.0 && bounds.right() <= 480.0, "{label}: {bounds:?}");
    }
}
