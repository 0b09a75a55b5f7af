//! The scheduler with networks that are made up.

mod fake;
mod recovery;
mod stress;

use super::state::NOT_LOADED;
use super::*;
use crate::metrics::Metrics;
use fake::{LOST, NAN, NAN_IN_16_BITS, PANIC, UNKNOWN, World, gated};
use qwen3_engine::{DeviceId, Dtype, TextError};
use std::sync::atomic::Ordering;

fn settings() -> SchedulerSettings {
    SchedulerSettings {
        queue: QueueLimits { texts: 5000, tokens: 100_000 },
        max_batch_texts: usize::MAX,
        cache_bytes: 0,
        idle_unload: None,
        warm_up: false,
    }
}

fn work(id: u32, tokens: usize) -> Work {
    Work::new(vec![id; tokens], Rows::Last)
}

fn works(ids: std::ops::Range<u32>) -> Vec<Work> {
    ids.map(|id| work(id, 10)).collect()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The first number of each row, or what went wrong.
fn wait(ticket: Ticket) -> Vec<Result<f32, ComputeError>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answers = runtime.block_on(ticket.answers());
    answers.into_iter().map(|answer| answer.map(|computed| computed.rows[0])).collect()
}

#[test]
fn answers_are_never_mixed_up() {
    let world = World { time_per_batch: Duration::from_micros(200), ..World::default() };
    let scheduler = world.start_with(3, settings());
    std::thread::scope(|scope| {
        for client in 0..16u32 {
            let scheduler = &scheduler;
            scope.spawn(move || {
                for round in 0..20u32 {
                    // Some texts of a client are wanted by others too, some are given up.
                    let ids: Vec<u32> =
                        (0..9).map(|i| (client * 31 + round * 7 + i) % 97).collect();
                    let works = ids.iter().map(|&id| work(id, 1 + id as usize % 40)).collect();
                    let ticket = scheduler.submit(works).unwrap();
                    if (client + round) % 5 == 0 {
                        continue;
                    }
                    let expected: Vec<_> = ids.iter().map(|&id| Ok(id as f32)).collect();
                    assert_eq!(wait(ticket), expected);
                }
            });
        }
    });
    until("all is answered", || scheduler.snapshot().texts == 0);
    assert_eq!(scheduler.snapshot().tokens, 0);
}

#[test]
fn a_free_device_takes_what_is_there() {
    let (world, open) = gated();
    let scheduler = world.start();
    let first = scheduler.submit(works(1..2)).unwrap();
    until("the first is computed", || world.batches() == [vec![1]]);
    let rest: Vec<Ticket> = (2..5).map(|id| scheduler.submit(works(id..id + 1)).unwrap()).collect();
    open.send(()).unwrap();
    open.send(()).unwrap();
    assert_eq!(wait(first), [Ok(1.0)]);
    for (ticket, id) in rest.into_iter().zip(2..5) {
        assert_eq!(wait(ticket), [Ok(id as f32)]);
    }
    assert_eq!(world.batches(), [vec![1], vec![2, 3, 4]]);
}

#[test]
fn one_text_is_in_the_batch_after_the_running_one() {
    let (world, open) = gated();
    let scheduler = world.start();
    let bulk = scheduler.submit(works(1000..3000)).unwrap();
    until("bulk is computed", || !world.batches().is_empty());
    let one = scheduler.submit(works(1..2)).unwrap();
    for _ in 0..2 {
        open.send(()).unwrap();
    }
    assert_eq!(wait(one), [Ok(1.0)]);
    drop(bulk);
    drop(open);
}

#[test]
fn a_full_queue_refuses_and_says_when_to_try_again() {
    let (world, open) = gated();
    let queue = QueueLimits { texts: 10, tokens: 60 };
    let scheduler = world.start_with(1, SchedulerSettings { queue, ..settings() });
    let always = scheduler.submit(works(0..11)).err();
    assert!(
        matches!(always, Some(SubmitError::TooLarge { texts: 11, tokens: 110, .. })),
        "{always:?}"
    );
    let tickets: Vec<Ticket> =
        (0..6).map(|id| scheduler.submit(works(id..id + 1)).unwrap()).collect();
    until("one is computed", || !world.batches().is_empty());
    let refused = scheduler.submit(works(20..26)).err();
    let Some(SubmitError::Overloaded { texts, retry_after }) = refused else {
        panic!("{refused:?}")
    };
    assert!((1..=60).contains(&retry_after.as_secs()) && texts == 6, "{texts} {retry_after:?}");
    drop(open);
    tickets.into_iter().for_each(|ticket| drop(wait(ticket)));
    assert_eq!(wait(scheduler.submit(works(20..26)).unwrap()).len(), 6);
}

#[test]
fn what_nobody_waits_for_leaves_the_queue_and_its_batch() {
    let (world, open) = gated();
    let scheduler = world.start();
    let running = scheduler.submit(works(1..2)).unwrap();
    until("it is computed", || !world.batches().is_empty());
    let waiting = scheduler.submit(works(2..50)).unwrap();
    assert_eq!(scheduler.snapshot().texts, 49);
    drop(waiting);
    drop(running);
    assert_eq!(scheduler.snapshot().texts, 0);
    // Comes before the abandoned batch has ended: its rows are computed after all.
    let again = scheduler.submit(works(1..2)).unwrap();
    drop(open);
    assert_eq!(wait(again), [Ok(1.0)]);
    assert_eq!(world.batches(), [vec![1], vec![1]]);
}

#[test]
fn identical_texts_in_flight_are_computed_once() {
    let (world, open) = gated();
    let scheduler = world.start();
    let first = scheduler.submit(vec![work(5, 10), work(6, 10), work(5, 10)]).unwrap();
    until("they are computed", || !world.batches().is_empty());
    let second = scheduler.submit(vec![work(6, 10)]).unwrap();
    drop(open);
    assert_eq!(wait(first), [Ok(5.0), Ok(6.0), Ok(5.0)]);
    assert_eq!(wait(second), [Ok(6.0)]);
    assert_eq!(world.batches(), [vec![5, 6]]);
}

#[test]
fn the_cache_answers_what_it_has() {
    let world = World::default();
    let scheduler = world.start_with(1, SchedulerSettings { cache_bytes: 4096, ..settings() });
    for _ in 0..3 {
        assert_eq!(wait(scheduler.submit(works(1..3)).unwrap()), [Ok(1.0), Ok(2.0)]);
    }
    assert_eq!(world.batches(), [vec![1, 2]]);
}

#[test]
fn a_text_that_gives_nan_fails_alone() {
    let world = World::default();
    let scheduler = world.start();
    let ids = [1, NAN, NAN_IN_16_BITS, 2];
    let ticket = scheduler.submit(ids.map(|id| work(id, 10)).to_vec()).unwrap();
    let expected = [Ok(1.0), Err(ComputeError::NonFinite), Ok(NAN_IN_16_BITS as f32), Ok(2.0)];
    assert_eq!(wait(ticket), expected);
    assert_eq!(world.loads.load(Ordering::SeqCst), 2, "float32 is loaded once");
}

#[test]
fn a_text_that_comes_again_while_it_is_cancelled_is_computed() {
    let (mut world, open) = gated();
    world.time_per_batch = Duration::from_millis(50);
    let scheduler = world.start();
    let first = scheduler.submit(vec![work(NAN_IN_16_BITS, 10)]).unwrap();
    open.send(()).unwrap();
    until("it is computed in float32", || world.batches().len() == 2);
    drop(first);
    let again = scheduler.submit(vec![work(NAN_IN_16_BITS, 10)]).unwrap();
    drop(open);
    assert_eq!(wait(again), [Ok(NAN_IN_16_BITS as f32)]);
}

#[test]
fn out_of_memory_splits_the_batch_and_lowers_the_budget() {
    let world = World::default();
    world.memory_tokens.store(30, Ordering::SeqCst);
    let scheduler = world.start();
    let answers = wait(scheduler.submit(works(0..10)).unwrap());
    assert_eq!(answers, (0..10).map(|id| Ok(id as f32)).collect::<Vec<_>>());
    let batches = world.batches().len();
    // 100, 50 and 50 tokens were too many; 20 or 30 are not.
    assert_eq!(wait(scheduler.submit(works(20..22)).unwrap()).len(), 2);
    assert_eq!(world.batches().len(), batches + 1);
    let alone = wait(scheduler.submit(vec![work(50, 31)]).unwrap());
    assert_eq!(alone, [Err(ComputeError::OutOfMemory { message: "31".to_owned() })]);
}

#[test]
fn a_lost_engine_is_rebuilt_and_says_so_meanwhile() {
    for trouble in [PANIC, LOST] {
        let world = World::default();
        world.failing_loads.store(2, Ordering::SeqCst);
        let scheduler = world.start();
        let answers = wait(scheduler.submit(vec![work(trouble, 10)]).unwrap());
        assert!(matches!(answers[..], [Err(ComputeError::Device { .. })]), "{answers:?}");
        until("it is ill", || scheduler.health().is_err());
        let refused = scheduler.submit(works(1..2)).err();
        // Nothing of the cause, which may name files of this machine.
        assert_eq!(refused, Some(SubmitError::Unavailable { reason: NOT_LOADED.to_owned() }));
        until("it is back", || matches!(scheduler.snapshot().replicas[..], [Phase::Ready(_)]));
        assert_eq!(wait(scheduler.submit(works(1..2)).unwrap()), [Ok(1.0)]);
    }
}

#[test]
fn an_idle_device_is_freed_and_loaded_on_demand() {
    let world = World::default();
    let idle_unload = Some(Duration::from_millis(20));
    let scheduler = world.start_with(1, SchedulerSettings { idle_unload, ..settings() });
    until("it is freed", || scheduler.snapshot().replicas == [Phase::Unloaded]);
    assert_eq!(scheduler.health(), Ok(()));
    assert_eq!(wait(scheduler.submit(works(1..2)).unwrap()), [Ok(1.0)]);
    assert_eq!(world.loads.load(Ordering::SeqCst), 2);
}

#[test]
fn a_model_that_does_not_load_is_an_error_at_the_start() {
    let refuses: Load = Box::new(|_, _| Err(EngineError::Cancelled));
    let metrics = Metrics::new().model("test");
    let result = Scheduler::start(vec![World::default().load(), refuses], settings(), metrics);
    assert!(matches!(result, Err(ReplicaError::Engine(EngineError::Cancelled))));
}

#[test]
fn stopping_answers_all_who_wait() {
    let (world, open) = gated();
    let scheduler = world.start();
    let tickets: Vec<Ticket> =
        (0..40).map(|id| scheduler.submit(works(id..id + 1)).unwrap()).collect();
    until("some are computed", || !world.batches().is_empty());
    drop(open);
    scheduler.stop();
    for ticket in tickets {
        let answers = wait(ticket);
        assert!(
            matches!(answers[..], [Ok(_)] | [Err(ComputeError::Unavailable { .. })]),
            "{answers:?}"
        );
    }
    assert!(scheduler.submit(works(1..2)).is_err());
}
