//! Networks that fail at random, beside clients that come and go: whatever
//! happens, a text has its own answer or an error, soon, and nothing is left.

use super::*;
use std::sync::atomic::AtomicU64;

/// Beyond, an answer is lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// Texts from here on have a token that no network knows.
const FIRST_UNKNOWN: u32 = 60;

/// Numbers for all threads of a test (SplitMix64; Steele, Lea and Flood 2014).
#[derive(Clone)]
struct Dice(Arc<AtomicU64>);

impl Dice {
    fn below(&self, end: u64) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut x = self.0.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % end
    }
}

struct Moody(Dice);

impl Loaded for Moody {
    fn rows(
        &self,
        batch: &[&[u32]],
        _: Rows,
        cancel: &CancelToken,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        let device = DeviceId::Cpu;
        let message = "on purpose".to_owned();
        if let Some(input) = batch.iter().position(|ids| ids[0] >= FIRST_UNKNOWN) {
            let reason = TextError::UnknownId { id: batch[input][0], vocab_size: 60 };
            return Err(EngineError::Input { input, reason });
        }
        std::thread::sleep(Duration::from_micros(self.0.below(400)));
        match self.0.below(40) {
            _ if cancel.is_cancelled() => Err(EngineError::Cancelled),
            // Without the hook, which would print it.
            0 => std::panic::resume_unwind(Box::new(message)),
            1 => Err(EngineError::DeviceLost { device, message }),
            2..6 => Err(EngineError::OutOfMemory { device, message }),
            6..8 => Err(EngineError::NonFinite { input: 0, device, dtype: Dtype::Bf16 }),
            _ => Ok(batch.iter().map(|ids| vec![ids[0] as f32; ids.len()]).collect()),
        }
    }

    fn max_batch_tokens(&self) -> usize {
        40
    }

    fn max_tokens(&self) -> usize {
        usize::MAX
    }

    fn name(&self) -> String {
        "moody".to_owned()
    }
}

fn load(dice: &Dice) -> Load {
    let dice = dice.clone();
    let is_first = std::sync::atomic::AtomicBool::new(true);
    Box::new(move |precision, _| {
        let is_first = is_first.swap(false, Ordering::Relaxed);
        match dice.below(8) {
            0 if !is_first => std::panic::resume_unwind(Box::new("on purpose")),
            1 if !is_first => Err(EngineError::Cancelled),
            2 if precision == Precision::Float32 => Ok(None),
            _ => Ok(Some(Box::new(Moody(dice.clone())) as Box<dyn Loaded>)),
        }
    })
}

/// Sends texts, and gives some of them up.
fn client(scheduler: &Scheduler, dice: &Dice) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for _ in 0..40 {
        let ids: Vec<u32> = (0..dice.below(9)).map(|_| dice.below(62) as u32).collect();
        let works = ids.iter().map(|&id| work(id, 1 + id as usize % 7)).collect();
        let Ok(ticket) = scheduler.submit(works) else {
            std::thread::sleep(Duration::from_millis(dice.below(5)));
            continue;
        };
        let gives_up = dice.below(4) == 0;
        let patience = if gives_up { Duration::from_micros(dice.below(900)) } else { PATIENCE };
        let answers = async { tokio::time::timeout(patience, ticket.answers()).await };
        let Ok(answers) = runtime.block_on(answers) else {
            assert!(gives_up, "an answer was lost");
            continue;
        };
        assert_eq!(answers.len(), ids.len());
        for (answer, id) in answers.into_iter().zip(ids) {
            match answer {
                Ok(computed) => assert!(computed.rows.iter().all(|&x| x == id as f32)),
                Err(ComputeError::Input { .. }) => assert!(id >= FIRST_UNKNOWN),
                Err(_) => {}
            }
        }
    }
}

#[test]
fn whatever_fails_each_text_has_its_own_answer_and_nothing_is_left() {
    for seed in 0..4 {
        let dice = Dice(Arc::new(AtomicU64::new(seed)));
        let queue = QueueLimits { texts: 40, tokens: 120 };
        let idle_unload = Some(Duration::from_millis(2));
        let settings = SchedulerSettings { queue, idle_unload, cache_bytes: 800, ..settings() };
        let loaders = (0..3).map(|_| load(&dice)).collect();
        let metrics = Metrics::new().model("test");
        let scheduler = Scheduler::start(loaders, settings, metrics).unwrap();
        std::thread::scope(|scope| {
            (0..6).for_each(|_| drop(scope.spawn(|| client(&scheduler, &dice))));
        });
        until("all is answered", || scheduler.snapshot().texts == 0);
        assert_eq!(scheduler.snapshot().tokens, 0, "seed {seed}");
        scheduler.stop();
    }
}
