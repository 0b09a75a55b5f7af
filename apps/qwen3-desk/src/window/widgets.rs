//! Small things that several views are made of.

use super::theme::{Palette, ROUND, palette};
pub use crate::words::{bytes, count, counted};
use eframe::egui::{self, CornerRadius, Frame, Margin, Response, RichText, Stroke, StrokeKind, Ui};

/// The title of a view, with a line below that says what it is for.
pub fn title(ui: &mut Ui, title: &str, about: &str) {
    ui.add_space(8.0);
    ui.heading(title);
    ui.label(RichText::new(about).color(palette(ui).weak));
    ui.add_space(8.0);
}

/// The title of a part of a view.
pub fn section(ui: &mut Ui, title: &str) {
    ui.add_space(12.0);
    ui.label(RichText::new(title).strong().size(16.0));
}

/// A box with round corners.
pub fn card(palette: &Palette, is_selected: bool) -> Frame {
    let (fill, line) = match is_selected {
        true => (palette.selected, palette.accent),
        false => (palette.card, palette.line),
    };
    Frame::new()
        .fill(fill)
        .stroke(Stroke::new(1.0, line))
        .corner_radius(CornerRadius::same(ROUND))
        .inner_margin(Margin::symmetric(14, 10))
}

/// The button that a view is about.
pub fn primary(ui: &mut Ui, text: &str) -> Response {
    let palette = palette(ui);
    let text = RichText::new(text).color(palette.on_accent).strong();
    let response = ui.add(egui::Button::new(text).fill(palette.accent).stroke(Stroke::NONE));
    ring(ui, &response);
    response
}

/// Shows where the keyboard is, on a widget that has a frame of its own.
pub fn ring(ui: &Ui, response: &Response) {
    if response.has_focus() {
        let stroke = Stroke::new(2.0, palette(ui).text);
        ui.painter().rect_stroke(response.rect, ROUND, stroke, StrokeKind::Inside);
    }
}

/// One of several that exclude each other, as a pill.
pub fn pill(ui: &mut Ui, is_on: bool, text: &str) -> Response {
    let palette = palette(ui);
    let colour = if is_on { palette.accent } else { palette.weak };
    let text = RichText::new(text).size(13.0).color(colour);
    let fill = if is_on { palette.selected } else { palette.card };
    let line = if is_on { palette.accent } else { palette.line };
    let button = egui::Button::selectable(is_on, text)
        .fill(fill)
        .stroke(Stroke::new(1.0, line))
        .corner_radius(CornerRadius::same(14))
        .min_size(egui::vec2(0.0, 26.0));
    let response = ui.add(button);
    ring(ui, &response);
    response
}

/// Text in the second rank.
pub fn weak(ui: &mut Ui, text: impl Into<String>) -> Response {
    let colour = palette(ui).weak;
    ui.label(RichText::new(text).size(13.0).color(colour))
}
