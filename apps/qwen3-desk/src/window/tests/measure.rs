//! Figures for the guide. `QWEN3_DESK_MEASURE=100000` measures with so many passages.

use super::*;
use crate::documents::passage_key;
use crate::index::{Filter, Index, map, nearest};
use crate::store::{Changes, FileRecord, Store};
use std::sync::RwLock;

const PER_FILE: usize = 20;
const TEXT: &str = "Some words of a passage that is about as long as passages are. ";

fn asked_for() -> Option<usize> {
    let asked = std::env::var("QWEN3_DESK_MEASURE").ok().and_then(|asked| asked.parse().ok());
    if asked.is_none() {
        println!("QWEN3_DESK_MEASURE names no number of passages");
    }
    asked
}

/// Numbers that only look random, of length 1.
fn vector(seed: u64, width: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let vector: Vec<f32> = (0..width).map(|_| next()).collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.into_iter().map(|x| x / length).collect()
}

/// A store as it is after indexing.
fn filled(path: &Path, model: &str, (passages, width): (usize, usize)) -> Store {
    let store = Store::open(path).unwrap();
    let model = store.model(model).unwrap();
    store.answer_with(model).unwrap();
    for first in (0..passages).step_by(1000) {
        let mut changes = Changes::default();
        let mut vectors = vec![];
        for file in (first..(first + 1000).min(passages)).step_by(PER_FILE) {
            let mut keys = vec![];
            for n in file..(file + PER_FILE).min(passages) {
                let text = format!("{} {n}", TEXT.repeat(12));
                let key = passage_key(&text);
                keys.push((key, n as u32));
                changes.texts.push((key, Some((String::new(), text))));
                vectors.push((key, vector(n as u64 + 1, width)));
            }
            let record = FileRecord { bytes: 1, content: file as u128, ..FileRecord::default() };
            changes.files.push((format!("/notes/{}/{file}.txt", file % 50), Some(record)));
            changes.contents.push((file as u128, Some(keys)));
        }
        store.apply(&changes).unwrap();
        store.put_vectors(model, &vectors).unwrap();
    }
    store
}

fn resident() -> u64 {
    let mut system = sysinfo::System::new();
    let process = sysinfo::Pid::from_u32(std::process::id());
    system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[process]), false);
    system.process(process).map_or(0, sysinfo::Process::memory)
}

/// The median and the slowest of several.
fn times(count: usize, mut run: impl FnMut(usize)) -> (Duration, Duration) {
    let mut times: Vec<Duration> = (0..count)
        .map(|at| {
            let start = Instant::now();
            run(at);
            start.elapsed()
        })
        .collect();
    times.sort();
    (times[count / 2], times[count - 1])
}

#[test]
fn search_among_many() {
    let Some(passages) = asked_for() else { return };
    for width in [256, 1024] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        drop(filled(&path, "random", (passages, width)));
        let before = resident();
        let start = Instant::now();
        let store = Store::open(&path).unwrap();
        let index = RwLock::new(Index::read(&store).unwrap());
        let opened = start.elapsed();
        let memory = resident().saturating_sub(before);
        let size = std::fs::metadata(&path).unwrap().len();
        println!("{passages} passages of {width} dimensions: {} MB on the disk", size / 1_000_000);
        println!("  opened in {opened:?}, {} MB of memory", memory / 1_000_000);
        let all = Filter::default();
        let some = Filter { folder: Some("/notes/20".into()), kind: None };
        for (what, filter) in [("all", &all), ("a folder with a fifth", &some)] {
            let (median, slowest) = times(50, |at| {
                let query = vector(at as u64 * 7 + 3, width);
                assert_eq!(
                    nearest(&index, &store, (query.as_slice(), filter), 50).unwrap().len(),
                    50
                );
            });
            println!("  search in {what}: {median:?}, slowest {slowest:?}");
        }
        let rough = times(50, |at| {
            index.read().unwrap().vectors.nearest(&vector(at as u64 + 9, width), None, 200);
        });
        println!("  of it in memory: {:?}, slowest {:?}", rough.0, rough.1);
        let start = Instant::now();
        assert_eq!(map(&index.read().unwrap()).len(), passages);
        println!("  map in {:?}", start.elapsed());
    }
}

/// Fills the folder of `QWEN3_DESK_FILL`, for a look at the whole program: `--data` opens it.
#[test]
fn an_index_for_the_program() {
    let Some(folder) = std::env::var_os("QWEN3_DESK_FILL").map(PathBuf::from) else { return };
    let Some(passages) = asked_for() else { return };
    let places = Places::within(&folder);
    // The folder isn't there, so nothing of it is forgotten.
    let folders = vec!["/notes".into()];
    let settings = Settings { folders, device: "cpu".to_owned(), ..Settings::default() };
    settings.write(&places.settings).unwrap();
    let choice = Choice { model: settings.model, device: settings.device };
    let model = Library::default().load_model(&choice, &Default::default()).unwrap();
    filled(&places.index, &model.description, (passages, 256));
}

#[test]
fn the_window_while_it_indexes() {
    let Some(passages) = asked_for() else { return };
    let notes = tempfile::tempdir().unwrap();
    // A number in each line, so that no two passages are the same.
    let words: Vec<&str> = super::screenshots::WORDS.split_whitespace().collect();
    for file in 0..passages / PER_FILE / 20 {
        let line = |n: usize| {
            let word = |at: usize| words[(file * 31 + n * 17 + at * at) % words.len()];
            format!("{file}.{n}: {}.\n", (0..12).map(word).collect::<Vec<_>>().join(" "))
        };
        let text: String = (0..PER_FILE * 12).map(line).collect();
        std::fs::write(notes.path().join(format!("{file}.txt")), text).unwrap();
    }
    let mut setup = Setup::default();
    setup.settings.pace = crate::settings::Pace::Full;
    setup.settings.add_folder(notes.path().to_owned());
    let start = Instant::now();
    let mut program = Program::start(setup);
    program.wait("a passage", |program| program.window().status.indexed > 0);
    println!("first passages can be found after {:?}", start.elapsed());
    program.type_query("water");
    let mut frames = vec![];
    while program.window().status.activity != Activity::UpToDate {
        let start = Instant::now();
        program.harness.step();
        frames.push(start.elapsed());
        sleep(Duration::from_millis(8));
    }
    frames.sort();
    let status = program.window().status.clone();
    println!(
        "{} passages in {:?}, {:.0} a second while computing; {} frames, median {:?}, 99 % below {:?}, slowest {:?}",
        status.indexed,
        start.elapsed(),
        status.passages_per_second,
        frames.len(),
        frames[frames.len() / 2],
        frames[frames.len() * 99 / 100],
        frames[frames.len() - 1]
    );
}

#[test]
fn the_map_of_many() {
    let Some(passages) = asked_for() else { return };
    let data = tempfile::tempdir().unwrap();
    let places = Places::within(data.path());
    drop(filled(&places.index, "random", (passages, 256)));
    let store = Store::open(&places.index).unwrap();
    let points = map(&Index::read(&store).unwrap());
    let mut setup = Setup::default();
    setup.settings.add_folder("/notes".into());
    let mut program = Program::start(setup);
    program.window().view = View::Map;
    program.window().map.take(points);
    program.window().map.keep();
    let (median, slowest) = times(30, |_| program.harness.step());
    println!("a frame of a map of {passages}: {median:?}, the first {slowest:?}");
}
