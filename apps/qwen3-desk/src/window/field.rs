//! The field for the query.

use super::Window;
use super::theme::palette;
use super::widgets::{count, weak};
use eframe::egui::{self, FontId, RichText, Ui};

/// Of a query. Models read about as much of one.
const MAX_CHARS: usize = 4000;

fn field_id() -> egui::Id {
    egui::Id::new("query")
}

/// Whether typing goes to the query: nothing else has the focus.
pub fn has_focus(ctx: &egui::Context) -> bool {
    ctx.memory(|memory| memory.focused().is_none_or(|id| id == field_id()))
}

/// Whether a part of the query is selected.
pub fn has_selection(ctx: &egui::Context) -> bool {
    let state = egui::TextEdit::load_state(ctx, field_id());
    let range = state.and_then(|state| state.cursor.char_range());
    range.is_some_and(|range| !range.is_empty())
}

/// The field for the query; whether it was changed.
pub fn show(window: &mut Window, ui: &mut Ui) -> bool {
    let palette = palette(ui);
    let search = &mut window.search;
    let hint = RichText::new("Search by meaning: a question, a thought, a few words");
    let edit = egui::TextEdit::singleline(&mut search.query)
        .id(field_id())
        .hint_text(hint.color(palette.weak))
        .font(FontId::proportional(18.0))
        .margin(egui::Margin::symmetric(14, 10))
        .char_limit(MAX_CHARS)
        .desired_width(f32::INFINITY);
    // A click on something else or Enter has taken the focus, and typing goes on.
    if ui.memory(|memory| memory.focused().is_none()) {
        ui.memory_mut(|memory| memory.request_focus(field_id()));
    }
    let response = ui.add(edit);
    if std::mem::take(&mut search.wants_focus) || !search.was_shown {
        response.request_focus();
    }
    search.was_shown = true;
    if search.query.chars().count() >= MAX_CHARS {
        weak(ui, format!("A query has {} characters at most.", count(MAX_CHARS)));
    }
    response.changed()
}
