//! What waits, and who is next. Pure: no threads, no clocks, no tokens read.
//!
//! Each request has a line of its own. The next text is taken from the request
//! that has been given the fewest tokens so far (start-time fair queueing; Goyal,
//! Vin and Cheng 1996), so one text passes a bulk job of thousands, and two bulk
//! jobs share the device equally. A text that several requests want is
//! computed once, in whichever line it comes up first.

use qwen3_engine::Rows;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

/// A request, in the order of arrival.
pub type RequestId = u64;

/// What is computed for one text. The tokens stand for everything that the
/// network's answer depends on: text, prompt, instruction and truncation.
#[derive(Clone, Debug)]
pub struct Work {
    /// Token ids, with template and end token.
    pub input_ids: Arc<[u32]>,
    /// The last row, or one for each token.
    pub rows: Rows,
    /// Of both, made once: nobody who holds the lock reads all tokens again.
    hash: u64,
}

/// Nobody outside can know which texts have equal hashes.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Work {
    /// The work for these tokens.
    pub fn new(input_ids: impl Into<Arc<[u32]>>, rows: Rows) -> Self {
        let input_ids = input_ids.into();
        let hash = HASHES.hash_one((&*input_ids, rows == Rows::All));
        Self { input_ids, rows, hash }
    }
}

impl PartialEq for Work {
    fn eq(&self, other: &Self) -> bool {
        let is_same = || Arc::ptr_eq(&self.input_ids, &other.input_ids);
        self.hash == other.hash
            && self.rows == other.rows
            && (is_same() || self.input_ids == other.input_ids)
    }
}

impl Eq for Work {}

impl Hash for Work {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.hash);
    }
}

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Texts that have no answer yet.
    pub texts: usize,
    /// Tokens that are not being computed yet.
    pub tokens: usize,
}

/// Why nothing can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueFull {
    /// Not now: others are waiting.
    Now,
    /// Never: it is more than an empty queue holds.
    Always,
}

/// Texts that wait or are being computed; `W` is who wants to know the result.
pub struct Queue<W> {
    limits: QueueLimits,
    lines: HashMap<RequestId, Line>,
    /// Who is next: tokens given so far, then order of arrival.
    order: BTreeSet<(u64, RequestId)>,
    /// Where a new line begins, so that nobody has credit from before.
    given_tokens: u64,
    entries: HashMap<Work, Entry<W>>,
    texts: usize,
    tokens: usize,
}

struct Line {
    given_tokens: u64,
    waiting: VecDeque<Work>,
}

struct Entry<W> {
    waiters: Vec<(RequestId, W)>,
    is_running: bool,
}

impl<W> Queue<W> {
    pub fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            lines: HashMap::new(),
            order: BTreeSet::new(),
            given_tokens: 0,
            entries: HashMap::new(),
            texts: 0,
            tokens: 0,
        }
    }

    /// Adds the texts of a request, all or none; returns how many of them are
    /// computed for somebody anyway.
    pub fn push(&mut self, request: RequestId, works: Vec<(Work, W)>) -> Result<usize, QueueFull> {
        let mut seen = HashSet::new();
        let new_tokens: usize = works
            .iter()
            .filter(|(work, _)| !self.entries.contains_key(work) && seen.insert(work))
            .map(|(work, _)| work.input_ids.len())
            .sum();
        if works.len() > self.limits.texts || new_tokens > self.limits.tokens {
            return Err(QueueFull::Always);
        }
        if self.texts + works.len() > self.limits.texts
            || self.tokens + new_tokens > self.limits.tokens
        {
            return Err(QueueFull::Now);
        }
        let new_texts = seen.len();
        drop(seen);
        let joined = works.len() - new_texts;
        self.texts += works.len();
        self.tokens += new_tokens;
        let mut waiting = VecDeque::with_capacity(new_texts);
        for (work, waiter) in works {
            let entry = self.entries.entry(work.clone());
            let entry = entry.or_insert(Entry { waiters: vec![], is_running: false });
            let is_own = entry.waiters.last().is_some_and(|(last, _)| *last == request);
            if !entry.is_running && !is_own {
                waiting.push_back(work);
            }
            entry.waiters.push((request, waiter));
        }
        self.open_line(request, waiting);
        Ok(joined)
    }

    fn open_line(&mut self, request: RequestId, waiting: VecDeque<Work>) {
        if !waiting.is_empty() {
            let given_tokens = self.given_tokens;
            self.order.insert((given_tokens, request));
            self.lines.insert(request, Line { given_tokens, waiting });
        }
    }

    /// Takes the next texts, of at most `max_tokens` tokens together or one that
    /// is longer, and at most `max_texts`. All want the same kind of rows.
    pub fn take(&mut self, max_tokens: usize, max_texts: usize) -> Vec<Work> {
        let mut taken: Vec<Work> = vec![];
        let mut room = max_tokens;
        let mut passed_over = vec![];
        while room > 0
            && taken.len() < max_texts
            && let Some((given_tokens, request)) = self.order.pop_first()
        {
            let Some(tokens) = self.front_tokens(request, &taken) else {
                self.lines.remove(&request);
                continue;
            };
            if tokens > room && !taken.is_empty() {
                passed_over.push((given_tokens, request));
                continue;
            }
            let line = self.lines.get_mut(&request).expect("it has a front");
            let work = line.waiting.pop_front().expect("it has a front");
            line.given_tokens = given_tokens + work.input_ids.len() as u64;
            self.order.insert((line.given_tokens, request));
            self.given_tokens = self.given_tokens.max(given_tokens);
            self.entries.get_mut(&work).expect("it is not stale").is_running = true;
            self.tokens -= work.input_ids.len();
            room = room.saturating_sub(work.input_ids.len());
            taken.push(work);
        }
        self.order.extend(passed_over);
        taken
    }

    /// Tokens of the line's first text, `usize::MAX` if it can't share a batch
    /// with what is taken. Texts that nobody wants any more, or that came up in
    /// another line, are dropped.
    fn front_tokens(&mut self, request: RequestId, taken: &[Work]) -> Option<usize> {
        let line = self.lines.get_mut(&request)?;
        while let Some(work) = line.waiting.front() {
            if self.entries.get(work).is_some_and(|entry| !entry.is_running) {
                let fits = taken.first().is_none_or(|first| first.rows == work.rows);
                return Some(if fits { work.input_ids.len() } else { usize::MAX });
            }
            line.waiting.pop_front();
        }
        None
    }

    /// Ends a text: those who wait for it.
    pub fn finish(&mut self, work: &Work) -> Vec<W> {
        let Some(entry) = self.entries.remove(work) else { return vec![] };
        if !entry.is_running {
            self.tokens -= work.input_ids.len();
        }
        self.texts -= entry.waiters.len();
        entry.waiters.into_iter().map(|(_, waiter)| waiter).collect()
    }

    /// Puts a text that was taken back, at the front, for all who want it.
    pub fn put_back(&mut self, work: &Work) {
        let Some(entry) = self.entries.get_mut(work) else { return };
        if entry.waiters.is_empty() {
            self.entries.remove(work);
            return;
        }
        entry.is_running = false;
        self.tokens += work.input_ids.len();
        let requests: BTreeSet<RequestId> = entry.waiters.iter().map(|(id, _)| *id).collect();
        for request in requests {
            match self.lines.get_mut(&request) {
                Some(line) => line.waiting.push_front(work.clone()),
                None => self.open_line(request, VecDeque::from([work.clone()])),
            }
        }
    }

    /// Forgets a request that wanted these texts.
    pub fn cancel(&mut self, request: RequestId, works: &HashSet<Work>) {
        if let Some(line) = self.lines.remove(&request) {
            self.order.remove(&(line.given_tokens, request));
        }
        for work in works {
            let Some(entry) = self.entries.get_mut(work) else { continue };
            let before = entry.waiters.len();
            entry.waiters.retain(|(waiting, _)| *waiting != request);
            self.texts -= before - entry.waiters.len();
            if entry.waiters.is_empty() && !entry.is_running {
                self.entries.remove(work);
                self.tokens -= work.input_ids.len();
            }
        }
    }

    /// Ends every text that is not being computed: those who wait.
    pub fn drain(&mut self) -> Vec<W> {
        let waiting = self.entries.iter().filter(|(_, entry)| !entry.is_running);
        let works: Vec<Work> = waiting.map(|(work, _)| work.clone()).collect();
        self.lines.clear();
        self.order.clear();
        works.iter().flat_map(|work| self.finish(work)).collect()
    }

    /// Whether nobody wants any of these texts any more.
    pub fn is_abandoned(&self, works: &[Work]) -> bool {
        let wanted = |work| self.entries.get(work).is_some_and(|entry| !entry.waiters.is_empty());
        !works.iter().any(wanted)
    }

    /// Texts without an answer.
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// Texts that wait to be taken, each counted once. Looks at all of them.
    pub fn waiting_texts(&self) -> usize {
        self.entries.values().filter(|entry| !entry.is_running).count()
    }

    /// Tokens that wait; 0: nothing does.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

#[cfg(test)]
mod tests;
