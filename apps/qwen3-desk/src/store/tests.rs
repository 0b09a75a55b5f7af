//! The database, and what it does when the disk doesn't.

use super::*;
use redb::StorageBackend;
use redb::backends::{FileBackend, InMemoryBackend};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn some_changes() -> Changes {
    let record =
        FileRecord { bytes: 3, modified: 7, reading: 5, content: 11, problem: String::new() };
    let problem = FileRecord { problem: "is broken".to_owned(), ..FileRecord::default() };
    Changes {
        files: vec![("/a".to_owned(), Some(record)), ("/b".to_owned(), Some(problem))],
        contents: vec![(11, Some(vec![(first(), 1), (second(), 9)]))],
        texts: vec![
            (first(), Some(("Heading".to_owned(), "first".to_owned()))),
            (second(), Some((String::new(), "second".to_owned()))),
        ],
    }
}

fn first() -> u128 {
    passage_key(&Passage::embedded("Heading", "first"))
}

fn second() -> u128 {
    passage_key(&Passage::embedded("", "second"))
}

#[test]
fn what_was_written_is_read_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/index.redb");
    let store = Store::open(&path).unwrap();
    store.apply(&some_changes()).unwrap();
    let model = store.model("mini").unwrap();
    store.put_vectors(model, &[(first(), vec![0.5, -1.0])]).unwrap();
    drop(store);

    let store = Store::open(&path).unwrap();
    assert_eq!(store.files().unwrap().len(), 2);
    assert_eq!(store.files().unwrap()[1].1.problem, "is broken");
    assert_eq!(store.contents().unwrap(), [(11, vec![(first(), 1), (second(), 9)])]);
    let texts = store.texts(&[second(), 5, first()]).unwrap();
    assert_eq!(texts[2], Some(("Heading".to_owned(), "first".to_owned())));
    assert_eq!((&texts[0].as_ref().unwrap().1[..], &texts[1]), ("second", &None));
    assert_eq!(store.model("mini").unwrap(), model);
    assert_eq!(
        store.vectors(model, &[first(), second()]).unwrap(),
        [Some(vec![63.5 / 127.0, -1.0]), None]
    );
}

#[test]
fn a_passage_that_goes_takes_its_vectors_along() {
    let store = Store::with_backend(InMemoryBackend::new()).unwrap();
    store.apply(&some_changes()).unwrap();
    let models = [store.model("a").unwrap(), store.model("b").unwrap()];
    assert_ne!(models[0], models[1]);
    for model in models {
        store.put_vectors(model, &[(first(), vec![1.0]), (second(), vec![2.0])]).unwrap();
    }
    store.apply(&Changes { texts: vec![(first(), None)], ..Changes::default() }).unwrap();
    for model in models {
        assert_eq!(store.vectors(model, &[first(), second()]).unwrap(), [None, Some(vec![2.0])]);
        let mut codes = vec![];
        store.codes(model, |key, _, _| codes.push(key)).unwrap();
        assert_eq!(codes, [second()]);
    }
    store.answer_with(models[1]).unwrap();
    assert_eq!(store.answering().unwrap(), Some(models[1]));
    assert_eq!(store.vectors(models[0], &[second()]).unwrap(), [None]);
    assert_eq!(store.vectors(models[1], &[second()]).unwrap(), [Some(vec![2.0])]);
}

#[test]
fn a_code_is_near_its_vector_and_with_its_rest_nearer_than_float16() {
    let vector: Vec<f32> = (0..256).map(|n| ((n * 37 % 101) as f32 - 50.0) / 700.0).collect();
    let code = Code::new(&vector);
    for (x, number) in vector.iter().zip(&code.numbers) {
        assert!((x - f32::from(*number) * code.scale).abs() <= code.scale * 0.501);
    }
    let store = Store::with_backend(InMemoryBackend::new()).unwrap();
    store.put_vectors(0, &[(1, vector.clone())]).unwrap();
    let kept = store.vectors(0, &[1]).unwrap().pop().unwrap().unwrap();
    let most = 50.0 / 700.0;
    // Float16 has eleven bits.
    assert!(vector.iter().zip(&kept).all(|(x, y)| (x - y).abs() < most / 4096.0));
    assert_eq!(Code::new(&[0.0, 0.0]).numbers, [0, 0]);
}

#[test]
fn a_damaged_database_is_told_and_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.redb");
    std::fs::write(&path, "this is no database".repeat(1000)).unwrap();
    let Err(error) = Store::open(&path) else { panic!("it is opened") };
    assert!(error.is_damage(), "{error:?}");
    let aside = put_aside(&path).unwrap();
    assert!(std::fs::read_to_string(aside).unwrap().starts_with("this is no database"));
    assert!(Store::open(&path).unwrap().files().unwrap().is_empty());
}

/// Changes one byte of a file, wherever it has these bytes.
fn change(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::read(path).unwrap();
    let at: Vec<usize> = (0..file.len()).filter(|&at| file[at..].starts_with(bytes)).collect();
    assert!(!at.is_empty(), "the file has these bytes");
    // An older page may have them too.
    at.into_iter().for_each(|at| file[at + bytes.len() / 2] ^= 1);
    std::fs::write(path, file).unwrap();
}

#[test]
fn a_byte_that_was_changed_on_the_disk_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.redb");
    let store = Store::open(&path).unwrap();
    store.apply(&some_changes()).unwrap();
    let model = store.model("mini").unwrap();
    let vector: Vec<f32> = (0..64).map(|n| ((n * 37 % 101) as f32 - 50.0) / 700.0).collect();
    store.put_vectors(model, &[(first(), vector.clone())]).unwrap();
    let code = Code::new(&vector);
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let numbers: Vec<u8> = code.numbers.iter().map(|number| number.cast_unsigned()).collect();

    change(&path, b"second");
    let store = Store::open(&path).unwrap();
    assert_eq!(store.texts(&[first()]).unwrap().len(), 1);
    assert!(store.texts(&[second()]).unwrap_err().is_damage());
    drop(store);
    std::fs::write(&path, whole).unwrap();
    change(&path, &numbers);
    let store = Store::open(&path).unwrap();
    assert!(store.codes(model, |_, _, _| {}).unwrap_err().is_damage());
    assert!(store.vectors(model, &[first()]).unwrap_err().is_damage());
}

/// A disk that can be full: then a file on it becomes no longer.
#[derive(Debug)]
pub struct Disk {
    inner: FileBackend,
    is_full: Arc<AtomicBool>,
}

impl Disk {
    /// A store in a file on it.
    pub fn open(path: &Path, is_full: &Arc<AtomicBool>) -> Result<Store, StoreError> {
        let mut options = std::fs::File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path).unwrap();
        let inner = FileBackend::new(file).unwrap();
        Store::with_backend(Self { inner, is_full: is_full.clone() })
    }
}

type Answer<T> = std::io::Result<T>;

impl StorageBackend for Disk {
    fn len(&self) -> Answer<u64> {
        self.inner.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Answer<()> {
        self.inner.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Answer<()> {
        if self.is_full.load(Ordering::Relaxed) && len > self.len()? {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.inner.set_len(len)
    }
    fn sync_data(&self) -> Answer<()> {
        self.inner.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> Answer<()> {
        self.inner.write(offset, data)
    }
}

#[test]
fn a_full_disk_is_told_and_what_was_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.redb");
    let is_full = Arc::new(AtomicBool::new(false));
    let store = Disk::open(&path, &is_full).unwrap();
    store.apply(&some_changes()).unwrap();
    is_full.store(true, Ordering::Relaxed);
    let long = "a long text ".repeat(200_000);
    let more = Changes { texts: vec![(12, Some((String::new(), long)))], ..Changes::default() };
    let error = store.apply(&more).unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }) && !error.is_damage(), "{error:?}");
    drop(store);
    let store = Disk::open(&path, &is_full).unwrap();
    assert_eq!(store.texts(&[second()]).unwrap(), [Some((String::new(), "second".to_owned()))]);
}
