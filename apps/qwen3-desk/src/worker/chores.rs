//! Work that is asked for now and then: downloads, checks of devices, the map; and a look at
//! what the process takes.

use super::event::{DeviceLine, Download, Event};
use super::shared::Shared;
use crate::documents::Passage;
use crate::index::map;
use crate::model::{EMBEDDERS, RERANKERS};
use qwen3_engine::{CancelToken, Device, Error, Hooks, Progress, SelfCheck, devices, self_check};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Between two looks at memory and processor.
const MEASURE: Duration = Duration::from_secs(2);
const NAP: Duration = Duration::from_millis(100);
/// Of a passage, beside the mouse.
const HOVER_WORDS: usize = 45;

/// Downloads that go on, by their models.
#[derive(Default)]
pub struct Downloads(Mutex<HashMap<String, CancelToken>>);

impl Downloads {
    /// `None` if it goes on already. One that was cancelled may still be ending.
    fn begin(&self, model: &str) -> Option<CancelToken> {
        let mut downloads = self.0.lock().expect("nobody panics with the downloads");
        if downloads.get(model).is_some_and(|cancel| !cancel.is_cancelled()) {
            return None;
        }
        let cancel = CancelToken::default();
        downloads.insert(model.to_owned(), cancel.clone());
        Some(cancel)
    }

    /// Whether there isn't another one of the model by now.
    fn end(&self, model: &str, cancel: &CancelToken) -> bool {
        let mut downloads = self.0.lock().expect("nobody panics with the downloads");
        let is_newer = |newer: &CancelToken| cancel.is_cancelled() && !newer.is_cancelled();
        let is_last = !downloads.get(model).is_some_and(is_newer);
        if is_last {
            downloads.remove(model);
        }
        is_last
    }

    fn cancel(&self, model: &str) {
        if let Some(cancel) = self.0.lock().expect("nobody panics with the downloads").get(model) {
            cancel.cancel();
        }
    }

    pub fn cancel_all(&self) {
        let downloads = self.0.lock().expect("nobody panics with the downloads");
        downloads.values().for_each(CancelToken::cancel);
    }
}

/// Downloads a model, or goes on with a download.
pub fn download(shared: &Arc<Shared>, model: &str) {
    let Some(cancel) = shared.downloads.begin(model) else { return };
    let (shared, model) = (shared.clone(), model.to_owned());
    progress(&shared, &model, |_| {});
    spawn(move || {
        let hooks = Hooks::default().cancel(cancel.clone());
        let hooks = hooks.on_progress(tell_progress(&shared, &model, &cancel));
        let downloaded = (shared.machinery.download)(&model, &hooks);
        if !shared.downloads.end(&model, &cancel) {
            return;
        }
        match downloaded {
            Ok(()) => {
                forget(&shared, &model);
                shared.tell(Event::Downloaded(model));
            }
            Err(Error::Cancelled) => forget(&shared, &model),
            Err(error) => {
                progress(&shared, &model, |download| download.problem = Some(error.to_string()));
            }
        }
        shared.wake();
    });
}

/// Adds the files up.
fn tell_progress(
    shared: &Arc<Shared>,
    model: &str,
    cancel: &CancelToken,
) -> impl Fn(Progress) + Send + Sync + 'static {
    let (shared, model, cancel) = (shared.clone(), model.to_owned(), cancel.clone());
    let files = Mutex::new(HashMap::new());
    move |told| {
        let Progress::Download { file, bytes, total_bytes } = told else { return };
        if cancel.is_cancelled() {
            return;
        }
        let mut files = files.lock().expect("nobody panics with the counts");
        files.insert(file, (bytes, total_bytes));
        let (bytes, total) = files.values().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        progress(&shared, &model, |download| {
            (download.bytes, download.total_bytes) = (bytes, total);
        });
    }
}

pub fn cancel_download(shared: &Shared, model: &str) {
    shared.downloads.cancel(model);
    forget(shared, model);
}

fn progress(shared: &Shared, model: &str, change: impl FnOnce(&mut Download)) {
    shared.status(|status| {
        let at = status.downloads.iter().position(|download| download.model == model);
        let at = at.unwrap_or_else(|| {
            let model = model.to_owned();
            status.downloads.push(Download { model, bytes: 0, total_bytes: 0, problem: None });
            status.downloads.len() - 1
        });
        status.downloads[at].problem = None;
        change(&mut status.downloads[at]);
    });
    shared.wake();
}

fn forget(shared: &Shared, model: &str) {
    shared.status(|status| status.downloads.retain(|download| download.model != model));
}

/// Draws the map of what can be found now.
pub fn draw_map(shared: &Arc<Shared>) {
    let shared = shared.clone();
    spawn(move || {
        let points = map(&shared.index.read().expect("nobody panics with the index"));
        shared.tell(Event::Map(points));
    });
}

/// Looks which of the published models can be loaded without a download.
pub fn look_for_models(shared: &Arc<Shared>) {
    let shared = shared.clone();
    spawn(move || {
        let all = EMBEDDERS.iter().chain(&RERANKERS).map(|model| model.name);
        let here = all.filter(|name| (shared.machinery.has_model)(name)).map(str::to_owned);
        shared.tell(Event::Models(here.collect()));
    });
}

/// Looks whether the model in a folder or file can search.
pub fn check_model(shared: &Arc<Shared>, model: &str) {
    let (shared, model) = (shared.clone(), model.to_owned());
    spawn(move || {
        let checked = (shared.machinery.check_model)(&model).map_err(|error| error.to_string());
        shared.tell(Event::Checked(model, checked));
    });
}

/// Reads the beginning of a passage.
pub fn read_passage(shared: &Arc<Shared>, passage: u128) {
    let shared = shared.clone();
    spawn(move || {
        let texts = shared.store().and_then(|store| store.texts(&[passage]).ok());
        if let Some((heading, text)) = texts.and_then(|mut texts| texts.pop()?) {
            let words = Passage::embedded(&heading, &text);
            let words: Vec<&str> = words.split_whitespace().take(HOVER_WORDS).collect();
            shared.tell(Event::Passage(passage, words.join(" ")));
        }
    });
}

/// Lists the devices, then checks one after the other as `qwen3 doctor` does.
pub fn check_devices(shared: &Arc<Shared>) {
    let shared = shared.clone();
    spawn(move || {
        let here = devices();
        let mut lines: Vec<DeviceLine> = here.found.iter().map(line).collect();
        lines.extend(here.absent.iter().map(|absent| DeviceLine {
            id: String::new(),
            name: absent.name.to_owned(),
            detail: absent.reason.clone(),
            verdict: Some(Err("not here".to_owned())),
        }));
        shared.tell(Event::Devices(lines.clone()));
        for (at, device) in here.found.iter().enumerate() {
            if shared.ends() {
                return;
            }
            lines[at].verdict = Some(verdict(device));
            shared.tell(Event::Devices(lines.clone()));
        }
    });
}

fn line(device: &Device) -> DeviceLine {
    let memory = device.memory_bytes.map(|bytes| format!("{:.0} GB", bytes as f64 / 1e9));
    let parts = [Some(device.kind.to_string()), device.driver.clone(), memory];
    DeviceLine {
        id: device.id.to_string(),
        name: device.name.clone(),
        detail: parts.into_iter().flatten().collect::<Vec<_>>().join(", "),
        verdict: None,
    }
}

/// What a device computes right, or why nothing.
fn verdict(device: &Device) -> Result<String, String> {
    let checks = self_check(device.id).map_err(|error| error.to_string())?;
    let right = |check: &&SelfCheck| check.verdict().is_ok();
    let dtypes: Vec<String> =
        checks.iter().filter(right).map(|check| check.dtype.to_string()).collect();
    match checks.iter().find_map(|check| check.verdict().err()) {
        Some(reason) if dtypes.is_empty() => Err(reason),
        _ => Ok(format!("computes right in {}", dtypes.join(", "))),
    }
}

/// Keeps an eye on memory and processor until the program ends.
pub fn measure(shared: &Shared) {
    let mut system = System::new();
    let process = Pid::from_u32(std::process::id());
    while !shared.ends() {
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[process]), false, what);
        let index_bytes = std::fs::metadata(&shared.machinery.index_file);
        shared.status(|status| {
            if let Some(process) = system.process(process) {
                status.memory_bytes = process.memory();
                status.processor_percent = process.cpu_usage();
            }
            status.index_bytes = index_bytes.map_or(0, |metadata| metadata.len());
        });
        shared.wake();
        for _ in 0..MEASURE.as_millis() / NAP.as_millis() {
            if !shared.ends() {
                sleep(NAP);
            }
        }
    }
}
