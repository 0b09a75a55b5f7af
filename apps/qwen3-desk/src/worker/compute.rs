//! Computing the vectors of passages that have none.

use super::event::Event;
use super::indexing::Trouble;
use super::shared::Shared;
use crate::documents::Passage;
use crate::index::Vectors;
use crate::model::{Choice, Model, Role};
use crate::store::{NO_TEXT, damaged};
use qwen3_engine::{Error, Hooks};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a call of the model shall take: a query waits for one to end.
const CALL: Duration = Duration::from_millis(100);
const MAX_BATCH: usize = 128;
/// What a crash may cost.
const SAVE_AFTER: Duration = Duration::from_secs(1);

/// What is to be computed, and with what.
#[derive(Default)]
pub struct Compute {
    target: Option<Target>,
    queue: VecDeque<u128>,
    queued: HashSet<u128>,
    unsaved: Vec<(u128, Vec<f32>)>,
    saved: Option<Instant>,
    batch: usize,
    is_dirty: bool,
}

/// The chosen model.
struct Target {
    /// Its number in the store.
    number: u32,
    model: Arc<Model>,
    /// Its vectors, while those of another model answer.
    vectors: Option<Vectors>,
}

impl Compute {
    pub fn is_loaded(&self) -> bool {
        self.target.is_some()
    }

    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Whether something is left to save or to show, or another model is about to answer.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Has the last question answered once more when all is computed.
    pub fn soil(&mut self) {
        self.is_dirty = true;
    }

    /// Loads the model again before the next passage.
    pub fn forget_model(&mut self) {
        *self = Self::default();
    }

    pub fn load(&mut self, shared: &Shared, choice: &Choice) -> Result<(), Trouble> {
        let store = shared.store().ok_or(Trouble::NoStore)?;
        let hooks = Hooks::default().cancel(shared.computing());
        let model = Arc::new((shared.machinery.load_model)(choice, &hooks)?);
        let number = store.model(&model.description)?;
        let answering = shared.index.read().expect("nobody panics with the index").model;
        let mut vectors = None;
        if answering == Some(number) {
            shared.set_answering(Some(model.clone()));
        } else if answering.is_some() && answers_still(shared, choice)? {
            vectors = Some(Vectors::read(&store, number)?);
        } else {
            take_over(shared, number, None)?;
            shared.set_answering(Some(model.clone()));
        }
        shared.status(|status| {
            status.next_model = vectors.is_some().then(|| choice.model.clone());
        });
        self.target = Some(Target { number, model, vectors });
        (self.batch, self.is_dirty) = (1, true);
        let index = shared.index.read().expect("nobody panics with the index");
        let all: Vec<u128> = index.catalogue.passages().collect();
        drop(index);
        self.enqueue(shared, all);
        Ok(())
    }

    /// Passages that may have no vector yet.
    pub fn enqueue(&mut self, shared: &Shared, passages: Vec<u128>) {
        let Some(target) = &self.target else { return };
        let index = shared.index.read().expect("nobody panics with the index");
        let vectors = target.vectors.as_ref().unwrap_or(&index.vectors);
        for passage in passages {
            if !vectors.has(passage) && self.queued.insert(passage) {
                self.queue.push_back(passage);
            }
        }
        drop(index);
        self.count(shared);
    }

    /// As [`Self::enqueue`], before those that wait already.
    pub fn enqueue_first(&mut self, shared: &Shared, passages: Vec<u128>) {
        let waiting = self.queue.len();
        self.enqueue(shared, passages);
        self.queue.rotate_left(waiting);
    }

    /// Passages that no file has any more.
    pub fn forget(&mut self, gone: &HashSet<u128>) {
        self.queue.retain(|passage| !gone.contains(passage));
        self.queued.retain(|passage| !gone.contains(passage));
        self.unsaved.retain(|(passage, _)| !gone.contains(passage));
        if let Some(vectors) = self.target.as_mut().and_then(|target| target.vectors.as_mut()) {
            gone.iter().for_each(|passage| vectors.remove(*passage));
        }
    }

    /// Computes some vectors.
    pub fn step(&mut self, shared: &Shared) -> Result<(), Trouble> {
        // What a full disk has refused comes first, or it would become more and more.
        self.save_at_times(shared)?;
        let Some(target) = &self.target else { return Ok(()) };
        let count = self.batch.min(self.queue.len());
        let keys: Vec<u128> = self.queue.range(..count).copied().collect();
        let found = shared.store().ok_or(Trouble::NoStore)?.texts(&keys)?;
        let (mut passages, mut texts) = (vec![], vec![]);
        for (key, found) in keys.into_iter().zip(found) {
            let (heading, text) = found.ok_or_else(|| damaged(NO_TEXT))?;
            passages.push(key);
            texts.push(Passage::embedded(&heading, &text));
        }
        let start = Instant::now();
        match (target.model.encode)(Role::Passage, &texts, &shared.computing()) {
            Ok(vectors) => self.unsaved.extend(passages.into_iter().zip(vectors)),
            Err(error) => return self.put_right(shared, error),
        }
        self.done(count);
        self.is_dirty = true;
        let took = start.elapsed();
        self.adapt(took);
        if count > 0 {
            let rate = count as f32 / took.as_secs_f32().max(1e-6);
            shared.status(|status| {
                let before = status.passages_per_second;
                status.passages_per_second =
                    if before == 0.0 { rate } else { 0.9 * before + 0.1 * rate };
            });
        }
        self.save_at_times(shared)
    }

    fn save_at_times(&mut self, shared: &Shared) -> Result<(), Trouble> {
        let is_time = self.saved.is_none_or(|saved| saved.elapsed() > SAVE_AFTER);
        if is_time && !self.unsaved.is_empty() { self.save(shared) } else { Ok(()) }
    }

    fn done(&mut self, count: usize) {
        for passage in self.queue.drain(..count) {
            self.queued.remove(&passage);
        }
    }

    fn adapt(&mut self, took: Duration) {
        if took < CALL / 2 {
            self.batch = (2 * self.batch).min(MAX_BATCH);
        } else if took > CALL * 2 {
            self.batch = (self.batch / 2).max(1);
        }
    }

    /// A batch that is too large is halved, and a passage that can't be computed is left out.
    fn put_right(&mut self, shared: &Shared, error: Error) -> Result<(), Trouble> {
        let is_of_text = matches!(
            error,
            Error::Input { .. } | Error::NonFinite { .. } | Error::OutOfMemory { .. }
        );
        if !is_of_text {
            return Err(error.into());
        }
        if self.batch > 1 {
            self.batch /= 2;
        } else {
            self.done(1);
            shared.tell(Event::Told(format!("A passage can't be found: {error}")));
        }
        Ok(())
    }

    /// Writes vectors to the store, then to the index.
    pub fn save(&mut self, shared: &Shared) -> Result<(), Trouble> {
        self.saved = Some(Instant::now());
        let Some(target) = &mut self.target else { return Ok(()) };
        if !self.unsaved.is_empty() {
            let store = shared.store().ok_or(Trouble::NoStore)?;
            store.put_vectors(target.number, &self.unsaved)?;
            let mut index = shared.index.write().expect("nobody panics with the index");
            let vectors = target.vectors.as_mut().unwrap_or(&mut index.vectors);
            for (passage, vector) in self.unsaved.drain(..) {
                vectors.insert(passage, &vector);
            }
            drop(index);
            shared.count();
            shared.searching.refresh();
        }
        self.count(shared);
        Ok(())
    }

    /// When all is computed: lets the chosen model answer.
    pub fn answer(&mut self, shared: &Shared) -> Result<(), Trouble> {
        self.is_dirty = false;
        let Some(target) = &mut self.target else { return Ok(()) };
        let (number, model) = (target.number, target.model.clone());
        if let Some(vectors) = target.vectors.take() {
            take_over(shared, number, Some(vectors))?;
            let name = crate::model::title(&model.choice.model);
            shared.tell(Event::Told(format!("{name} answers from now on.")));
            shared.set_answering(Some(model));
            shared.status(|status| status.next_model = None);
        }
        shared.searching.again();
        Ok(())
    }

    fn count(&self, shared: &Shared) {
        shared.status(|status| status.pending = self.queue.len() + self.unsaved.len());
        shared.wake();
    }
}

/// Lets a model's vectors answer: these, or those of the store.
fn take_over(shared: &Shared, number: u32, vectors: Option<Vectors>) -> Result<(), Trouble> {
    let store = shared.store().ok_or(Trouble::NoStore)?;
    store.answer_with(number)?;
    let vectors = match vectors {
        Some(vectors) => vectors,
        None => Vectors::read(&store, number)?,
    };
    let mut index = shared.index.write().expect("nobody panics with the index");
    (index.vectors, index.model) = (vectors, Some(number));
    drop(index);
    shared.count();
    Ok(())
}

/// Whether the model of the index can answer in place of another one, whose vectors have to be
/// computed first, or which can't be loaded.
pub fn answers_still(shared: &Shared, choice: &Choice) -> Result<bool, Trouble> {
    if shared.answering().is_some() {
        return Ok(true);
    }
    // After a start: it has to be loaded too.
    let store = shared.store().ok_or(Trouble::NoStore)?;
    let number = shared.index.read().expect("nobody panics with the index").model;
    let description = store.description(number.unwrap_or_default())?;
    let Some(name) = description.as_deref().and_then(|text| text.lines().next()) else {
        return Ok(false);
    };
    if name == choice.model {
        return Ok(false);
    }
    let choice = Choice { model: name.to_owned(), device: choice.device.clone() };
    let hooks = Hooks::default().cancel(shared.computing());
    match (shared.machinery.load_model)(&choice, &hooks) {
        Ok(model) if Some(&model.description) == description.as_ref() => {
            shared.set_answering(Some(Arc::new(model)));
            Ok(true)
        }
        Err(error @ Error::Cancelled) => Err(error.into()),
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::tests::{choice, machinery};

    #[test]
    fn what_has_changed_is_computed_first() {
        let data = tempfile::tempdir().unwrap();
        let (sender, _events) = std::sync::mpsc::channel();
        let machinery = machinery(&data.path().join("index.redb"));
        let shared = Shared::new(machinery, sender, Box::new(|| {}));
        shared.set_store(Some((shared.machinery.open_store)().unwrap()));
        let mut compute = Compute::default();
        compute.load(&shared, &choice(crate::model::MINI)).unwrap();
        compute.enqueue(&shared, vec![1, 2]);
        compute.enqueue_first(&shared, vec![3, 2, 4]);
        assert_eq!(compute.queue, [3, 4, 1, 2]);
    }
}
