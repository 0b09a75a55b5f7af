//! The thread that answers.

use super::event::{Ask, Event, Finding, Found};
use super::shared::Shared;
use crate::documents::Passage;
use crate::index::{Hit, nearest, vector_of};
use crate::model::{Choice, LoadedReranker, Role};
use crate::store::StoreError;
use qwen3_engine::{CancelToken, Error, Hooks};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

/// Passages that are shown, and reranked.
pub const SHOWN: usize = 50;
/// Passages that a reranker looks at before its order is shown again.
const RERANKED_AT_ONCE: usize = 5;

/// What is asked, as the thread finds it. Only the newest question counts.
#[derive(Default)]
pub struct Searching {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ask: Option<Ask>,
    reranker: Option<Choice>,
    /// Whether something has changed that the thread has not seen.
    is_new: bool,
    cancel: CancelToken,
}

impl Searching {
    pub fn ask(&self, ask: Ask) {
        self.change(|state| state.ask = Some(ask));
    }

    pub fn use_reranker(&self, choice: Option<Choice>) {
        self.change(|state| state.reranker = choice);
    }

    /// Answers the last question once more: there is another model, or the program ends.
    pub fn again(&self) {
        self.change(|_| {});
    }

    /// As [`Self::again`] when there are new passages, unless that would begin reranking anew.
    pub fn refresh(&self) {
        let is_reranked = {
            let state = self.state.lock().expect("nobody panics with the question");
            state.ask.is_none() || state.reranker.is_some()
        };
        if !is_reranked {
            self.again();
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().expect("nobody panics with the question");
        change(&mut state);
        state.is_new = true;
        state.cancel.cancel();
        self.changed.notify_all();
    }

    /// Waits for something new.
    fn next(&self) -> (Option<Ask>, Option<Choice>, CancelToken) {
        let mut state = self.state.lock().expect("nobody panics with the question");
        while !state.is_new {
            state = self.changed.wait(state).expect("nobody panics with the question");
        }
        state.is_new = false;
        state.cancel = CancelToken::default();
        (state.ask.clone(), state.reranker.clone(), state.cancel.clone())
    }
}

/// Answers until the program ends.
pub fn run(shared: &Shared) {
    let mut loaded: Option<LoadedReranker> = None;
    loop {
        let (ask, reranker, cancel) = shared.searching.next();
        if shared.ends() {
            return;
        }
        loaded = loaded.filter(|model| Some(&model.choice) == reranker.as_ref());
        let Some(ask) = ask else { continue };
        let mut found = answer(shared, &ask, &cancel);
        let query = match &ask.finding {
            Finding::Query(query) if !found.hits.is_empty() => query.as_str(),
            _ => {
                tell(shared, &found, &cancel);
                continue;
            }
        };
        found.reranked = reranker.as_ref().map(|_| 0);
        tell(shared, &found, &cancel);
        let Some(reranker) = reranker else { continue };
        if loaded.is_none() {
            let hooks = Hooks::default().cancel(cancel.clone());
            match (shared.machinery.load_reranker)(&reranker, &hooks) {
                Ok(model) => loaded = Some(model),
                Err(error) => {
                    not_reranked(shared, found, (&error, &cancel));
                    continue;
                }
            }
        }
        let model = loaded.as_ref().expect("it was loaded");
        if let Err(error) = rerank(shared, model, (query, &mut found), &cancel) {
            // What is lost is loaded again for the next question.
            if !matches!(error, Error::Cancelled) {
                loaded = None;
            }
            not_reranked(shared, found, (&error, &cancel));
        }
    }
}

fn tell(shared: &Shared, found: &Found, cancel: &CancelToken) {
    if !cancel.is_cancelled() {
        shared.tell(Event::Found(found.clone()));
    }
}

fn not_reranked(shared: &Shared, mut found: Found, (error, cancel): (&Error, &CancelToken)) {
    found.problem = Some(format!("not reranked: {error}"));
    found.reranked = None;
    tell(shared, &found, cancel);
}

/// The nearest passages.
fn answer(shared: &Shared, ask: &Ask, cancel: &CancelToken) -> Found {
    let start = Instant::now();
    let mut found = Found { ask: ask.number, ..Found::default() };
    let Some(store) = shared.store() else {
        let problem = Some("the index is being opened".to_owned());
        return Found { problem, is_waiting: true, ..found };
    };
    let of_store = |error: StoreError| {
        if error.is_damage() {
            shared.damage_store();
        }
        Problem { text: error.to_string(), is_waiting: error.is_damage() }
    };
    let vector = match &ask.finding {
        Finding::Like(passage) => {
            let vector = vector_of(&shared.index, &store, *passage).map_err(of_store);
            let gone = || Problem { text: "this passage is gone".to_owned(), is_waiting: false };
            vector.and_then(|vector| vector.ok_or_else(gone))
        }
        Finding::Query(query) => {
            let vector = query_vector(shared, query, cancel);
            found.model_time = start.elapsed();
            vector
        }
    };
    let start = Instant::now();
    let hits = vector.and_then(|vector| {
        let hits = nearest(&shared.index, &store, (vector.as_slice(), &ask.filter), SHOWN + 1);
        hits.map_err(of_store)
    });
    found.search_time = start.elapsed();
    match hits {
        Ok(hits) => found.hits = hits,
        Err(problem) => {
            (found.problem, found.is_waiting) = (Some(problem.text), problem.is_waiting);
        }
    }
    // Nobody looks for the passage that is there already.
    found.hits.retain(|hit| ask.finding != Finding::Like(hit.passage));
    found.hits.truncate(SHOWN);
    found
}

/// Why there is no answer.
struct Problem {
    text: String,
    /// Whether there will be one.
    is_waiting: bool,
}

fn query_vector(shared: &Shared, query: &str, cancel: &CancelToken) -> Result<Vec<f32>, Problem> {
    let model = shared.answering().ok_or_else(|| {
        let problem = shared.status(|status| status.model_problem.clone());
        let text = problem.map_or("the model is being loaded".to_owned(), |problem| {
            format!("the model can't be loaded: {problem}")
        });
        Problem { text, is_waiting: true }
    })?;
    let vectors = (model.encode)(Role::Query, &[query.to_owned()], cancel);
    let mut vectors = vectors.map_err(|error| {
        let is_lost = matches!(error, Error::DeviceLost { .. });
        if is_lost {
            shared.lose_device();
        }
        Problem { text: error.to_string(), is_waiting: is_lost }
    })?;
    Ok(vectors.pop().expect("one vector per text"))
}

/// Puts the passages in the reranker's order, some at a time.
fn rerank(
    shared: &Shared,
    model: &LoadedReranker,
    (query, found): (&str, &mut Found),
    cancel: &CancelToken,
) -> Result<(), Error> {
    let mut judged: Vec<Hit> = vec![];
    let mut rest = std::mem::take(&mut found.hits);
    while !rest.is_empty() {
        let mut next: Vec<Hit> = rest.drain(..RERANKED_AT_ONCE.min(rest.len())).collect();
        let texts: Vec<String> =
            next.iter().map(|hit| Passage::embedded(&hit.heading, &hit.text)).collect();
        match (model.score)(query, &texts, cancel) {
            Ok(scores) => {
                let with_score = next.iter_mut().zip(scores);
                with_score.for_each(|(hit, score)| hit.relevance = Some(score));
                judged.append(&mut next);
            }
            Err(error) => {
                found.hits = [judged, next, rest].concat();
                return Err(error);
            }
        }
        let relevance = |hit: &Hit| hit.relevance.unwrap_or(f64::NEG_INFINITY);
        judged.sort_by(|a, b| relevance(b).total_cmp(&relevance(a)));
        found.reranked = Some(judged.len());
        found.hits = [judged.clone(), rest.clone()].concat();
        tell(shared, found, cancel);
    }
    Ok(())
}
