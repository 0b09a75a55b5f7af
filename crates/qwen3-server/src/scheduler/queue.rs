//! What waits, and who is next. Pure: no threads, no clocks, no tokens read.
//!
//! Each request has a line of its own. The next text is taken from the request
//! that has been given the fewest tokens so far (start-time fair queueing; Goyal,
//! Vin and Cheng 1996), so one text passes a bulk job of thousands, and two bulk
//! jobs share the device equally. A text that several requests want is
//! computed once, in whichever line it comes up first.

use qwen3_engine::Rows;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A request, in the order of arrival.
pub type RequestId = u64;

/// What is computed for one text. The tokens stand for everything that the
/// network's answer depends on: text, prompt, instruction and truncation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Token ids, with template and end token.
    pub input_ids: Arc<[u32]>,
    /// The last row, or one for each token.
    pub rows: Rows,
}

impl Hash for Work {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.input_ids.hash(hasher);
        (self.rows == Rows::All).hash(hasher);
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
pub enum Full {
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
    /// An empty queue.
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
    pub fn push(&mut self, request: RequestId, works: Vec<(Work, W)>) -> Result<usize, Full> {
        let mut seen = HashSet::new();
        let new_tokens: usize = works
            .iter()
            .filter(|(work, _)| !self.entries.contains_key(work) && seen.insert(work))
            .map(|(work, _)| work.input_ids.len())
            .sum();
        if works.len() > self.limits.texts || new_tokens > self.limits.tokens {
            return Err(Full::Always);
        }
        if self.texts + works.len() > self.limits.texts
            || self.tokens + new_tokens > self.limits.tokens
        {
            return Err(Full::Now);
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn work(id: u32, tokens: usize) -> Work {
        Work { input_ids: vec![id; tokens].into(), rows: Rows::Last }
    }

    fn queue() -> Queue<&'static str> {
        Queue::new(QueueLimits { texts: 100, tokens: 1000 })
    }

    fn taken(queue: &mut Queue<&'static str>, max_tokens: usize) -> Vec<u32> {
        queue.take(max_tokens, 100).iter().map(|work| work.input_ids[0]).collect()
    }

    #[test]
    fn a_small_request_passes_a_large_one() {
        let mut queue = queue();
        queue.push(1, (10..20).map(|id| (work(id, 10), "bulk")).collect()).unwrap();
        assert_eq!(taken(&mut queue, 40), [10, 11, 12, 13]);
        queue.push(2, vec![(work(99, 10), "one")]).unwrap();
        assert!(taken(&mut queue, 40).contains(&99));
    }

    #[test]
    fn two_large_requests_share_the_tokens() {
        let mut queue = queue();
        queue.push(1, (10..20).map(|id| (work(id, 10), "short")).collect()).unwrap();
        queue.push(2, (30..40).map(|id| (work(id, 20), "long")).collect()).unwrap();
        let batch = taken(&mut queue, 120);
        let short = batch.iter().filter(|id| **id < 30).count();
        assert_eq!((short, batch.len()), (6, 9), "{batch:?}");
    }

    #[test]
    fn a_text_longer_than_a_batch_is_not_starved() {
        let mut queue = queue();
        queue.push(1, (10..13).map(|id| (work(id, 10), "short")).collect()).unwrap();
        queue.push(2, vec![(work(50, 500), "long")]).unwrap();
        assert_eq!(taken(&mut queue, 40), [10, 11, 12]);
        queue.push(3, vec![(work(60, 10), "later")]).unwrap();
        assert_eq!(taken(&mut queue, 40), [50]);
    }

    #[test]
    fn the_same_text_is_computed_once_for_all_who_want_it() {
        let mut queue = queue();
        let joined = queue.push(1, vec![(work(7, 5), "a"), (work(7, 5), "b")]);
        assert_eq!((joined, queue.texts(), queue.tokens()), (Ok(1), 2, 5));
        assert_eq!(queue.push(2, vec![(work(7, 5), "c")]), Ok(1));
        assert_eq!(taken(&mut queue, 100), [7]);
        assert_eq!(queue.push(3, vec![(work(7, 5), "d")]), Ok(1));
        assert!(taken(&mut queue, 100).is_empty());
        assert_eq!(queue.finish(&work(7, 5)), ["a", "b", "c", "d"]);
        assert_eq!((queue.texts(), queue.tokens()), (0, 0));
    }

    #[test]
    fn a_text_stays_while_somebody_wants_it() {
        let mut queue = queue();
        queue.push(1, vec![(work(7, 5), "a"), (work(8, 5), "a")]).unwrap();
        queue.push(2, vec![(work(7, 5), "b")]).unwrap();
        queue.cancel(1, &HashSet::from([work(7, 5), work(8, 5)]));
        assert_eq!((queue.texts(), queue.tokens()), (1, 5));
        assert_eq!(taken(&mut queue, 100), [7]);
        queue.cancel(2, &HashSet::from([work(7, 5)]));
        assert!(queue.is_abandoned(&[work(7, 5)]));
        // Somebody comes before the batch has ended.
        queue.push(3, vec![(work(7, 5), "c")]).unwrap();
        queue.put_back(&work(7, 5));
        assert_eq!(taken(&mut queue, 100), [7]);
        assert_eq!(queue.finish(&work(7, 5)), ["c"]);
    }

    #[test]
    fn the_queue_takes_all_of_a_request_or_nothing() {
        let mut queue = queue();
        let texts = |range: std::ops::Range<u32>, tokens| -> Vec<_> {
            range.map(|id| (work(id, tokens), "x")).collect()
        };
        assert_eq!(queue.push(1, texts(0..101, 1)), Err(Full::Always));
        assert_eq!(queue.push(1, texts(0..11, 100)), Err(Full::Always));
        assert_eq!(queue.push(1, texts(0..60, 1)), Ok(0));
        assert_eq!(queue.push(2, texts(60..101, 1)), Err(Full::Now));
        assert_eq!((queue.texts(), queue.tokens()), (60, 60));
        assert_eq!(queue.push(2, texts(60..100, 1)), Ok(0));
    }

    #[test]
    fn batches_are_of_one_kind_of_rows() {
        let mut queue = queue();
        let all = Work { rows: Rows::All, ..work(2, 5) };
        queue.push(1, vec![(work(1, 5), "x")]).unwrap();
        queue.push(2, vec![(all, "x")]).unwrap();
        queue.push(3, vec![(work(3, 5), "x")]).unwrap();
        assert_eq!(taken(&mut queue, 100), [1, 3]);
        assert_eq!(taken(&mut queue, 100), [2]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(Vec<(u32, usize)>),
        Take(usize),
        Finish,
        PutBack,
        Cancel(usize),
        Drain,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => prop::collection::vec((0u32..6, 1usize..4), 0..6).prop_map(Step::Push),
            3 => (1usize..12).prop_map(Step::Take),
            3 => Just(Step::Finish),
            1 => Just(Step::PutBack),
            2 => (0usize..8).prop_map(Step::Cancel),
            1 => Just(Step::Drain),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_counted_twice(
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let mut queue: Queue<(RequestId, u32)> =
                Queue::new(QueueLimits { texts: 40, tokens: 80 });
            // What must still be answered, and what is being computed.
            let mut open: Vec<(RequestId, Work)> = vec![];
            let mut running: Vec<Vec<Work>> = vec![];
            let mut request = 0;
            let ended = |open: &mut Vec<(RequestId, Work)>, work: &Work, who: Vec<(RequestId, u32)>| {
                let before = open.len();
                open.retain(|(_, other)| other != work);
                assert_eq!(before - open.len(), who.len());
            };
            for step in steps {
                match step {
                    Step::Push(texts) => {
                        request += 1;
                        let works: Vec<Work> = texts.iter().map(|&(id, n)| work(id, n)).collect();
                        let with_waiters =
                            works.iter().map(|work| (work.clone(), (request, work.input_ids[0])));
                        if queue.push(request, with_waiters.collect()).is_ok() {
                            open.extend(works.into_iter().map(|work| (request, work)));
                        }
                    }
                    Step::Take(max_tokens) => {
                        let batch = queue.take(max_tokens, 100);
                        let tokens: usize = batch.iter().map(|work| work.input_ids.len()).sum();
                        prop_assert!(tokens <= max_tokens || batch.len() == 1);
                        running.push(batch);
                    }
                    Step::Finish => for work in running.pop().into_iter().flatten() {
                        let who = queue.finish(&work);
                        ended(&mut open, &work, who);
                    },
                    Step::PutBack => for work in running.pop().into_iter().flatten() {
                        queue.put_back(&work);
                    },
                    Step::Cancel(back) => {
                        let gone = (request + 1).saturating_sub(back as u64);
                        let works: HashSet<Work> = open.iter()
                            .filter(|(id, _)| *id == gone).map(|(_, work)| work.clone()).collect();
                        queue.cancel(gone, &works);
                        open.retain(|(id, _)| *id != gone);
                    }
                    Step::Drain => {
                        let drained = queue.drain().len();
                        let before = open.len();
                        let running: HashSet<&Work> = running.iter().flatten().collect();
                        open.retain(|(_, work)| running.contains(work));
                        prop_assert_eq!(before - open.len(), drained);
                    }
                }
                prop_assert_eq!(queue.texts(), open.len());
            }
            for work in running.into_iter().flatten() {
                let who = queue.finish(&work);
                ended(&mut open, &work, who);
            }
            while queue.tokens() > 0 {
                for work in queue.take(5, 100) {
                    let who = queue.finish(&work);
                    ended(&mut open, &work, who);
                }
            }
            prop_assert!(open.is_empty(), "{:?}", open);
            prop_assert_eq!((queue.texts(), queue.tokens()), (0, 0));
        }
    }
}
