//! The commands without a window: for scripts, and for a first look.

use crate::console::plain;
use crate::index::Hit;
use crate::model::{Choice, Library};
use crate::settings::{Pace, Places, Settings};
use crate::words::{count, counted};
use crate::worker::{
    Activity, Ask, Event, Finding, Found, Machinery, SHOWN, Start, Status, Worker,
};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(50);
const TELL: Duration = Duration::from_secs(5);
const EMPTY: &str = "there is nothing to search: `qwen3-desk index FOLDER` adds a folder, and \
    `qwen3-desk index` reads those that were added before";

const NO_FOLDER: &str = "there is no folder yet; name one: `qwen3-desk index FOLDER`";

/// Adds folders and waits until everything can be found.
pub fn index(places: &Places, folders: Vec<PathBuf>) -> Result<(), String> {
    let mut settings = Settings::read(&places.settings).map_err(|error| error.to_string())?;
    folders.iter().try_for_each(|folder| add(&mut settings, folder))?;
    if settings.folders.is_empty() {
        return Err(NO_FOLDER.to_owned());
    }
    settings.write(&places.settings).map_err(|error| error.to_string())?;
    let worker = start(places, &Settings { is_paused: false, ..settings });
    let begin = Instant::now();
    let mut told = begin;
    loop {
        for event in worker.events() {
            if let Event::Told(text) = event {
                eprintln!("{}", plain(&text));
            }
        }
        let status = worker.status();
        match &status.activity {
            Activity::UpToDate => {
                eprintln!("{}, {:.1} s", summary(&status), begin.elapsed().as_secs_f32());
                for (path, problem) in &status.problems {
                    eprintln!("{}", plain(&format!("`{}` {problem}", path.display())));
                }
                return Ok(());
            }
            Activity::Waiting(problem) => return Err(problem.clone()),
            _ if told.elapsed() > TELL => {
                told = Instant::now();
                eprintln!("{}, {} to do", summary(&status), status.pending);
            }
            _ => {}
        }
        sleep(LOOK);
    }
}

fn add(settings: &mut Settings, folder: &Path) -> Result<(), String> {
    let whole = dunce::canonicalize(folder);
    let whole = whole.map_err(|error| format!("`{}`: {error}", folder.display()))?;
    if whole.is_file() {
        return Err(format!("`{}` is a file; name the folder that it is in", folder.display()));
    }
    // The same one as before is read again.
    if !settings.add_folder(whole.clone()) && !settings.folders.contains(&whole) {
        eprintln!("{}", plain(&settings.why_not_added(&whole)));
    }
    Ok(())
}

fn summary(status: &Status) -> String {
    let (files, passages) = (counted(status.files, "file"), counted(status.passages, "passage"));
    format!("{files}, {} of {passages}", count(status.indexed))
}

/// Prints the passages nearest to a query, best first.
pub fn search(places: &Places, query: String, count: usize) -> Result<(), String> {
    if query.trim().is_empty() {
        return Err("the query is empty; say what to look for".to_owned());
    }
    if count == 0 {
        return Err("`--count` is 0, which prints nothing; ask for 1 or more".to_owned());
    }
    if count > SHOWN {
        return Err(format!("`--count` is {count}, but a search finds {SHOWN} passages at most"));
    }
    let settings = Settings::read(&places.settings).map_err(|error| error.to_string())?;
    // Nothing is indexed meanwhile: paused, the thread only loads the model.
    let chosen = settings.model.clone();
    let worker = start(places, &Settings { is_paused: true, ..settings });
    worker.ask(Ask { number: 1, finding: Finding::Query(query), filter: Default::default() });
    let mut told = vec![];
    let found = wait_for_answer(&worker, &mut told);
    let hits = found.and_then(|found| match (found.hits.is_empty(), found.problem) {
        (true, problem) => Err(problem.unwrap_or(EMPTY.to_owned())),
        (false, problem) => {
            told.extend(problem);
            Ok(found.hits)
        }
    });
    told.extend(other_model(&worker.status(), &chosen));
    told.iter().for_each(|text| eprintln!("{}", plain(text)));
    let hits = hits?;
    // A reader that has seen enough closes the pipe.
    let _ = print(&hits[..count.min(hits.len())]);
    Ok(())
}

/// Says which model has answered, if it isn't the chosen one.
fn other_model(status: &Status, chosen: &str) -> Option<String> {
    let other = Some(&status.model).filter(|model| !model.is_empty() && *model != chosen)?;
    let why = status.model_problem.clone();
    let why = why.unwrap_or_else(|| format!("the index of `{chosen}` is not there yet"));
    Some(format!("{why}; the older index, of `{other}`, has answered"))
}

/// The last answer, reranked if it can be. What came before the model was there says so.
fn wait_for_answer(worker: &Worker, told: &mut Vec<String>) -> Result<Found, String> {
    loop {
        let answers = worker.events().into_iter().filter_map(|event| match event {
            Event::Found(found) => Some(found),
            Event::Told(text) => {
                told.push(text);
                None
            }
            _ => None,
        });
        let is_last = |found: &Found| {
            let reranked = found.reranked.is_none_or(|reranked| reranked == found.hits.len());
            !found.is_waiting && reranked
        };
        if let Some(found) = answers.last().filter(is_last) {
            return Ok(found);
        }
        let status = worker.status();
        match status.activity {
            // The model of the index answers in its place.
            Activity::Waiting(problem)
                if status.model_problem.as_ref() == Some(&problem) && !status.model.is_empty() => {}
            Activity::Waiting(problem) => return Err(problem),
            _ => {}
        }
        sleep(LOOK);
    }
}

fn print(hits: &[Hit]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for hit in hits {
        let text: Vec<&str> = hit.text.split_whitespace().collect();
        let (path, line) = (plain(&hit.place.path.to_string_lossy()), hit.place.line);
        writeln!(out, "{}  {path}:{line}\n    {}", hit.score(3), plain(&text.join(" ")))?;
    }
    Ok(())
}

fn start(places: &Places, settings: &Settings) -> Worker {
    let choice = |model: &String| Choice { model: model.clone(), device: settings.device.clone() };
    let start = Start {
        folders: settings.folders.clone(),
        choice: choice(&settings.model),
        reranker: settings.reranker.as_ref().map(choice),
        // Somebody waits for it.
        pace: Pace::Full,
        is_paused: settings.is_paused,
    };
    Worker::start(Machinery::new(places.index.clone(), Library::default()), start, || {})
}
