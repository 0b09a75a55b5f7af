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
