//! The window. It shows what the threads tell, sends them what people do, and waits for nothing.

#[cfg(target_os = "linux")]
mod display;
mod field;
mod folders;
mod highlight;
mod hit;
mod keys;
mod map;
mod models;
mod opening;
mod preferences;
mod search;
mod sidebar;
mod theme;
mod typed;
mod welcome;
mod widgets;

use crate::model::Choice;
use crate::one_instance::Answers;
use crate::settings::{Appearance, Places, Settings};
use crate::worker::{Command, Event, Machinery, Start, Status, Worker};
#[cfg(target_os = "linux")]
pub use display::Screens;
use eframe::egui;
pub use opening::open;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

/// How long a notice stays, and how long one of a problem that asks for something.
const NOTICE: Duration = Duration::from_secs(6);
const LONG_NOTICE: Duration = Duration::from_secs(60);
/// Nobody closes a window for a folder so soon: there was none.
const TOO_SOON: Duration = Duration::from_millis(300);

/// What is shown in the middle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Search,
    Map,
    Folders,
    Models,
    Settings,
}

impl View {
    pub const ALL: [Self; 5] =
        [Self::Search, Self::Map, Self::Folders, Self::Models, Self::Settings];

    pub fn label(self) -> &'static str {
        match self {
            Self::Search => "Search",
            Self::Map => "Map",
            Self::Folders => "Folders",
            Self::Models => "Models",
            Self::Settings => "Settings",
        }
    }
}

type OpenFile = dyn Fn(&Path) -> io::Result<()>;

/// The program, as eframe runs it.
pub struct Window {
    /// `None` in tests, which have no other process. It stops before the threads do: a program
    /// that is about to end doesn't answer.
    answers: Option<Answers>,
    worker: Worker,
    settings: Settings,
    places: Places,
    /// What the threads said at the beginning of this frame.
    status: Status,
    view: View,
    search: search::Search,
    map: map::Map,
    models: models::Models,
    /// With the time until which it is shown.
    notice: Option<(String, Instant)>,
    /// The answer of the system's window for a folder, and when it was asked for.
    picked: Option<(Receiver<Option<PathBuf>>, Instant)>,
    /// A folder as it is typed: not every system has such a window.
    typed_folder: String,
    /// When a folder was taken out of the list.
    removed: Option<Instant>,
    open_file: Box<OpenFile>,
}

impl Window {
    /// The window's state, with its threads running.
    pub fn new(ctx: &egui::Context, places: Places, machinery: Machinery) -> Self {
        let read = Settings::read(&places.settings);
        let problem = read.as_ref().err().map(|error| {
            let text =
                format!("Indexing is paused, as {error}. Add your folders again, then resume.");
            (text, Instant::now() + LONG_NOTICE)
        });
        // Without its folders the index would be emptied.
        let settings = read.unwrap_or_else(|_| Settings { is_paused: true, ..Settings::default() });
        theme::set(ctx);
        ctx.set_theme(preference(settings.appearance));
        let choice =
            |model: &String| Choice { model: model.clone(), device: settings.device.clone() };
        let start = Start {
            folders: settings.folders.clone(),
            choice: choice(&settings.model),
            reranker: settings.reranker.as_ref().map(choice),
            pace: settings.pace,
            is_paused: settings.is_paused,
        };
        let repaint = ctx.clone();
        let worker = Worker::start(machinery, start, move || repaint.request_repaint());
        worker.look_for_models();
        Self {
            answers: None,
            worker,
            settings,
            places,
            status: Status::default(),
            view: View::default(),
            search: search::Search::default(),
            map: map::Map::default(),
            models: models::Models::default(),
            notice: problem,
            picked: None,
            typed_folder: String::new(),
            removed: None,
            open_file: Box::new(|path| open::that_detached(path)),
        }
    }

    /// Everything that is seen.
    pub fn show(&mut self, ui: &mut egui::Ui) {
        self.search.is_typing = keys::are_used(ui.ctx(), self.search.is_typing);
        keys::global(self, ui.ctx());
        sidebar::show(self, ui);
        self.show_notice(ui);
        let frame = egui::Frame::new().fill(ui.visuals().panel_fill).inner_margin(egui::Margin {
            left: 18,
            right: 14,
            top: 8,
            bottom: 8,
        });
        egui::CentralPanel::default().frame(frame).show(ui, |ui| match self.view {
            View::Search => search::show(self, ui),
            View::Map => map::show(self, ui),
            View::Folders => folders::show(self, ui),
            View::Models => models::show(self, ui),
            View::Settings => preferences::show(self, ui),
        });
    }

    /// Takes what came since the last frame.
    fn receive(&mut self, ctx: &egui::Context) {
        self.status = self.worker.status();
        for event in self.worker.events() {
            match event {
                Event::Found(found) => self.search.take(found),
                Event::Map(points) => self.map.take(points),
                Event::Passage(passage, text) => self.map.take_text(passage, text),
                Event::Told(text) => self.tell(text),
                Event::Devices(devices) => self.models.devices = devices,
                Event::Checked(model, checked) => models::take_check(self, model, checked),
                Event::Models(here) => self.models.here = here,
                Event::Downloaded(model) => {
                    self.worker.look_for_models();
                    self.tell(format!("{} is here.", crate::model::title(&model)));
                }
            }
        }
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        for folder in dropped.into_iter().filter_map(|file| file.path) {
            self.add_folder(folder);
        }
        self.take_folder();
    }

    /// Takes the answer of the system's window for a folder.
    fn take_folder(&mut self) {
        let Some((picked, since)) = &self.picked else { return };
        let was_soon = since.elapsed() < TOO_SOON;
        match picked.try_recv() {
            Err(TryRecvError::Empty) => return,
            Ok(Some(folder)) => drop(self.add_folder(folder)),
            _ if was_soon => {
                self.tell("The system has no window for folders. Type the path of one.".to_owned());
            }
            _ => {}
        }
        self.picked = None;
    }

    fn tell(&mut self, text: String) {
        self.notice = Some((text, Instant::now() + NOTICE));
    }

    fn show_notice(&mut self, ui: &mut egui::Ui) {
        self.notice = self.notice.take().filter(|(_, until)| Instant::now() < *until);
        let Some((text, until)) = &self.notice else { return };
        ui.ctx().request_repaint_after(until.saturating_duration_since(Instant::now()));
        egui::Panel::bottom("notice").show(ui, |ui| {
            ui.add_space(4.0);
            ui.label(text.as_str());
            ui.add_space(4.0);
        });
    }

    /// Asks for a folder in the system's own window.
    fn pick_folder(&mut self, ctx: &egui::Context) {
        let (sender, picked) = channel();
        self.picked = Some((picked, Instant::now()));
        // It is made here, as macOS wants, and waited for on a thread.
        let dialog = rfd::AsyncFileDialog::new().set_title("A folder to search").pick_folder();
        let ctx = ctx.clone();
        std::thread::spawn(move || {
            let folder = pollster::block_on(dialog).map(|folder| folder.path().to_owned());
            // Nobody waits if the window was closed.
            let _ = sender.send(folder);
            ctx.request_repaint();
        });
    }

    /// Adds a folder; whether there is such a folder.
    fn add_folder(&mut self, path: PathBuf) -> bool {
        let folder = dunce::canonicalize(&path).unwrap_or(path);
        let is_folder = folder.is_dir();
        if folder.is_file() {
            self.tell(format!("{} is a file. Add the folder that it is in.", folder.display()));
        } else if !is_folder {
            self.tell(format!("There is no folder {}.", folder.display()));
        } else if self.settings.add_folder(folder.clone()) {
            self.folders_changed();
        } else {
            self.tell(self.settings.why_not_added(&folder));
        }
        is_folder
    }

    /// What went wrong before has been put right. What asks for something stays.
    fn has_succeeded(&mut self) {
        let soon = Instant::now() + NOTICE;
        self.notice.take_if(|(_, until)| *until <= soon);
    }

    fn folders_changed(&mut self) {
        self.has_succeeded();
        search::leave_gone(self);
        self.worker.command(Command::Folders(self.settings.folders.clone()));
        self.keep_settings();
    }

    fn keep_settings(&mut self) {
        if let Err(error) = self.settings.write(&self.places.settings) {
            self.tell(format!("The settings can't be kept: {error}"));
        }
    }

    fn choice(&self, model: &str) -> Choice {
        Choice { model: model.to_owned(), device: self.settings.device.clone() }
    }

    /// Opens a file with the system's program for it.
    fn open(&mut self, path: &Path) {
        if !path.exists() {
            self.tell(format!("{} is not there any more.", path.display()));
        } else if (self.open_file)(path).is_err() {
            // What the system's launcher says of it is about itself.
            self.tell(format!("No program opened {}.", path.display()));
        } else {
            self.has_succeeded();
        }
    }
}

fn preference(appearance: Appearance) -> egui::ThemePreference {
    match appearance {
        Appearance::System => egui::ThemePreference::System,
        Appearance::Light => egui::ThemePreference::Light,
        Appearance::Dark => egui::ThemePreference::Dark,
    }
}

impl eframe::App for Window {
    // Called for a minimised window too.
    fn logic(&mut self, ctx: &egui::Context, _: &mut eframe::Frame) {
        self.receive(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.show(ui);
    }
}

#[cfg(test)]
mod tests;
