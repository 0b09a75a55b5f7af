//! What the keyboard does.

use super::{View, Window, field, search};
use eframe::egui::{self, Event, Key, KeyboardShortcut, Modifiers};

const fn command(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const VIEWS: [Key; 5] = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5];

/// What the key for commands is called.
const CONTROL: &str = if cfg!(target_os = "macos") { "Cmd" } else { "Ctrl" };

/// The keys of results, as a help.
pub fn help() -> [(String, &'static str); 6] {
    let with = |key: &str| format!("{CONTROL}+{key}");
    [
        ("↑ ↓".to_owned(), "choose a passage"),
        ("Enter".to_owned(), "open its file"),
        (with("C"), "copy it"),
        (with("L"), "more like it"),
        ("Esc".to_owned(), "begin again"),
        (with("1 … 5"), "search, map, folders, models, settings"),
    ]
}

/// Keys that work in every view.
pub fn global(window: &mut Window, ctx: &egui::Context) {
    for (key, view) in VIEWS.into_iter().zip(View::ALL) {
        if pressed(ctx, command(key)) {
            window.view = view;
            window.search.wants_focus = view == View::Search;
        }
    }
    if pressed(ctx, command(Key::F)) {
        window.view = View::Search;
        window.search.wants_focus = true;
    }
    if window.view == View::Search {
        of_results(window, ctx);
    }
}

/// Whether keys are used, and the mouse rests. `before`: as it was in the last frame.
pub fn are_used(ctx: &egui::Context, before: bool) -> bool {
    let is_key =
        |event: &Event| matches!(event, Event::Key { .. } | Event::Text(_) | Event::Ime(_));
    ctx.input(|input| {
        let moves = |event: &Event| matches!(event, Event::PointerMoved(_));
        input.events.iter().any(is_key) || before && !input.events.iter().any(moves)
    })
}

fn of_results(window: &mut Window, ctx: &egui::Context) {
    let plain = |key| KeyboardShortcut::new(Modifiers::NONE, key);
    // A button that has the focus is what Enter and the arrows are for.
    let is_free = field::has_focus(ctx);
    if is_free && pressed(ctx, plain(Key::ArrowDown)) {
        window.search.select(1);
    }
    if is_free && pressed(ctx, plain(Key::ArrowUp)) {
        window.search.select(-1);
    }
    if is_free && pressed(ctx, plain(Key::PageDown)) {
        window.search.select(window.search.page());
    }
    if is_free && pressed(ctx, plain(Key::PageUp)) {
        window.search.select(-window.search.page());
    }
    if pressed(ctx, plain(Key::Escape)) {
        window.search.clear();
    }
    let Some(hit) = window.search.selected().cloned() else { return };
    if is_free && pressed(ctx, plain(Key::Enter)) {
        window.open(&hit.place.path);
        window.search.wants_focus = true;
    }
    // Unless a part of the query is selected: then that is meant.
    let copies = ctx.input(|input| input.events.contains(&Event::Copy));
    if copies && !field::has_selection(ctx) {
        ctx.copy_text(hit.text.clone());
        window.tell("Copied.".to_owned());
    }
    if pressed(ctx, command(Key::L)) {
        search::more_like(window, &hit);
    }
}

fn pressed(ctx: &egui::Context, shortcut: KeyboardShortcut) -> bool {
    ctx.input_mut(|input| input.consume_shortcut(&shortcut))
}
