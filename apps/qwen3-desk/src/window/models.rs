//! Which model searches, which one reranks, and on what device.

use super::theme::palette;
use super::widgets::{bytes, card, section, title, weak};
use super::{Window, typed};
use crate::model::{EMBEDDERS, MINI, Published, RERANKERS};
use crate::worker::{Command, DeviceLine};
use eframe::egui::{self, RichText, ScrollArea, Ui};
use std::collections::HashSet;
use std::path::Path;

/// The state of the view.
#[derive(Default)]
pub struct Models {
    /// Models that can be used without a download.
    pub here: HashSet<String>,
    pub devices: Vec<DeviceLine>,
    /// A model on this computer, as it is typed.
    path: String,
    /// The path that is being looked at.
    checked: Option<String>,
    /// What is wrong with it.
    pub problem: Option<String>,
}

#[cfg(test)]
impl Models {
    pub fn type_path(&mut self, path: &str) {
        (self.path, self.problem) = (path.to_owned(), None);
    }
}

/// Uses a model of one's own, if it is one.
pub fn take_check(window: &mut Window, model: String, checked: Result<(), String>) {
    // People may have chosen another one meanwhile.
    if window.models.checked.take_if(|asked| *asked == model).is_none() {
        return;
    }
    match checked {
        Ok(()) => choose(window, Part::Search, Some(model)),
        Err(problem) => window.models.problem = Some(problem),
    }
}

/// What a model is chosen for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Search,
    Rerank,
}

pub fn show(window: &mut Window, ui: &mut Ui) {
    title(
        ui,
        "Models",
        "They run on this computer. Another model means a new index, built in the background.",
    );
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        section(ui, "Search with");
        for model in EMBEDDERS {
            row(window, ui, (Part::Search, &model));
        }
        own(window, ui);
        section(ui, "Put the best 50 in order with");
        if ui.radio(window.settings.reranker.is_none(), "No reranker").clicked() {
            choose(window, Part::Rerank, None);
        }
        for model in RERANKERS {
            row(window, ui, (Part::Rerank, &model));
        }
        section(ui, "Device");
        devices(window, ui);
        ui.add_space(12.0);
    });
}

/// A model, with what it costs and what can be done.
fn row(window: &mut Window, ui: &mut Ui, (part, model): (Part, &Published)) {
    let palette = palette(ui);
    let chosen = match part {
        Part::Search => Some(&window.settings.model),
        Part::Rerank => window.settings.reranker.as_ref(),
    };
    let is_chosen = chosen.is_some_and(|name| name == model.name);
    card(&palette, is_chosen).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                buttons(window, ui, (part, model, is_chosen));
                ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    ui.label(RichText::new(model.title).strong());
                    let size = bytes(model.megabytes * 1_000_000);
                    weak(ui, format!("{size}  ·  {}", model.note));
                });
            });
        });
        progress(window, ui, model.name);
    });
}

fn buttons(window: &mut Window, ui: &mut Ui, (part, model, is_chosen): (Part, &Published, bool)) {
    let download = window.status.downloads.iter().find(|download| download.model == model.name);
    let is_here = model.name == MINI || window.models.here.contains(model.name);
    let goes_on = download.is_some_and(|download| download.problem.is_none());
    if is_chosen {
        let accent = palette(ui).accent;
        ui.label(RichText::new("In use").color(accent));
    } else if is_here {
        if ui.button("Use").clicked() {
            choose(window, part, Some(model.name.to_owned()));
        }
    } else if goes_on {
        if ui.button("Cancel").on_hover_text("What is here already is kept").clicked() {
            window.worker.cancel_download(model.name);
        }
    } else {
        let label = format!("Download {}", bytes(model.megabytes * 1_000_000));
        if ui
            .button(label)
            .on_hover_text(format!("{} from the Hugging Face hub", model.name))
            .clicked()
        {
            window.worker.download(model.name);
        }
    }
}

fn progress(window: &Window, ui: &mut Ui, model: &str) {
    let downloads = &window.status.downloads;
    let Some(download) = downloads.iter().find(|download| download.model == model) else { return };
    let palette = palette(ui);
    if let Some(problem) = &download.problem {
        ui.label(RichText::new(problem).size(13.0).color(palette.bad));
        return;
    }
    if download.total_bytes == 0 {
        weak(ui, "asking the hub for its files …");
        return;
    }
    let total = download.total_bytes;
    let share = download.bytes as f32 / total as f32;
    ui.add(egui::ProgressBar::new(share).desired_height(6.0).fill(palette.accent));
    weak(ui, format!("{} of {}", bytes(download.bytes), bytes(download.total_bytes)));
}

/// A model of one's own.
fn own(window: &mut Window, ui: &mut Ui) {
    let palette = palette(ui);
    let is_known = EMBEDDERS.iter().any(|model| model.name == window.settings.model);
    card(&palette, !is_known).show(ui, |ui| {
        ui.set_width(ui.available_width());
        if !is_known {
            ui.label(RichText::new(&window.settings.model).strong());
        }
        ui.horizontal(|ui| {
            let hint = "A folder or file with an embedding model on this computer";
            let width = (ui.available_width() - 70.0).max(120.0);
            let field = egui::TextEdit::singleline(&mut window.models.path);
            let field = field.hint_text(hint).margin(egui::Margin::symmetric(10, 6));
            let field = ui.add(field.desired_width(width));
            if field.changed() {
                window.models.problem = None;
            }
            let is_entered =
                field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            let path = typed::path(&window.models.path);
            let button = ui.add_enabled(path.is_some(), egui::Button::new("Use"));
            if let Some(path) = path
                && (button.clicked() || is_entered)
            {
                check(window, &path);
            }
        });
        if window.models.checked.is_some() {
            weak(ui, "being looked at …");
        }
        if let Some(problem) = &window.models.problem {
            ui.label(RichText::new(problem).size(13.0).color(palette.bad));
        }
    });
}

/// Looks at it first: a model that can't be loaded would answer nothing after the next start.
fn check(window: &mut Window, path: &Path) {
    window.models.problem = None;
    let model = path.to_string_lossy().into_owned();
    if path.exists() {
        window.worker.check_model(&model);
        window.models.checked = Some(model);
    } else {
        window.models.problem = Some(format!("There is no {model}."));
    }
}

fn choose(window: &mut Window, part: Part, model: Option<String>) {
    match (part, model) {
        (Part::Search, Some(model)) => {
            window.models.checked = None;
            let choice = window.choice(&model);
            window.settings.model = model;
            window.worker.command(Command::Use(choice));
        }
        (Part::Search, None) => {}
        (Part::Rerank, model) => {
            window.worker.use_reranker(model.as_ref().map(|model| window.choice(model)));
            window.settings.reranker = model;
        }
    }
    window.keep_settings();
}

fn devices(window: &mut Window, ui: &mut Ui) {
    let status = &window.status;
    if !status.device.is_empty() {
        weak(ui, format!("{} runs on {}.", crate::model::title(&status.model), status.device));
    }
    for passed_over in status.passed_over.clone() {
        weak(ui, format!("Not on {passed_over}"));
    }
    let mut chosen = None;
    if ui.radio(window.settings.device == "auto", "The best that computes right").clicked() {
        chosen = Some("auto".to_owned());
    }
    for line in window.models.devices.clone() {
        if device(ui, &line, window.settings.device == line.id) {
            chosen = Some(line.id);
        }
    }
    if ui.button("Find and check devices").on_hover_text("Takes seconds for each").clicked() {
        window.worker.check_devices();
    }
    let Some(device) = chosen else { return };
    window.settings.device = device;
    let model = window.settings.model.clone();
    window.worker.command(Command::Use(window.choice(&model)));
    let reranker = window.settings.reranker.as_ref().map(|model| window.choice(model));
    window.worker.use_reranker(reranker);
    window.keep_settings();
}

/// A device with the result of its check; whether it was chosen.
fn device(ui: &mut Ui, line: &DeviceLine, is_chosen: bool) -> bool {
    let palette = palette(ui);
    let mut is_clicked = false;
    ui.horizontal_wrapped(|ui| {
        if line.id.is_empty() {
            ui.label(RichText::new(format!("No {}", line.name)).color(palette.weak));
        } else {
            is_clicked = ui.radio(is_chosen, format!("{}: {}", line.id, line.name)).clicked();
        }
        weak(ui, line.detail.as_str());
        match &line.verdict {
            None => weak(ui, "being checked …"),
            Some(Ok(verdict)) => ui.label(RichText::new(verdict).size(13.0).color(palette.good)),
            Some(Err(_)) if line.id.is_empty() => ui.label(""),
            Some(Err(verdict)) => ui.label(RichText::new(verdict).size(13.0).color(palette.bad)),
        };
    });
    is_clicked
}
