//! The window is opened.

use super::{Window, theme};
use crate::model::Library;
use crate::one_instance::Instance;
use crate::settings::Places;
use crate::worker::Machinery;
use eframe::egui;

/// Opens the window, and returns when it is closed.
pub fn open(
    places: Places,
    instance: &Instance,
    event_loop_builder: Option<eframe::EventLoopBuilderHook>,
) -> Result<(), String> {
    let viewport = egui::ViewportBuilder::default()
        .with_title("qwen3-desk")
        .with_app_id("qwen3-desk")
        .with_inner_size([1100.0, 740.0])
        .with_min_inner_size([640.0, 480.0]);
    let options = eframe::NativeOptions { viewport, event_loop_builder, ..Default::default() };
    let machinery = Machinery::new(places.index.clone(), Library::default());
    let create = move |creation: &eframe::CreationContext<'_>| {
        theme::add_letters(&creation.egui_ctx);
        let mut window = Window::new(&creation.egui_ctx, places, machinery);
        let ctx = creation.egui_ctx.clone();
        window.answers = Some(instance.answer(move || {
            ctx.send_viewport_cmd(egui::ViewportCommand::Minimized(false));
            ctx.send_viewport_cmd(egui::ViewportCommand::Focus);
            // A frame that was about to begin may have missed them.
            ctx.request_repaint();
        }));
        Ok(Box::new(window) as Box<dyn eframe::App>)
    };
    let run = eframe::run_native("qwen3-desk", options, Box::new(create));
    run.map_err(|error| {
        let reason = without_source(&error.to_string());
        format!("can't open a window: {reason}; the commands `index` and `search` need none")
    })
}

/// Without the place in the source that an error of the system is told with.
fn without_source(error: &str) -> String {
    let told = error.split_once("os error at ").and_then(|(_, told)| told.split_once(": "));
    told.map_or(error, |(_, told)| told).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_cannot_be_opened_is_told_in_plain_words() {
        let told = "winit EventLoopError: os error at /deep/mod.rs:761: no DISPLAY is set.";
        assert_eq!(without_source(told), "no DISPLAY is set");
        assert_eq!(without_source("no driver"), "no driver");
    }
}
