//! Searching: a field, filters, and the passages found.

use super::theme::palette;
use super::widgets::{card, counted, pill, weak};
use super::{Window, field, hit, welcome};
use crate::documents::Kind;
use crate::index::{Filter, Hit};
use crate::worker::{Ask, Finding, Found};
use eframe::egui::{self, RichText, ScrollArea, Ui};
use std::path::{Path, PathBuf};

/// The state of the view.
#[derive(Default)]
pub struct Search {
    pub query: String,
    /// The passage that others shall be like, in place of the query.
    like: Option<Hit>,
    pub filter: Filter,
    number: u64,
    pub found: Option<Found>,
    selected: usize,
    pub wants_focus: bool,
    /// Whether the selected passage has to come into sight.
    pub scrolls: bool,
    /// Whether it was in sight in the last frame.
    is_in_sight: bool,
    /// Passages that were, as a whole.
    in_sight: usize,
    pub was_shown: bool,
    /// While keys are used, a mouse that rests somewhere asks for nothing.
    pub is_typing: bool,
}

impl Search {
    /// Takes an answer, unless another question was asked since.
    pub fn take(&mut self, found: Found) {
        if found.ask != self.number {
            return;
        }
        let is_first = self.found.as_ref().is_none_or(|old| old.ask != found.ask);
        // What is selected stays so while a reranker moves it.
        let kept = self.selected().filter(|_| !is_first).map(|hit| hit.passage);
        let place = kept
            .filter(|_| self.selected > 0)
            .and_then(|passage| found.hits.iter().position(|hit| hit.passage == passage));
        let place = place.unwrap_or(0);
        // New passages push it down, or people have moved on to others.
        self.scrolls |= is_first || place != self.selected && self.is_in_sight;
        self.selected = place;
        self.found = Some(found);
    }

    pub fn selected(&self) -> Option<&Hit> {
        self.found.as_ref()?.hits.get(self.selected)
    }

    pub fn select(&mut self, by: isize) {
        let last = self.found.as_ref().map_or(0, |found| found.hits.len().saturating_sub(1));
        self.selected = self.selected.saturating_add_signed(by).min(last);
        self.scrolls = true;
    }

    /// Passages of a page. One of the last page is on the next one too.
    pub fn page(&self) -> isize {
        self.in_sight.saturating_sub(1).max(1).cast_signed()
    }

    pub fn clear(&mut self) {
        (self.query, self.like, self.found) = (String::new(), None, None);
        self.filter = Filter::default();
        self.number += 1;
        self.wants_focus = true;
    }

    fn ask(&mut self) -> Option<Ask> {
        self.number += 1;
        let finding = match &self.like {
            Some(hit) => Finding::Like(hit.passage),
            None if self.query.trim().is_empty() => {
                self.found = None;
                return None;
            }
            None => Finding::Query(self.query.trim().to_owned()),
        };
        Some(Ask { number: self.number, finding, filter: self.filter.clone() })
    }
}

/// Looks for passages like this one.
pub fn more_like(window: &mut Window, hit: &Hit) {
    window.search.like = Some(hit.clone());
    ask(window);
}

/// Shows what is in a folder alone.
pub fn within(window: &mut Window, folder: Option<&Path>) {
    window.search.filter.folder = folder.map(Path::to_owned);
    ask(window);
}

/// Searches everything again if the folder that was searched is gone from the list.
pub fn leave_gone(window: &mut Window) {
    let is_gone = |folder: &PathBuf| !window.settings.folders.contains(folder);
    if window.search.filter.folder.as_ref().is_some_and(is_gone) {
        within(window, None);
    }
}

fn ask(window: &mut Window) {
    if let Some(ask) = window.search.ask() {
        window.worker.ask(ask);
    }
}

pub fn show(window: &mut Window, ui: &mut Ui) {
    if window.settings.folders.is_empty() {
        welcome::show(window, ui);
        return;
    }
    ui.add_space(8.0);
    if field::show(window, ui) {
        window.search.like = None;
        ask(window);
    }
    ui.add_space(2.0);
    if filters(window, ui) {
        ask(window);
    }
    like_line(window, ui);
    match &window.search.found {
        Some(found) => {
            let (is_empty, has_problem) = (found.hits.is_empty(), found.problem.is_some());
            standing(window, ui);
            match (is_empty, has_problem) {
                (true, true) => {}
                (true, false) => nothing(window, ui),
                (false, _) => results(window, ui),
            }
        }
        None => welcome::help(window, ui),
    }
}

/// Folder and kind; whether one was changed.
fn filters(window: &mut Window, ui: &mut Ui) -> bool {
    let folders = window.settings.folders.clone();
    let filter = &mut window.search.filter;
    let before = filter.clone();
    ui.horizontal_wrapped(|ui| {
        if folders.len() > 1 || filter.folder.is_some() {
            let name = |folder: &Path| {
                let name = folder.file_name().unwrap_or(folder.as_os_str());
                name.to_string_lossy().into_owned()
            };
            let shown = filter.folder.as_deref().map_or("All folders".to_owned(), name);
            egui::ComboBox::from_id_salt("folder").selected_text(shown).show_ui(ui, |ui| {
                ui.selectable_value(&mut filter.folder, None, "All folders");
                for folder in &folders {
                    let label = folder.display().to_string();
                    ui.selectable_value(&mut filter.folder, Some(folder.clone()), label);
                }
            });
        }
        if pill(ui, filter.kind.is_none(), "All types").clicked() {
            filter.kind = None;
        }
        for kind in Kind::ALL {
            if pill(ui, filter.kind == Some(kind), kind.label()).clicked() {
                filter.kind = if filter.kind == Some(kind) { None } else { Some(kind) };
            }
        }
    });
    *filter != before
}

/// Says which passage others are like.
fn like_line(window: &mut Window, ui: &mut Ui) {
    let Some(hit) = window.search.like.clone() else { return };
    let palette = palette(ui);
    let start: String = hit.text.split_whitespace().take(12).collect::<Vec<_>>().join(" ");
    card(&palette, true).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.label(RichText::new("More like").strong());
            if ui.button("Back").clicked() {
                window.search.like = None;
                ask(window);
            }
            ui.add(egui::Label::new(format!("“{start} …”")).truncate());
        });
    });
}

/// How many there are, and how long it took.
fn standing(window: &Window, ui: &mut Ui) {
    let Some(found) = &window.search.found else { return };
    let ms = |time: std::time::Duration| format!("{:.0} ms", (time.as_secs_f64() * 1e3).ceil());
    let mut parts = vec![counted(found.hits.len(), "passage")];
    if !found.model_time.is_zero() {
        parts.push(format!("model {}", ms(found.model_time)));
    }
    parts.push(format!("search {}", ms(found.search_time)));
    match found.reranked {
        Some(reranked) if reranked < found.hits.len() => {
            parts.push(format!("reranking, {reranked} of {}", found.hits.len()));
        }
        Some(_) => parts.push("reranked".to_owned()),
        None => {}
    }
    ui.horizontal_wrapped(|ui| {
        weak(ui, parts.join("  ·  "));
        if let Some(problem) = &found.problem {
            let bad = palette(ui).bad;
            ui.label(RichText::new(problem).size(13.0).color(bad));
        }
    });
}

fn nothing(window: &Window, ui: &mut Ui) {
    ui.add_space(40.0);
    ui.vertical_centered(|ui| {
        ui.label(RichText::new("Nothing here").size(18.0).strong());
        let is_filtered = window.search.filter != Filter::default();
        let text = match (is_filtered, window.status.indexed) {
            (true, _) => "No passage passes the filters.",
            (false, 0) => "Nothing is indexed yet. Results appear as soon as there are any.",
            _ => "Try other words.",
        };
        weak(ui, text);
    });
}

fn results(window: &mut Window, ui: &mut Ui) {
    let Some(found) = window.search.found.take() else { return };
    let words = match window.search.like {
        Some(_) => vec![],
        None => super::highlight::words(&window.search.query),
    };
    let scrolls = std::mem::take(&mut window.search.scrolls);
    let mut done = None;
    window.search.in_sight = 0;
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 8.0;
        for (at, hit) in found.hits.iter().enumerate() {
            let is_selected = at == window.search.selected;
            let (folders, explains) = (&window.settings.folders, !window.search.is_typing);
            let shown = hit::Shown { hit, words: &words, is_selected, folders, explains };
            let (response, action) = hit::show(ui, &shown);
            window.search.in_sight += usize::from(ui.clip_rect().contains_rect(response.rect));
            if is_selected {
                window.search.is_in_sight = ui.is_rect_visible(response.rect);
                if scrolls {
                    response.scroll_to_me(None);
                }
            }
            if response.clicked() || action.is_some() {
                window.search.selected = at;
            }
            let action = action.or_else(|| opened(&response, is_selected));
            done = action.map(|action| (at, action)).or(done);
        }
        ui.add_space(8.0);
    });
    let acted = done.map(|(at, action)| (found.hits[at].clone(), action));
    // Unless the action has asked for others.
    window.search.found = Some(found);
    if let Some((hit, action)) = acted {
        act(window, ui, (&hit, action));
    }
}

/// Whether a card is opened.
fn opened(response: &egui::Response, is_selected: bool) -> Option<hit::Action> {
    // The keyboard chooses first, then opens.
    let is_key = response.clicked() && !response.clicked_by(egui::PointerButton::Primary);
    (response.double_clicked() || is_key && is_selected).then_some(hit::Action::Open)
}

fn act(window: &mut Window, ui: &Ui, (hit, action): (&Hit, hit::Action)) {
    match action {
        hit::Action::Open => window.open(&hit.place.path),
        hit::Action::Like => more_like(window, hit),
        hit::Action::Copy => {
            ui.ctx().copy_text(hit.text.clone());
            window.tell("Copied.".to_owned());
        }
    }
    window.search.wants_focus = true;
}
