//! The threads together: what is found, and what happens when something goes wrong.

use super::*;
use crate::index::{Filter, Hit};
use crate::model::{self, Library, MINI, Model};
use crate::settings::Pace;
use crate::store::{Store, StoreError};
use qwen3_engine::{DeviceId, Error};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NOTES: [(&str, &str); 5] = [
    ("bread.md", "# Bread\n\nKnead the dough for ten minutes, then let the yeast rise overnight."),
    ("physics/gravity.txt", "Gravity pulls apples toward the ground and keeps the moon in orbit."),
    (
        "cats.html",
        "<h1>Cats</h1><p>A kitten sleeps most of the day and purrs when it is content.</p>",
    ),
    ("bills.csv", "date,item,amount\n2024-01-05,electricity bill,80\n"),
    ("main.rs", "/// Opens a network socket and listens for connections.\nfn listen() {}\n"),
];

pub fn notes() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in NOTES {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// What is real, with a cache of models that is empty.
pub fn machinery(index: &Path) -> Machinery {
    let cache_folder = Some(index.with_file_name("models"));
    Machinery::new(index.to_owned(), Library { endpoint: None, cache_folder })
}

pub fn choice(model: &str) -> Choice {
    Choice { model: model.to_owned(), device: "cpu".to_owned() }
}

fn begin(folders: &[&Path], model: &str) -> Start {
    Start {
        folders: folders.iter().map(|folder| folder.to_path_buf()).collect(),
        choice: choice(model),
        reranker: None,
        pace: Pace::Full,
        is_paused: false,
    }
}

fn start(data: &TempDir, begin: Start) -> Worker {
    Worker::start(machinery(&data.path().join("index.redb")), begin, || {})
}

pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        if let Some(found) = look() {
            return found;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("never: {what}");
}

/// Waits until everything can be found.
pub fn settle(worker: &Worker) -> Status {
    until("up to date", || {
        let status = worker.status();
        (status.activity == Activity::UpToDate).then_some(status)
    })
}

fn ask(worker: &Worker, number: u64, finding: Finding, filter: Filter) -> Found {
    worker.ask(Ask { number, finding, filter });
    until("an answer", || {
        let found = worker.events().into_iter().filter_map(|event| match event {
            Event::Found(found) if found.ask == number => Some(found),
            _ => None,
        });
        found.last()
    })
}

fn search(worker: &Worker, query: &str) -> Vec<Hit> {
    static NUMBER: AtomicUsize = AtomicUsize::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) as u64;
    let found = ask(worker, number, Finding::Query(query.to_owned()), Filter::default());
    assert_eq!(found.problem, None);
    found.hits
}

fn name(hit: &Hit) -> &str {
    hit.place.path.file_name().unwrap().to_str().unwrap()
}

fn first(worker: &Worker, query: &str) -> String {
    search(worker, query).first().map_or(String::new(), |hit| name(hit).to_owned())
}

#[test]
fn files_of_every_kind_are_found_by_meaning() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let worker = start(&data, begin(&[notes.path()], MINI));
    let status = settle(&worker);
    assert_eq!((status.files, status.passages, status.indexed, status.pending), (5, 5, 5, 0));
    assert_eq!(first(&worker, "how do I bake a loaf?"), "bread.md");
    assert_eq!(first(&worker, "why do things fall down?"), "gravity.txt");
    assert_eq!(first(&worker, "pets that sleep a lot"), "cats.html");
    assert_eq!(first(&worker, "what do I pay for power?"), "bills.csv");
    let hits = search(&worker, "how do I bake a loaf?");
    assert_eq!((hits[0].heading.as_str(), hits[0].place.line, hits[0].others), ("Bread", 1, 0));
    assert!(hits.windows(2).all(|pair| pair[0].similarity >= pair[1].similarity));

    let filter = Filter { folder: Some(notes.path().join("physics")), kind: None };
    let found = ask(&worker, 900, Finding::Query("bread".to_owned()), filter);
    assert_eq!(found.hits.iter().map(name).collect::<Vec<_>>(), ["gravity.txt"]);
    let filter = Filter { folder: None, kind: Some(crate::documents::Kind::Html) };
    let found = ask(&worker, 901, Finding::Query("bread".to_owned()), filter);
    assert_eq!(found.hits.iter().map(name).collect::<Vec<_>>(), ["cats.html"]);
    let like = ask(&worker, 902, Finding::Like(hits[0].passage), Filter::default());
    assert_eq!(like.hits.len(), 4, "all but itself");
    assert!(like.hits.iter().all(|hit| hit.passage != hits[0].passage));
}

#[test]
fn the_index_follows_the_files() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let worker = start(&data, begin(&[notes.path()], MINI));
    settle(&worker);
    let root = notes.path();
    fs::rename(root.join("bread.md"), root.join("physics/loaf.md")).unwrap();
    fs::remove_file(root.join("cats.html")).unwrap();
    fs::write(root.join("garden.txt"), "Roses want sun, and water in the morning.").unwrap();
    until("the watcher's news", || {
        (first(&worker, "watering flowers") == "garden.txt").then_some(())
    });
    let status = settle(&worker);
    assert_eq!((status.files, status.passages, status.indexed), (5, 5, 5));
    assert_eq!(first(&worker, "how do I bake a loaf?"), "loaf.md");
    assert_ne!(first(&worker, "pets that sleep a lot"), "cats.html");

    worker.command(Command::Folders(vec![]));
    until("an empty index", || (worker.status().files == 0).then_some(()));
    let status = settle(&worker);
    assert_eq!((status.passages, status.indexed), (0, 0));
}

fn fixture(name: &str) -> String {
    format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_old_index_answers_until_the_new_one_is_there() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let worker = start(&data, begin(&[notes.path()], MINI));
    settle(&worker);
    worker.command(Command::Pause(true));
    until("a pause", || (worker.status().activity == Activity::Paused).then_some(()));
    worker.command(Command::Use(choice(&fixture("tiny-embedding"))));
    until("the next model", || worker.status().next_model);
    assert_eq!((worker.status().model.as_str(), worker.status().indexed), (MINI, 5));
    assert_eq!(first(&worker, "how do I bake a loaf?"), "bread.md");
    // After another start too.
    drop(worker);
    let paused = Start { is_paused: true, ..begin(&[notes.path()], &fixture("tiny-embedding")) };
    let worker = start(&data, paused);
    until("a pause", || (worker.status().activity == Activity::Paused).then_some(()));
    assert_eq!(worker.status().model, MINI);
    assert_eq!(first(&worker, "how do I bake a loaf?"), "bread.md");
    worker.command(Command::Pause(false));
    until("the change", || worker.status().next_model.is_none().then_some(()));
    let status = settle(&worker);
    assert_eq!((status.model, status.indexed), (fixture("tiny-embedding"), 5));
    assert_eq!(search(&worker, "a loaf").len(), 5);
}

#[test]
fn a_reranker_changes_the_order_as_it_goes() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let reranker = Some(choice(&fixture("tiny-reranker-tied")));
    let worker = start(&data, Start { reranker, ..begin(&[notes.path()], MINI) });
    settle(&worker);
    worker.ask(Ask {
        number: 7,
        finding: Finding::Query("a loaf".to_owned()),
        filter: Filter::default(),
    });
    let mut steps = vec![];
    let found = until("the reranked answer", || {
        for event in worker.events() {
            let Event::Found(found) = event else { continue };
            steps.push(found.reranked);
            if found.reranked == Some(5) {
                return Some(found);
            }
        }
        None
    });
    assert_eq!(steps, [Some(0), Some(5)]);
    let relevance: Vec<f64> = found.hits.iter().map(|hit| hit.relevance.unwrap()).collect();
    assert!(relevance.is_sorted_by(|a, b| a >= b), "{relevance:?}");
}

mod changes;
mod faults;
