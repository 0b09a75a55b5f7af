//! What the threads share.

use super::chores::Downloads;
use super::event::{Event, Status};
use super::searching::Searching;
use crate::index::Index;
use crate::model::{Choice, Library, LoadedReranker, Model};
use crate::store::{Store, StoreError};
use qwen3_engine::{CancelToken, Error, Hooks};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, RwLock};

type OpenStore = dyn Fn() -> Result<Store, StoreError> + Send + Sync;
type LoadModel = dyn Fn(&Choice, &Hooks) -> Result<Model, Error> + Send + Sync;
type Download = dyn Fn(&str, &Hooks) -> Result<(), Error> + Send + Sync;
type Check = dyn Fn(&str) -> Result<(), Error> + Send + Sync;
type Has = dyn Fn(&str) -> bool + Send + Sync;
type LoadReranker = dyn Fn(&Choice, &Hooks) -> Result<LoadedReranker, Error> + Send + Sync;

/// How the outside world is reached. Tests have one that fails.
pub struct Machinery {
    pub index_file: PathBuf,
    pub open_store: Box<OpenStore>,
    pub load_model: Box<LoadModel>,
    pub load_reranker: Box<LoadReranker>,
    /// Downloads a model, the one thing that needs a network.
    pub download: Box<Download>,
    /// Whether a folder or file has a model that can search.
    pub check_model: Box<Check>,
    /// Whether a model can be loaded without that.
    pub has_model: Box<Has>,
}

impl Machinery {
    /// A database in this file, and the models of a library.
    pub fn new(index_file: PathBuf, library: Library) -> Self {
        let path = index_file.clone();
        let (models, rerankers) = (library.clone(), library.clone());
        let (downloads, checks) = (library.clone(), library.clone());
        Self {
            index_file,
            open_store: Box::new(move || Store::open(&path)),
            load_model: Box::new(move |choice, hooks| models.load_model(choice, hooks)),
            load_reranker: Box::new(move |choice, hooks| rerankers.load_reranker(choice, hooks)),
            download: Box::new(move |model, hooks| downloads.download(model, hooks)),
            check_model: Box::new(move |model| checks.check(model)),
            has_model: Box::new(move |model| library.has(model)),
        }
    }
}

/// Everything that more than one thread sees.
pub struct Shared {
    pub machinery: Machinery,
    /// `None` until it is open, and again when the disk failed.
    store: RwLock<Option<Arc<Store>>>,
    pub index: RwLock<Index>,
    /// The model whose vectors the index has.
    answering: RwLock<Option<Arc<Model>>>,
    pub searching: Searching,
    pub downloads: Downloads,
    status: Mutex<Status>,
    events: Mutex<Sender<Event>>,
    wake: Box<dyn Fn() + Send + Sync>,
    ends: AtomicBool,
    /// Commands that the indexing thread has not heard yet.
    unheard: AtomicUsize,
    computing: Mutex<CancelToken>,
    lost_device: AtomicBool,
    damaged_store: AtomicBool,
}

impl Shared {
    pub fn new(
        machinery: Machinery,
        events: Sender<Event>,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            machinery,
            store: RwLock::default(),
            index: RwLock::default(),
            answering: RwLock::default(),
            searching: Searching::default(),
            downloads: Downloads::default(),
            status: Mutex::default(),
            events: Mutex::new(events),
            wake,
            ends: AtomicBool::new(false),
            unheard: AtomicUsize::new(0),
            computing: Mutex::default(),
            lost_device: AtomicBool::new(false),
            damaged_store: AtomicBool::new(false),
        }
    }

    pub fn store(&self) -> Option<Arc<Store>> {
        self.store.read().expect("nobody panics with the store").clone()
    }

    pub fn set_store(&self, store: Option<Store>) {
        *self.store.write().expect("nobody panics with the store") = store.map(Arc::new);
    }

    pub fn answering(&self) -> Option<Arc<Model>> {
        self.answering.read().expect("nobody panics with the model").clone()
    }

    pub fn set_answering(&self, model: Option<Arc<Model>>) {
        self.status(|status| {
            let of = |part: fn(&Model) -> &str| model.as_deref().map_or("", part).to_owned();
            status.model = of(|model| &model.choice.model);
            status.device = of(|model| &model.device);
            if model.is_some() {
                status.model_problem = None;
            }
            status.passed_over = model.iter().flat_map(|model| model.passed_over.clone()).collect();
        });
        *self.answering.write().expect("nobody panics with the model") = model;
        self.searching.again();
    }

    /// The chosen model can't be loaded. Questions that wait for it are told so.
    pub fn lack_model(&self, problem: String) {
        let is_new = self.status(|status| {
            let before = status.model_problem.replace(problem);
            before != status.model_problem
        });
        if is_new && self.answering().is_none() {
            self.searching.again();
        }
    }

    /// Reads or changes how things stand.
    pub fn status<T>(&self, look: impl FnOnce(&mut Status) -> T) -> T {
        look(&mut self.status.lock().expect("nobody panics with the status"))
    }

    pub fn tell(&self, event: Event) {
        // Nobody listens when the program ends.
        let _ = self.events.lock().expect("nobody panics with the events").send(event);
        (self.wake)();
    }

    pub fn wake(&self) {
        (self.wake)();
    }

    /// Tells all threads to end, soon.
    pub fn end(&self) {
        self.ends.store(true, Ordering::Relaxed);
        self.cancel_computing();
        self.searching.again();
        self.downloads.cancel_all();
    }

    pub fn ends(&self) -> bool {
        self.ends.load(Ordering::Relaxed)
    }

    /// Counts a command that is about to be sent.
    pub fn call(&self) {
        self.unheard.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one that has arrived.
    pub fn hear(&self) {
        self.unheard.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the indexing thread should stop what it does and listen.
    pub fn is_wanted(&self) -> bool {
        self.ends() || self.unheard.load(Ordering::Relaxed) > 0
    }

    /// A new token for what is computed next.
    pub fn computing(&self) -> CancelToken {
        let token = CancelToken::default();
        *self.computing.lock().expect("nobody panics with the token") = token.clone();
        // The end may have been told before the token was there.
        if self.ends() {
            token.cancel();
        }
        token
    }

    pub fn cancel_computing(&self) {
        self.computing.lock().expect("nobody panics with the token").cancel();
    }

    /// The device went away while a question was answered.
    pub fn lose_device(&self) {
        self.lost_device.store(true, Ordering::Relaxed);
    }

    /// Whether it did since the last call.
    pub fn takes_lost_device(&self) -> bool {
        self.lost_device.swap(false, Ordering::Relaxed)
    }

    /// The index turned out to be damaged while a question was answered.
    pub fn damage_store(&self) {
        self.damaged_store.store(true, Ordering::Relaxed);
    }

    /// Whether it did since the last call.
    pub fn takes_damaged_store(&self) -> bool {
        self.damaged_store.swap(false, Ordering::Relaxed)
    }

    /// Counts what the index has.
    pub fn count(&self) {
        let index = self.index.read().expect("nobody panics with the index");
        let files = index.catalogue.n_files();
        let (passages, indexed) = (index.catalogue.n_passages(), index.vectors.len());
        drop(index);
        self.status(|status| {
            (status.files, status.passages, status.indexed) = (files, passages, indexed);
            status.revision += 1;
        });
        self.wake();
    }
}
