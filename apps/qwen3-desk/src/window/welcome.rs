//! The first start, and the search field before anything was asked.

use super::theme::palette;
use super::widgets::{card, counted, primary, weak};
use super::{Window, folders, keys};
use eframe::egui::{self, RichText, ScrollArea, Ui};

const PROMISES: [(&str, &str); 3] = [
    (
        "Meaning, not spelling",
        "Ask “how do I get the dough to rise?” and find the page about yeast.",
    ),
    (
        "Yours alone",
        "Files are read and indexed on this computer. Nothing leaves it, no account is needed.",
    ),
    (
        "At once",
        "A small English model is in the program. Larger ones for 100 languages can be downloaded.",
    ),
];

/// There is no folder yet.
pub fn show(window: &mut Window, ui: &mut Ui) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| first_start(window, ui));
}

fn first_start(window: &mut Window, ui: &mut Ui) {
    let palette = palette(ui);
    let height = ui.available_height();
    ui.vertical_centered(|ui| {
        ui.set_max_width(ui.available_width().min(560.0));
        ui.add_space((height * 0.5 - 250.0).max(12.0));
        ui.label(RichText::new("Search your own files by what they mean").size(25.0).strong());
        ui.add_space(4.0);
        let kinds = "Notes, documents, web pages, PDFs, tables and source code";
        ui.label(RichText::new(kinds).color(palette.weak));
        ui.add_space(18.0);
        for (title, text) in PROMISES {
            card(&palette, false).show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.y = 3.0;
                    ui.label(RichText::new(title).strong().size(15.0));
                    ui.label(RichText::new(text).color(palette.weak));
                });
            });
        }
        ui.add_space(18.0);
        if primary(ui, "Add a folder").clicked() {
            let ctx = ui.ctx().clone();
            window.pick_folder(&ctx);
        }
        weak(ui, "or drop one here");
        folders::path_field(window, ui);
    });
}

/// Nothing was asked yet.
pub fn help(window: &Window, ui: &mut Ui) {
    let palette = palette(ui);
    let height = ui.available_height();
    ui.vertical_centered(|ui| {
        ui.set_max_width(ui.available_width().min(460.0));
        ui.add_space((height * 0.5 - 170.0).max(10.0));
        let indexed = window.status.indexed;
        let are = if indexed == 1 { "is" } else { "are" };
        let ready = format!("{} {are} ready to be searched", counted(indexed, "passage"));
        ui.label(RichText::new(ready).size(18.0).strong());
        weak(ui, "Results appear while you type, and while files are still being indexed.");
        ui.add_space(16.0);
        card(&palette, false).show(ui, |ui| {
            ui.set_width(ui.available_width());
            egui::Grid::new("keys").num_columns(2).spacing([18.0, 7.0]).show(ui, |ui| {
                for (key, what) in keys::help() {
                    let key = RichText::new(key).monospace().size(12.5).color(palette.accent);
                    ui.label(key);
                    ui.label(RichText::new(what).color(palette.weak));
                    ui.end_row();
                }
            });
        });
    });
}
