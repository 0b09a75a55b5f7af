//! Turns, dtypes and buffers of a session.

use super::*;
use crate::choices::DtypeChoice;
use std::path::{Path, PathBuf};

#[test]
#[cfg(all(feature = "cpu", feature = "ndarray"))]
fn auto_keeps_the_checkpoints_dtype_where_the_device_can() {
    let device = |id| Opened::open(id).unwrap();
    let (cpu, ndarray) = (device(DeviceId::Cpu), device(DeviceId::NdArray));
    let weights = |name: &str| Checkpoint::open(fixture(name), &Hooks::default()).unwrap().weights;
    let auto = |device, stored| {
        let holdings = candidates(device, &weights(stored), DtypeChoice::Auto).unwrap();
        holdings.into_iter().map(|holding| (holding.dtype, holding.as_stored)).collect::<Vec<_>>()
    };
    assert_eq!(auto(&cpu, "tiny-embedding")[0], (Dtype::Bf16, None));
    assert_eq!(auto(&cpu, "tiny-embedding-variant")[0], (Dtype::F16, None));
    assert_eq!(auto(&ndarray, "tiny-embedding"), [(Dtype::F32, None)]);
    for device in [&cpu, &ndarray] {
        let of_blocks = [(Dtype::Q8_0, Some(Dtype::F32))];
        assert_eq!(auto(device, "gguf/tiny-embedding-q8_0.gguf"), of_blocks);
    }
    let bf16 = weights("tiny-embedding");
    let refused = candidates(&ndarray, &bf16, Dtype::Bf16.into()).unwrap_err();
    let expected = "device `ndarray` can't hold bf16 weights, only f32";
    assert_eq!(refused.to_string(), expected);
}

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures")).join(name)
}

#[cfg(feature = "cpu")]
fn session() -> Session {
    let options = Options::default().device(DeviceId::Cpu);
    Session::load(fixture("tiny-embedding"), &options).unwrap()
}

#[test]
#[cfg(feature = "cpu")]
fn calls_wait_for_their_turn_and_none_runs_inside_of_another() {
    let session = session();
    let hooks = Hooks::default();
    let row = |ids: &[u32], hooks: &Hooks| session.rows(&[ids], Rows::Last, hooks);
    let expected = row(&[1, 2, 3], &hooks).unwrap();
    thread::scope(|scope| {
        let turn = session.network.take(&hooks.cancel).unwrap();
        let calls = [(); 50].map(|()| scope.spawn(|| row(&[1, 2, 3], &hooks)));
        let cancelled = Hooks::default();
        cancelled.cancel.cancel();
        while session.network.len() < 1 + calls.len() {
            thread::yield_now();
        }
        assert!(matches!(row(&[4], &cancelled), Err(Error::Cancelled)));
        assert!(calls.iter().all(|call| !call.is_finished()), "none runs inside of a turn");
        drop(turn);
        for call in calls {
            assert_eq!(call.join().unwrap().unwrap(), expected);
        }
    });
}

/// Tries again, because tests beside this one share the buffers.
#[cfg(feature = "cpu")]
fn check_buffers(mut call: impl FnMut(), max_bytes: u64) {
    let unused = || Opened::open(DeviceId::Cpu).unwrap().unused_buffer_bytes();
    let few = (0..3_000).any(|_| {
        call();
        thread::sleep(std::time::Duration::from_millis(10));
        unused() <= max_bytes
    });
    assert!(few, "{} of {max_bytes} bytes", unused());
}

#[test]
#[cfg(feature = "cpu")]
fn a_long_text_keeps_no_memory_and_a_model_that_is_unloaded_none_at_all() {
    let session = session();
    let long: Vec<u32> = (0..3_000).map(|id| id % 600).collect();
    let usual = session.max_batch_tokens as u64 * activation_bytes(&session.config);
    assert!(long.len() as u64 > 4 * session.max_batch_tokens as u64);
    let row = |ids: &[u32]| drop(session.rows(&[ids], Rows::Last, &Hooks::default()).unwrap());
    check_buffers(|| row(&long), 2 * usual);
    drop(session);
    check_buffers(|| (), 0);
}
