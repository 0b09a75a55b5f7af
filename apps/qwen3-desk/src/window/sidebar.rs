//! The left side: where to go, and how indexing stands.

use super::theme::palette;
use super::widgets::{bytes, count, counted, ring};
use super::{View, Window};
use crate::worker::{Activity, Command};
use eframe::egui::{self, CornerRadius, Frame, Margin, RichText, Stroke, Ui};

const WIDTH: f32 = 176.0;
/// Characters of a problem.
const SHOWN: usize = 70;

pub fn show(window: &mut Window, ui: &mut Ui) {
    let palette = palette(ui);
    let frame = Frame::new().fill(palette.side).inner_margin(Margin::symmetric(12, 14));
    let panel = egui::Panel::left("side").exact_size(WIDTH).resizable(false).frame(frame);
    panel.show(ui, |ui| {
        ui.label(RichText::new("qwen3-desk").size(17.0).strong().color(palette.accent));
        ui.add_space(14.0);
        ui.spacing_mut().item_spacing.y = 4.0;
        for view in View::ALL {
            if entry(ui, view.label(), window.view == view).clicked() {
                window.view = view;
            }
        }
        ui.with_layout(egui::Layout::bottom_up(egui::Align::Min), |ui| {
            ui.set_width(ui.available_width());
            standing(window, ui);
        });
    });
}

fn entry(ui: &mut Ui, label: &str, is_on: bool) -> egui::Response {
    let palette = palette(ui);
    let colour = if is_on { palette.accent } else { palette.text };
    let fill = if is_on { palette.selected } else { egui::Color32::TRANSPARENT };
    let button = egui::Button::selectable(is_on, RichText::new(label).color(colour))
        .fill(fill)
        .stroke(Stroke::NONE)
        .corner_radius(CornerRadius::same(7))
        .min_size(egui::vec2(0.0, 34.0));
    // All of the width, and the words on the left.
    let layout = egui::Layout::top_down_justified(egui::Align::Min);
    let response = ui.with_layout(layout, |ui| ui.add(button)).inner;
    ring(ui, &response);
    response
}

/// From the bottom up: what the process takes, the button, the bar, and in words what goes on.
fn standing(window: &mut Window, ui: &mut Ui) {
    let palette = palette(ui);
    let status = window.status.clone();
    let small = |text: String| RichText::new(text).size(12.0).color(palette.weak);
    let takes = format!("{} · {:.0} % CPU", bytes(status.memory_bytes), status.processor_percent);
    ui.label(small(takes)).on_hover_text("What this program takes of memory and of one core");
    let is_paused = window.settings.is_paused;
    let is_reading = matches!(status.activity, Activity::Looking(_));
    let has_work = status.pending > 0 || is_reading || is_paused;
    if has_work {
        let label = if is_paused { "Resume indexing" } else { "Pause indexing" };
        let width = ui.available_width();
        if ui.add_sized([width, 28.0], egui::Button::new(RichText::new(label).size(13.0))).clicked()
        {
            window.settings.is_paused = !is_paused;
            window.worker.command(Command::Pause(!is_paused));
            window.keep_settings();
        }
    }
    // How much there is isn't known before all is read.
    if status.pending > 0 && !status.is_reading {
        let all = status.passages.max(1);
        let done = 1.0 - (status.pending as f32 / all as f32).min(1.0);
        let bar = egui::ProgressBar::new(done).desired_height(5.0).fill(palette.accent);
        ui.add(bar);
    }
    if let Some(next) = &status.next_model {
        let title = crate::model::title(next);
        ui.label(small(format!("for {title}; the old index answers meanwhile")));
    }
    let colour = match &status.activity {
        Activity::UpToDate => palette.good,
        Activity::Waiting(_) => palette.bad,
        _ => palette.text,
    };
    let words = ui.label(RichText::new(in_words(&window.status)).size(13.0).color(colour));
    if let Activity::Waiting(problem) = &status.activity {
        words.on_hover_text(format!("{problem}. It is tried again."));
    }
    ui.label(small(counted(status.indexed, "passage")));
    ui.label(small(counted(status.files, "file")));
}

fn in_words(status: &crate::worker::Status) -> String {
    match &status.activity {
        Activity::Starting => "Starting".to_owned(),
        Activity::Loading(model) => format!("Loading {model}"),
        Activity::Looking(folder) => {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
            format!("Reading {}", name.unwrap_or_default())
        }
        Activity::TidyingUp => "Tidying up".to_owned(),
        Activity::Computing if status.is_reading => {
            format!("Indexing, {} to do so far", count(status.pending))
        }
        Activity::Computing => format!("Indexing, {} to do", count(status.pending)),
        Activity::UpToDate => "Up to date".to_owned(),
        Activity::Paused => format!("Paused, {} to do", count(status.pending)),
        Activity::Waiting(problem) => {
            let mut short: String = problem.chars().take(SHOWN).collect();
            if short.len() < problem.len() {
                short.push('…');
            }
            format!("Waiting: {short}")
        }
    }
}
