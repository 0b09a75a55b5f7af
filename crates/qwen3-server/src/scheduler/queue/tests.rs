//! Who is next, and that nothing is lost or counted twice.

use super::*;
use proptest::prelude::*;

fn work(id: u32, tokens: usize) -> Work {
    Work::new(vec![id; tokens], Rows::Last)
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
    assert_eq!(queue.push(1, texts(0..101, 1)), Err(QueueFull::Always));
    assert_eq!(queue.push(1, texts(0..11, 100)), Err(QueueFull::Always));
    assert_eq!(queue.push(1, texts(0..60, 1)), Ok(0));
    assert_eq!(queue.push(2, texts(60..101, 1)), Err(QueueFull::Now));
    assert_eq!((queue.texts(), queue.tokens()), (60, 60));
    assert_eq!(queue.push(2, texts(60..100, 1)), Ok(0));
}

#[test]
fn batches_are_of_one_kind_of_rows() {
    let mut queue = queue();
    let all = Work::new(work(2, 5).input_ids, Rows::All);
    queue.push(1, vec![(work(1, 5), "x")]).unwrap();
    queue.push(2, vec![(all, "x")]).unwrap();
    queue.push(3, vec![(work(3, 5), "x")]).unwrap();
    assert_eq!(taken(&mut queue, 100), [1, 3]);
    assert_eq!(taken(&mut queue, 100), [2]);
}

#[test]
fn work_is_the_same_if_its_tokens_and_rows_are() {
    let all = Work::new(work(2, 5).input_ids, Rows::All);
    let works = HashSet::from([work(1, 5), work(1, 5), work(2, 5), work(1, 6), all]);
    assert_eq!(works.len(), 4);
    assert!(works.contains(&work(2, 5)) && !works.contains(&work(2, 6)));
}

#[derive(Clone, Debug)]
enum Step {
    Push(Vec<(u32, usize)>),
    Take(usize),
    Finish,
    PutBack,
    /// The request that is so many back.
    Cancel(RequestId),
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec((0u32..6, 1usize..4), 0..6).prop_map(Step::Push),
        3 => (1usize..12).prop_map(Step::Take),
        3 => Just(Step::Finish),
        1 => Just(Step::PutBack),
        2 => (0u64..8).prop_map(Step::Cancel),
        1 => Just(Step::Drain),
    ]
}

/// A queue beside what it should hold, kept in the most obvious way.
struct Checked {
    queue: Queue<RequestId>,
    /// What must still be answered.
    open: Vec<(RequestId, Work)>,
    /// Batches that are being computed.
    running: Vec<Vec<Work>>,
    last_request: RequestId,
}

impl Checked {
    fn new() -> Self {
        let queue = Queue::new(QueueLimits { texts: 40, tokens: 80 });
        Self { queue, open: vec![], running: vec![], last_request: 0 }
    }

    fn go(&mut self, step: Step) {
        match step {
            Step::Push(texts) => self.push(&texts),
            Step::Take(max_tokens) => self.take(max_tokens),
            Step::Finish => self.finish_batch(),
            Step::PutBack => {
                let batch = self.running.pop().unwrap_or_default();
                batch.iter().for_each(|work| self.queue.put_back(work));
            }
            Step::Cancel(back) => self.cancel((self.last_request + 1).saturating_sub(back)),
            Step::Drain => self.drain(),
        }
        assert_eq!(self.queue.texts(), self.open.len());
    }

    fn push(&mut self, texts: &[(u32, usize)]) {
        self.last_request += 1;
        let works: Vec<Work> = texts.iter().map(|&(id, tokens)| work(id, tokens)).collect();
        let waiting = works.iter().map(|work| (work.clone(), self.last_request)).collect();
        if self.queue.push(self.last_request, waiting).is_ok() {
            self.open.extend(works.into_iter().map(|work| (self.last_request, work)));
        }
    }

    fn take(&mut self, max_tokens: usize) {
        let batch = self.queue.take(max_tokens, 100);
        let tokens: usize = batch.iter().map(|work| work.input_ids.len()).sum();
        assert!(tokens <= max_tokens || batch.len() == 1, "{tokens} of {max_tokens}");
        self.running.push(batch);
    }

    fn finish_batch(&mut self) {
        for done in self.running.pop().unwrap_or_default() {
            let wanted = self.open.extract_if(.., |(_, work)| *work == done);
            let wanted: Vec<RequestId> = wanted.map(|(request, _)| request).collect();
            assert_eq!(self.queue.finish(&done), wanted);
        }
    }

    fn cancel(&mut self, gone: RequestId) {
        let works = self.open.extract_if(.., |(request, _)| *request == gone);
        let works = works.map(|(_, work)| work).collect();
        self.queue.cancel(gone, &works);
    }

    fn drain(&mut self) {
        let running: HashSet<&Work> = self.running.iter().flatten().collect();
        let waiting = self.open.extract_if(.., |(_, work)| !running.contains(work));
        assert_eq!(self.queue.drain().len(), waiting.count());
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_is_counted_twice(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut checked = Checked::new();
        steps.into_iter().for_each(|step| checked.go(step));
        while !checked.running.is_empty() {
            checked.finish_batch();
        }
        while checked.queue.tokens() > 0 {
            checked.take(5);
            checked.finish_batch();
        }
        prop_assert!(checked.open.is_empty(), "{:?}", checked.open);
        prop_assert_eq!((checked.queue.texts(), checked.queue.tokens()), (0, 0));
    }
}
