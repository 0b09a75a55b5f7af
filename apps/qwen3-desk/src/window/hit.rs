//! A passage that was found, as a card.

use super::highlight;
use super::theme::{Palette, palette};
use super::widgets::card;
use crate::documents::Kind;
use crate::folders::folder_of;
use crate::index::Hit;
use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{self, FontId, Response, RichText, Sense, Ui, UiBuilder};
use std::path::{Path, PathBuf};

/// Lines of a passage, and of the selected one.
const LINES: usize = 3;
const SELECTED_LINES: usize = 14;

/// The part of a line that a file's name may take.
const NAME: f32 = 0.6;

/// What can be done with a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Open,
    Copy,
    Like,
}

/// What a card shows.
pub struct Shown<'a> {
    pub hit: &'a Hit,
    /// Words to mark.
    pub words: &'a [String],
    pub is_selected: bool,
    pub folders: &'a [PathBuf],
    /// Whether the mouse is told more.
    pub explains: bool,
}

impl Shown<'_> {
    /// Text that a click goes through.
    fn label(&self, text: impl Into<egui::WidgetText>) -> egui::Label {
        egui::Label::new(text).selectable(false).show_tooltip_when_elided(self.explains)
    }
}

/// The card, and what was chosen on it.
pub fn show(ui: &mut Ui, shown: &Shown) -> (Response, Option<Action>) {
    let palette = palette(ui);
    let mut action = None;
    let sensing = UiBuilder::new().id_salt(shown.hit.passage).sense(Sense::click());
    let response = ui.scope_builder(sensing, |ui| {
        let is_pointed_at = ui.response().hovered() || ui.response().has_focus();
        let mut frame = card(&palette, shown.is_selected);
        if is_pointed_at && !shown.is_selected {
            frame.stroke.color = palette.accent;
        }
        frame.show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 4.0;
            first_line(ui, shown, &palette);
            if !shown.hit.heading.is_empty() {
                let heading = RichText::new(&shown.hit.heading).size(12.5).color(palette.accent);
                ui.add(shown.label(heading).truncate());
            }
            ui.add(shown.label(text(ui, shown, &palette)));
            if shown.is_selected {
                action = actions(ui);
            }
        });
    });
    (response.response, action)
}

/// The file's name, where it is, and how near the passage is.
fn first_line(ui: &mut Ui, shown: &Shown, palette: &Palette) {
    let hit = shown.hit;
    ui.horizontal(|ui| {
        let name = hit.place.path.file_name().unwrap_or_default().to_string_lossy();
        ui.scope(|ui| {
            // The rest is for the place and the score.
            ui.set_max_width(NAME * ui.available_width());
            let name = RichText::new(name).strong().size(15.0);
            ui.add(shown.label(name).truncate());
        });
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let (share, label) = match hit.relevance {
                Some(odds) => {
                    let share = 1.0 / (1.0 + (-odds).exp());
                    (share as f32, format!("{:.0} %", share * 100.0))
                }
                None => (hit.similarity.clamp(0.0, 1.0), hit.score(2)),
            };
            let what = match hit.relevance {
                Some(_) => "How probably the reranker takes it for an answer",
                None => "Similarity with the query",
            };
            let label = RichText::new(label).size(12.5).color(palette.weak);
            let score = ui.add(shown.label(label));
            if shown.explains {
                score.on_hover_text(what);
            }
            let (place, _) = ui.allocate_exact_size(egui::vec2(44.0, 5.0), Sense::hover());
            ui.painter().rect_filled(place, 2.5, palette.line);
            let mut part = place;
            part.set_width(place.width() * share);
            ui.painter().rect_filled(part, 2.5, palette.accent);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                let place = RichText::new(place_of(shown)).size(12.5).color(palette.weak);
                let place = ui.add(shown.label(place).truncate());
                if shown.explains {
                    place.on_hover_text(hit.place.path.display().to_string());
                }
            });
        });
    });
}

/// In words: the folder below the added one, the line, and other files with the same text.
fn place_of(shown: &Shown) -> String {
    let place = &shown.hit.place;
    let above = folder_of(shown.folders, &place.path).and_then(|folder| folder.parent());
    let inside = above.and_then(|above| place.path.strip_prefix(above).ok());
    let folder = inside.unwrap_or(&place.path).parent().unwrap_or(Path::new(""));
    let mut parts = vec![folder.display().to_string()];
    match Kind::of(&place.path) {
        Some(Kind::Pdf) => parts.push(format!("page {}", place.line)),
        Some(Kind::Html) | None => {}
        Some(_) => parts.push(format!("line {}", place.line)),
    }
    match shown.hit.others {
        0 => {}
        1 => parts.push("and in another file".to_owned()),
        others => parts.push(format!("and in {others} other files")),
    }
    parts.join("  ·  ")
}

/// The passage. Code keeps its lines.
fn text(ui: &Ui, shown: &Shown, palette: &Palette) -> LayoutJob {
    let is_code = Kind::of(&shown.hit.place.path) == Some(Kind::Code);
    let (text, font) = if is_code {
        (shown.hit.text.clone(), FontId::monospace(12.5))
    } else {
        // The marks of headings are of no use in a flow of words.
        let is_word = |word: &&str| word.bytes().any(|byte| byte != b'#');
        let words: Vec<&str> = shown.hit.text.split_whitespace().filter(is_word).collect();
        (words.join(" "), FontId::proportional(14.0))
    };
    let mut job = highlight::job(&text, shown.words, font, palette);
    job.wrap = TextWrapping {
        max_width: ui.available_width(),
        max_rows: if shown.is_selected { SELECTED_LINES } else { LINES },
        ..TextWrapping::default()
    };
    job
}

fn actions(ui: &mut Ui) -> Option<Action> {
    let mut action = None;
    ui.add_space(2.0);
    ui.horizontal(|ui| {
        ui.spacing_mut().button_padding = egui::vec2(10.0, 3.0);
        let buttons =
            [("Open", Action::Open), ("Copy", Action::Copy), ("More like this", Action::Like)];
        for (label, of) in buttons {
            let text = RichText::new(label).size(13.0);
            if ui.add(egui::Button::new(text)).clicked() {
                action = Some(of);
            }
        }
    });
    action
}
