//! Appearance, pace, and where things are kept.

use super::widgets::{bytes, card, pill, section, title, weak};
use super::{Window, preference, theme};
use crate::settings::{Appearance, Pace};
use crate::worker::Command;
use eframe::egui::{RichText, ScrollArea, Ui};

pub fn show(window: &mut Window, ui: &mut Ui) {
    title(ui, "Settings", "They are kept at once.");
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        section(ui, "Appearance");
        ui.horizontal(|ui| {
            for appearance in Appearance::ALL {
                if pill(ui, window.settings.appearance == appearance, appearance.label()).clicked() {
                    window.settings.appearance = appearance;
                    ui.ctx().set_theme(preference(appearance));
                    window.keep_settings();
                }
            }
        });
        section(ui, "Pace of indexing");
        ui.horizontal(|ui| {
            for pace in Pace::ALL {
                if pill(ui, window.settings.pace == pace, pace.label()).clicked() {
                    window.settings.pace = pace;
                    window.worker.command(Command::Pace(pace));
                    window.keep_settings();
                }
            }
        });
        weak(
            ui,
            "Gentle works a quarter of the time, Normal half of it. Both let every other program go \
             first. Full speed works all the time; once the program was started anew, it takes its \
             turn with the others. Half of the cores are used at most.",
        );
        section(ui, "On this computer");
        kept(window, ui);
        section(ui, "What leaves it");
        ui.label(
            "Nothing. The program asks the network only for a model that you download, \
             and sends no file, no query and no statistics.",
        );
    });
}

fn kept(window: &Window, ui: &mut Ui) {
    let palette = theme::palette(ui);
    let status = &window.status;
    card(&palette, false).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let rate = match status.passages_per_second {
            0.0 => "nothing since the start".to_owned(),
            rate => format!("{rate:.0} passages a second"),
        };
        let rows = [
            ("Index", window.places.index.display().to_string()),
            ("Its size", bytes(status.index_bytes)),
            ("Settings", window.places.settings.display().to_string()),
            ("Memory", bytes(status.memory_bytes)),
            ("Indexing", rate),
            ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        eframe::egui::Grid::new("kept").num_columns(2).spacing([18.0, 6.0]).show(ui, |ui| {
            for (what, value) in rows {
                ui.label(RichText::new(what).color(palette.weak));
                ui.label(value);
                ui.end_row();
            }
        });
    });
}
