//! Devices that get lost, disks that fail, indexes and files that are broken.

use super::*;
use crate::documents::Splitter;
use crate::folders::Watcher;
use crate::store::tests::Disk;
use crate::worker::scan::Scan;

/// A machinery that counts texts, and whose device gets lost when told to.
fn counting(data: &TempDir, texts: Arc<AtomicUsize>, is_lost: Arc<AtomicBool>) -> Machinery {
    let load_model = move |choice: &Choice, hooks: &qwen3_engine::Hooks| {
        let (texts, is_lost) = (texts.clone(), is_lost.clone());
        let model = Library::default().load_model(choice, hooks)?;
        let encode = model.encode;
        let counted = move |role, of: &[String], cancel: &qwen3_engine::CancelToken| {
            if is_lost.swap(false, Ordering::Relaxed) {
                let message = "it was unplugged".to_owned();
                return Err(Error::DeviceLost { device: DeviceId::Cpu, message });
            }
            if role == model::Role::Passage {
                texts.fetch_add(of.len(), Ordering::Relaxed);
            }
            encode(role, of, cancel)
        };
        Ok(Model { encode: Box::new(counted), ..model })
    };
    Machinery { load_model: Box::new(load_model), ..machinery(&data.path().join("index.redb")) }
}

#[test]
fn only_what_is_new_is_computed() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let (texts, never) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let start = || {
        let machinery = counting(&data, texts.clone(), never.clone());
        Worker::start(machinery, begin(&[notes.path()], MINI), || {})
    };
    let worker = start();
    settle(&worker);
    assert_eq!(texts.load(Ordering::Relaxed), 5);
    drop(worker);
    fs::rename(notes.path().join("physics"), notes.path().join("science")).unwrap();
    fs::copy(notes.path().join("bread.md"), notes.path().join("copy.md")).unwrap();
    let worker = start();
    let status = settle(&worker);
    assert_eq!((status.files, status.passages), (6, 5));
    assert_eq!(texts.load(Ordering::Relaxed), 5);
    assert_eq!(search(&worker, "how do I bake a loaf?")[0].others, 1);
    let long = "A sentence about the sea and its waves. ".repeat(200);
    fs::write(notes.path().join("sea.txt"), &long).unwrap();
    worker.command(Command::Rescan);
    until("the new file", || (worker.status().files == 7).then_some(()));
    settle(&worker);
    let before = texts.load(Ordering::Relaxed);
    fs::write(notes.path().join("sea.txt"), long + "At its end there is a lighthouse.").unwrap();
    worker.command(Command::Rescan);
    until("the end of it", || {
        (search(&worker, "lighthouse")[0].text.contains("lighthouse")).then_some(())
    });
    settle(&worker);
    assert!(texts.load(Ordering::Relaxed) - before <= 2, "only its end is new");
}

#[test]
fn a_lost_device_is_survived() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let (texts, is_lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let machinery = counting(&data, texts, is_lost.clone());
    let worker = Worker::start(machinery, begin(&[notes.path()], MINI), || {});
    assert_eq!(settle(&worker).indexed, 5);
    is_lost.store(true, Ordering::Relaxed);
    let found = ask(&worker, 900, Finding::Query("a loaf".to_owned()), Filter::default());
    assert!(found.problem.unwrap().contains("was lost"));
    // The question is answered once the model is there again.
    until("an answer", || {
        let is_answer = |event| matches!(event, Event::Found(found) if found.problem.is_none());
        worker.events().into_iter().any(is_answer).then_some(())
    });
}

#[test]
fn a_named_device_that_is_gone_makes_room_for_another() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let choice = Choice { model: MINI.to_owned(), device: "vulkan:99".to_owned() };
    let worker = start(&data, Start { choice, ..begin(&[notes.path()], MINI) });
    until("the message", || {
        let is_told = |event| matches!(event, Event::Told(text) if text.contains("Another device"));
        worker.events().into_iter().any(is_told).then_some(())
    });
    assert_eq!(settle(&worker).indexed, 5);
    assert_eq!(first(&worker, "how do I bake a loaf?"), "bread.md");
}

#[test]
fn the_index_s_model_answers_for_one_that_can_t_be_loaded() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let worker = start(&data, begin(&[notes.path()], MINI));
    settle(&worker);
    drop(worker);
    let worker = start(&data, begin(&[notes.path()], "/no/such/model"));
    let bread = Finding::Query("how do I bake a loaf?".to_owned());
    let found = until("an answer", || {
        let found = ask(&worker, 900, bread.clone(), Filter::default());
        found.problem.is_none().then_some(found)
    });
    assert_eq!(name(&found.hits[0]), "bread.md");
    until("the problem", || match worker.status().activity {
        Activity::Waiting(problem) => problem.contains("/no/such/model").then_some(()),
        _ => None,
    });
    assert_eq!(worker.status().model, MINI);
}

#[test]
fn a_disk_that_fails_is_tried_again() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let path = data.path().join("index.redb");
    let fails = Arc::new(AtomicUsize::new(3));
    let machinery = Machinery {
        open_store: Box::new({
            let (fails, path) = (fails.clone(), path.clone());
            move || match fails.load(Ordering::Relaxed) {
                0 => Store::open(&path),
                left => {
                    fails.store(left - 1, Ordering::Relaxed);
                    Err(StoreError::Write { message: "no space".to_owned() })
                }
            }
        }),
        ..machinery(&path)
    };
    let worker = Worker::start(machinery, begin(&[notes.path()], MINI), || {});
    until("the problem", || match worker.status().activity {
        Activity::Waiting(problem) => problem.contains("disk is full").then_some(()),
        _ => None,
    });
    assert_eq!(settle(&worker).indexed, 5);
}

#[test]
fn broken_and_unreadable_files_are_told_and_the_rest_is_found() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    fs::write(notes.path().join("broken.pdf"), "%PDF-1.4 and then nothing").unwrap();
    fs::write(notes.path().join("image.txt"), b"\x89PNG\0\0\0\0").unwrap();
    let worker = start(&data, begin(&[notes.path(), Path::new("/no/such/folder")], MINI));
    let status = until("three problems", || {
        Some(worker.status()).filter(|status| status.problems.len() == 3)
    });
    let told = |name: &str| {
        let of = |(path, _): &&(PathBuf, String)| path.to_str().unwrap().ends_with(name);
        status.problems.iter().find(of).map(|(_, problem)| problem.as_str()).unwrap_or_default()
    };
    assert!(told("broken.pdf").starts_with("is a PDF that can't be read"));
    assert!(told("image.txt").starts_with("is no text"));
    assert!(told("/no/such/folder").starts_with("is not there"));
    assert_eq!(settle(&worker).indexed, 5);
}

#[test]
fn files_of_a_folder_that_is_away_are_kept() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let (here, away) = (notes.path().join("physics"), notes.path().join("away"));
    let worker = start(&data, begin(&[&here], MINI));
    assert_eq!(settle(&worker).files, 1);
    drop(worker);
    fs::rename(&here, &away).unwrap();
    let worker = start(&data, begin(&[&here], MINI));
    until("the problem", || (!worker.status().problems.is_empty()).then_some(()));
    assert_eq!(settle(&worker).files, 1);
    assert_eq!(first(&worker, "why do things fall down?"), "gravity.txt");
}

#[test]
fn files_of_a_folder_that_is_empty_are_kept_until_it_is_taken_out() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let (disk, away) = (notes.path().join("physics"), notes.path().join("away"));
    let worker = start(&data, begin(&[&disk], MINI));
    assert_eq!(settle(&worker).files, 1);
    // As the place of a disk that is unmounted.
    fs::rename(&disk, &away).unwrap();
    fs::create_dir(&disk).unwrap();
    worker.command(Command::Rescan);
    let problem = until("the problem", || worker.status().problems.pop());
    assert!(problem.1.starts_with("is empty"), "{problem:?}");
    assert_eq!(settle(&worker).files, 1);
    fs::remove_dir(&disk).unwrap();
    fs::rename(&away, &disk).unwrap();
    worker.command(Command::Rescan);
    until("no problem", || worker.status().problems.is_empty().then_some(()));
    assert_eq!(first(&worker, "why do things fall down?"), "gravity.txt");
    worker.command(Command::Folders(vec![]));
    until("an empty index", || (worker.status().files == 0).then_some(()));
}

#[test]
fn a_damaged_index_is_put_aside_and_built_anew() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let path = data.path().join("index.redb");
    let worker = start(&data, begin(&[notes.path()], MINI));
    settle(&worker);
    drop(worker);
    // All but the head, so that it is opened.
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].iter_mut().for_each(|byte| *byte ^= 0x5A);
    fs::write(&path, bytes).unwrap();
    let worker = start(&data, begin(&[notes.path()], MINI));
    until("the message", || {
        let is_told = |event| matches!(event, Event::Told(text) if text.contains("damaged"));
        worker.events().into_iter().any(is_told).then_some(())
    });
    assert_eq!(settle(&worker).indexed, 5);
    assert_eq!(first(&worker, "how do I bake a loaf?"), "bread.md");
    assert!(path.with_extension("damaged").exists());
}

#[test]
fn a_full_disk_is_searched_and_waited_for() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let path = data.path().join("index.redb");
    let is_full = Arc::new(AtomicBool::new(false));
    let machinery = Machinery {
        open_store: Box::new({
            let (is_full, path) = (is_full.clone(), path.clone());
            move || Disk::open(&path, &is_full)
        }),
        ..machinery(&path)
    };
    let worker = Worker::start(machinery, begin(&[notes.path()], MINI), || {});
    settle(&worker);
    is_full.store(true, Ordering::Relaxed);
    let lines: String = (0..20_000).map(|n| format!("Sentence {n} about the sea.\n")).collect();
    fs::write(notes.path().join("sea.txt"), lines).unwrap();
    worker.command(Command::Rescan);
    until("the problem", || match worker.status().activity {
        Activity::Waiting(problem) => problem.contains("disk is full").then_some(()),
        _ => None,
    });
    let bread = Finding::Query("how do I bake a loaf?".to_owned());
    until("an answer meanwhile", || {
        let found = ask(&worker, 901, bread.clone(), Filter::default());
        found.problem.is_none().then(|| assert_eq!(name(&found.hits[0]), "bread.md"))
    });
    // Its many passages are not computed here: the disk isn't to be waited for so long.
    fs::write(notes.path().join("sea.txt"), "The sea and its waves.").unwrap();
    is_full.store(false, Ordering::Relaxed);
    until("the new file", || (worker.status().files == 6).then_some(()));
    settle(&worker);
    assert_eq!(first(&worker, "the ocean"), "sea.txt");
}

#[test]
fn a_file_that_has_to_wait_is_read_after_the_command() {
    let (notes, data) = (notes(), tempfile::tempdir().unwrap());
    let (sender, _events) = channel();
    let shared = Shared::new(machinery(&data.path().join("index.redb")), sender, Box::new(|| {}));
    shared.set_store(Some((shared.machinery.open_store)().unwrap()));
    let (mut scan, splitter) = (Scan::default(), Splitter::new().unwrap());
    let mut watcher = Watcher::new();
    scan.restart(&[notes.path().to_owned()]);
    shared.call();
    for _ in 0..50 {
        assert!(!scan.step(&shared, &splitter, &mut watcher).unwrap().is_end);
    }
    shared.hear();
    until("the end", || scan.step(&shared, &splitter, &mut watcher).unwrap().is_end.then_some(()));
    assert_eq!(shared.status(|status| status.files), 5);
}

#[test]
fn reading_counts_as_work() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(notes.path().join("a.txt"), "A sentence about the sea. ".repeat(4000)).unwrap();
    let (sender, _events) = channel();
    let shared = Shared::new(machinery(&data.path().join("index.redb")), sender, Box::new(|| {}));
    shared.set_store(Some((shared.machinery.open_store)().unwrap()));
    let (mut scan, splitter) = (Scan::default(), Splitter::new().unwrap());
    scan.restart(&[notes.path().to_owned()]);
    let (mut watcher, mut reading) = (Watcher::new(), Duration::ZERO);
    let took = until("the end", || {
        let outcome = scan.step(&shared, &splitter, &mut watcher).unwrap();
        reading += outcome.reading;
        outcome.walked.map(|(_, took)| took)
    });
    assert!(reading > Duration::ZERO && took >= reading, "{took:?} {reading:?}");
}
