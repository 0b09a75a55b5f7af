//! What goes wrong with one text, batch or replica, and how the others go on.

use super::*;
use crate::models::{ModelToServe, load_embedder};
use qwen3_engine::Options;

#[test]
fn batches_grow_again_when_memory_is_free_again() {
    let world = World::default();
    let scheduler = world.start();
    world.memory_tokens.store(30, Ordering::SeqCst);
    wait(scheduler.submit(works(0..10)).unwrap());
    let tight = scheduler.max_batch_tokens();
    assert!(tight <= 30, "{tight}");
    world.memory_tokens.store(0, Ordering::SeqCst);
    for id in 0..100 {
        assert_eq!(wait(scheduler.submit(works(id..id + 1)).unwrap()), [Ok(id as f32)]);
    }
    assert_eq!(scheduler.max_batch_tokens(), 100, "what the device takes, and no more");
}

#[test]
fn a_text_that_the_network_does_not_take_fails_alone() {
    let world = World::default();
    let scheduler = world.start();
    let ids = [1, 2, UNKNOWN, 3, 4];
    let answers = wait(scheduler.submit(ids.map(|id| work(id, 10)).to_vec()).unwrap());
    let [Ok(1.0), Ok(2.0), Err(ComputeError::Input { reason }), Ok(3.0), Ok(4.0)] = &answers[..]
    else {
        panic!("{answers:?}");
    };
    assert!(reason.contains("token id `904`"), "{reason}");
    assert_eq!(world.loads.load(Ordering::SeqCst), 1, "the network stays");
    assert_eq!(scheduler.health(), Ok(()));
}

#[test]
fn the_warm_up_is_no_longer_than_what_the_model_takes() {
    let world = World { max_tokens: Some(4), ..World::default() };
    world.start_with(1, SchedulerSettings { warm_up: true, ..settings() });
    assert_eq!(world.batches(), [vec![0]]);
}

#[test]
fn as_many_replicas_are_loaded_as_there_is_work_for() {
    let (world, open) = gated();
    let idle_unload = Some(Duration::from_millis(20));
    let scheduler = world.start_with(3, SchedulerSettings { idle_unload, ..settings() });
    let all_are_freed = || scheduler.snapshot().replicas == vec![Phase::Unloaded; 3];
    until("all are freed", all_are_freed);
    open.send(()).unwrap();
    assert_eq!(wait(scheduler.submit(works(1..2)).unwrap()), [Ok(1.0)]);
    until("they are freed again", all_are_freed);
    assert_eq!(world.loads.load(Ordering::SeqCst), 3 + 1);
    let many = scheduler.submit(works(0..40)).unwrap();
    until("all are loaded", || world.loads.load(Ordering::SeqCst) == 3 + 1 + 3);
    drop(open);
    assert_eq!(wait(many).len(), 40);
}

#[test]
fn a_replica_that_does_not_load_leaves_its_texts_to_another() {
    let (gone, good) = (World::default(), World::default());
    let settings = SchedulerSettings { idle_unload: Some(Duration::from_millis(20)), ..settings() };
    let metrics = Metrics::new().model("test");
    let scheduler = Scheduler::start(vec![gone.load(), good.load()], settings, metrics).unwrap();
    until("both are freed", || scheduler.snapshot().replicas == vec![Phase::Unloaded; 2]);
    gone.failing_loads.store(usize::MAX, Ordering::SeqCst);
    assert_eq!(wait(scheduler.submit(works(1..2)).unwrap()), [Ok(1.0)]);
    assert_eq!(scheduler.health(), Ok(()));
}

#[test]
fn what_the_network_itself_refuses_fails_alone_too() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tiny-embedding");
    let served = ModelToServe {
        source: model.into(),
        name: None,
        options: Options::default(),
        devices: vec![DeviceId::Cpu.into()],
    };
    let model = load_embedder(&served, settings(), &Metrics::new()).unwrap();
    let works = vec![work(1, 3), work(640, 3), work(2, 3), work(3, 32_769)];
    let answers = wait(model.scheduler.submit(works).unwrap());
    let refused = |answer: &Result<f32, ComputeError>| match answer {
        Err(ComputeError::Input { reason }) => reason.clone(),
        other => panic!("{other:?}"),
    };
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(refused(&answers[1]).contains("token id 640 is outside"), "{answers:?}");
    assert!(refused(&answers[3]).contains("has 32769 tokens, the model takes 32768"));
    assert!(matches!(model.scheduler.snapshot().replicas[..], [Phase::Ready(_)]));
}
