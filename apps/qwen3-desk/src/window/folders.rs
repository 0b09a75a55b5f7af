//! The folders that are searched, and what in them can't be.

use super::theme::palette;
use super::widgets::{card, count, counted, primary, section, title, weak};
use super::{View, Window, search, typed};
use crate::worker::Command;
use eframe::egui::{self, RichText, ScrollArea, Ui};
use std::time::{Duration, Instant};

/// Problems that are shown. One cause often has thousands.
const SHOWN: usize = 200;
/// A click that comes so soon belongs to the one before.
const DOUBLE: Duration = Duration::from_millis(500);

pub fn show(window: &mut Window, ui: &mut Ui) {
    title(ui, "Folders", "What is in them is searched. What .gitignore names is left out.");
    ui.horizontal_wrapped(|ui| {
        if primary(ui, "Add a folder").clicked() {
            let ctx = ui.ctx().clone();
            window.pick_folder(&ctx);
        }
        path_field(window, ui);
        if ui.button("Look through all again").clicked() {
            window.worker.command(Command::Rescan);
        }
    });
    ui.add_space(6.0);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        list(window, ui);
        problems(window, ui);
    });
}

/// A field for the path of a folder; Enter adds it.
pub fn path_field(window: &mut Window, ui: &mut Ui) {
    let field = egui::TextEdit::singleline(&mut window.typed_folder);
    let hint = RichText::new("or type its path").color(palette(ui).weak);
    let field = field.hint_text(hint).margin(egui::Margin::symmetric(10, 6)).desired_width(240.0);
    let response = ui.add(field);
    if response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter)) {
        let path = typed::path(&window.typed_folder);
        if path.is_some_and(|path| window.add_folder(path)) {
            window.typed_folder.clear();
        }
    }
}

fn list(window: &mut Window, ui: &mut Ui) {
    let palette = palette(ui);
    let mut removed = None;
    for folder in window.settings.folders.clone() {
        let files = window.status.files_of.iter().find(|(of, _)| *of == folder);
        let files = files.map_or("…".to_owned(), |(_, files)| counted(*files, "file"));
        card(&palette, false).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    if ui.button("Remove").on_hover_text("The files stay where they are").clicked()
                    {
                        removed = Some(folder.clone());
                    }
                    if ui.button("Search in it").clicked() {
                        search::within(window, Some(&folder));
                        window.view = View::Search;
                        window.search.wants_focus = true;
                    }
                    weak(ui, files);
                    ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                        let path = RichText::new(folder.display().to_string()).strong();
                        ui.add(egui::Label::new(path).truncate());
                    });
                });
            });
        });
    }
    // The next one comes under the mouse, where a double click would remove it too.
    let is_second = window.removed.is_some_and(|removed| removed.elapsed() < DOUBLE);
    if let Some(folder) = removed
        && !is_second
    {
        window.removed = Some(Instant::now());
        window.settings.folders.retain(|there| *there != folder);
        window.folders_changed();
    }
}

fn problems(window: &Window, ui: &mut Ui) {
    let problems = &window.status.problems;
    if problems.is_empty() {
        return;
    }
    let palette = palette(ui);
    section(ui, &format!("{} can't be searched", count(problems.len())));
    for (path, problem) in problems.iter().take(SHOWN) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            ui.label(RichText::new(path.display().to_string()).size(13.0));
            ui.label(RichText::new(problem).size(13.0).color(palette.bad));
        });
    }
    if problems.len() > SHOWN {
        weak(ui, format!("and {} more", count(problems.len() - SHOWN)));
    }
}
