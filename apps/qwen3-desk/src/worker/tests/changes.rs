//! What changes while results are shown, and what is deleted while the program runs.

use super::*;
use crate::store::{Changes, FileRecord};
use std::io::Write;

/// Waits for the answer that is wanted to a question that was asked before.
fn shown(worker: &Worker, number: u64, is_wanted: impl Fn(&Found) -> bool) -> Found {
    until("the results", || {
        let found = worker.events().into_iter().filter_map(|event| match event {
            Event::Found(found) if found.ask == number => Some(found),
            _ => None,
        });
        found.filter(|found| is_wanted(found)).last()
    })
}

#[test]
fn results_follow_files_that_are_deleted_and_moved() {
    let reranker = choice(&fixture("tiny-reranker-tied"));
    for (number, reranker) in [(7, None), (8, Some(reranker))] {
        let (notes, data) = (notes(), tempfile::tempdir().unwrap());
        let worker = start(&data, Start { reranker, ..begin(&[notes.path()], MINI) });
        settle(&worker);
        let finding = Finding::Query("a loaf".to_owned());
        worker.ask(Ask { number, finding, filter: Filter::default() });
        let has = |found: &Found, file: &str| found.hits.iter().any(|hit| name(hit) == file);
        let is_whole = |found: &Found| found.reranked.is_none_or(|n| n == found.hits.len());
        shown(&worker, number, |found| has(found, "bread.md") && is_whole(found));
        fs::rename(notes.path().join("bread.md"), notes.path().join("loaf.md")).unwrap();
        let found = shown(&worker, number, |found| has(found, "loaf.md"));
        assert!(!has(&found, "bread.md"));
        fs::remove_file(notes.path().join("loaf.md")).unwrap();
        let found = shown(&worker, number, |found| !has(found, "loaf.md"));
        assert_eq!(found.hits.len(), 4);
    }
}

#[test]
fn without_a_folder_nothing_is_missing() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let worker = start(&data, begin(&[notes.path()], MINI));
    settle(&worker);
    worker.command(Command::Folders(vec![]));
    until("an empty index", || (worker.status().files_of.is_empty()).then_some(()));
    let status = settle(&worker);
    assert_eq!((status.files, status.problems), (0, vec![]));
}

#[test]
fn an_index_that_is_deleted_is_built_anew() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let worker = start(&data, begin(&[notes.path()], MINI));
    settle(&worker);
    fs::remove_dir_all(data.path()).unwrap();
    until("the message", || {
        let is_told = |event| matches!(event, Event::Told(text) if text.contains("was deleted"));
        worker.events().into_iter().any(is_told).then_some(())
    });
    assert_eq!(settle(&worker).indexed, 5);
    assert_eq!(first(&worker, "how do I bake a loaf?"), "bread.md");
    drop(worker);
    let paused = Start { is_paused: true, ..begin(&[notes.path()], MINI) };
    let worker = start(&data, paused);
    until("a pause", || (worker.status().activity == Activity::Paused).then_some(()));
    assert_eq!(worker.status().indexed, 5);
}

#[test]
fn a_folder_that_is_taken_out_is_searched_no_more() {
    let (others, notes, data) = (notes(), notes(), tempfile::tempdir().unwrap());
    fs::write(others.path().join("owl.md"), "An owl hunts mice by night.").unwrap();
    let worker = start(&data, begin(&[notes.path(), others.path()], MINI));
    assert_eq!(settle(&worker).files, 11);
    worker.command(Command::Pause(true));
    worker.command(Command::Folders(vec![notes.path().to_owned()]));
    until("its end", || (worker.status().indexed == 5).then_some(()));
    assert_ne!(first(&worker, "a bird in the dark"), "owl.md");
    until("a pause", || (worker.status().activity == Activity::Paused).then_some(()));
    assert_eq!(worker.status().files, 5);
}

/// As after a damage of the settings, while the list is put together again.
#[test]
fn a_folder_that_comes_to_an_empty_list_takes_nothing_out() {
    let (others, notes, data) = (notes(), notes(), tempfile::tempdir().unwrap());
    fs::write(others.path().join("owl.md"), "An owl hunts mice by night.").unwrap();
    let folders = [notes.path().to_owned(), others.path().to_owned()];
    let worker = start(&data, begin(&[notes.path(), others.path()], MINI));
    settle(&worker);
    drop(worker);
    let worker = start(&data, Start { is_paused: true, ..begin(&[], MINI) });
    for n in 1..=2 {
        worker.command(Command::Folders(folders[..n].to_vec()));
    }
    until("a pause", || (worker.status().activity == Activity::Paused).then_some(()));
    assert_eq!(first(&worker, "a bird in the dark"), "owl.md");
    assert_eq!(worker.status().files, 11);
}

#[test]
fn files_that_were_read_in_another_way_are_read_again() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let path = notes.path().join("bread.md");
    // A file of another text and the same size and time stands for another way to read it.
    let (bread, time) = (fs::read_to_string(&path).unwrap(), fs::metadata(&path).unwrap());
    let write = |text: &str| {
        let file = fs::File::create(&path).unwrap();
        (&file).write_all(text.as_bytes()).unwrap();
        file.set_modified(time.modified().unwrap()).unwrap();
    };
    let indexed = || {
        let worker = start(&data, begin(&[notes.path()], MINI));
        settle(&worker);
        search(&worker, "how do I bake a loaf?")[0].text.clone()
    };
    write(&bread);
    let before = indexed();
    write(&bread.replace("yeast", "dough"));
    assert_eq!(indexed(), before, "it seems unchanged");
    let store = Store::open(&data.path().join("index.redb")).unwrap();
    let older = |(path, record)| (path, Some(FileRecord { reading: 0, ..record }));
    let files = store.files().unwrap().into_iter().map(older).collect();
    store.apply(&Changes { files, ..Changes::default() }).unwrap();
    drop(store);
    assert_eq!(indexed(), before.replace("yeast", "dough"));
    write(&bread);
    assert_eq!(indexed(), before.replace("yeast", "dough"), "once is enough");
}
