//! Networks that are made up: each text's row says which text it is of, and
//! certain ids make trouble.

use super::*;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{self, RecvTimeoutError};

/// The first id of texts that make trouble.
pub const NAN: u32 = 900;
pub const NAN_IN_16_BITS: u32 = 901;
pub const PANIC: u32 = 902;
pub const LOST: u32 = 903;
pub const UNKNOWN: u32 = 904;

/// What a fake network saw, and how it behaves.
#[derive(Clone, Default)]
pub struct World {
    pub batches: Arc<Mutex<Vec<Vec<u32>>>>,
    pub loads: Arc<AtomicUsize>,
    /// Loads that fail, from the second on.
    pub failing_loads: Arc<AtomicUsize>,
    /// Where a network waits before each batch, if anywhere.
    pub gate: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
    /// More tokens at one time are out of memory; 0: no limit.
    pub memory_tokens: Arc<AtomicUsize>,
    pub time_per_batch: Duration,
    /// Longer texts are refused.
    pub max_tokens: Option<usize>,
}

struct Fake {
    world: World,
    precision: Precision,
}

impl Fake {
    /// What the first id of a text leads to.
    fn check(&self, input: usize, id: u32) -> Result<(), EngineError> {
        let (device, dtype) = (DeviceId::Cpu, Dtype::Bf16);
        match id {
            NAN => Err(EngineError::NonFinite { input, device, dtype }),
            NAN_IN_16_BITS if self.precision == Precision::Chosen => {
                Err(EngineError::NonFinite { input, device, dtype })
            }
            PANIC => panic!("on purpose"),
            UNKNOWN => {
                let reason = TextError::UnknownId { id, vocab_size: 900 };
                Err(EngineError::Input { input, reason })
            }
            LOST => Err(EngineError::DeviceLost { device, message: "gone".to_owned() }),
            _ => Ok(()),
        }
    }
}

impl Loaded for Fake {
    fn rows(
        &self,
        batch: &[&[u32]],
        _: Rows,
        cancel: &CancelToken,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        let device = DeviceId::Cpu;
        self.world.batches.lock().unwrap().push(batch.iter().map(|ids| ids[0]).collect());
        if let Some(gate) = &self.world.gate {
            let pause = Duration::from_millis(1);
            let is_shut =
                || gate.lock().unwrap().recv_timeout(pause) == Err(RecvTimeoutError::Timeout);
            while is_shut() && !cancel.is_cancelled() {}
        }
        std::thread::sleep(self.world.time_per_batch);
        if cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        if let Some(input) = batch.iter().position(|ids| ids.len() > Loaded::max_tokens(self)) {
            let reason = TextError::TooLong { found: batch[input].len(), max_tokens: 0 };
            return Err(EngineError::Input { input, reason });
        }
        let tokens: usize = batch.iter().map(|ids| ids.len()).sum();
        let memory_tokens = self.world.memory_tokens.load(Ordering::SeqCst);
        if memory_tokens > 0 && tokens > memory_tokens {
            return Err(EngineError::OutOfMemory { device, message: format!("{tokens}") });
        }
        batch.iter().enumerate().try_for_each(|(input, ids)| self.check(input, ids[0]))?;
        Ok(batch.iter().map(|ids| vec![ids[0] as f32, ids.len() as f32]).collect())
    }

    fn max_batch_tokens(&self) -> usize {
        100
    }

    fn max_tokens(&self) -> usize {
        self.world.max_tokens.unwrap_or(usize::MAX)
    }

    fn name(&self) -> String {
        "fake".to_owned()
    }
}

impl World {
    pub fn load(&self) -> Load {
        let world = self.clone();
        Box::new(move |precision, _| {
            let before = world.loads.fetch_add(1, Ordering::SeqCst);
            let take = |left: usize| left.checked_sub(1);
            let fails = world.failing_loads.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
            if before > 0 && fails.is_ok() {
                let message = "still gone".to_owned();
                return Err(EngineError::DeviceLost { device: DeviceId::Cpu, message });
            }
            Ok(Some(Box::new(Fake { world: world.clone(), precision }) as Box<dyn Loaded>))
        })
    }

    pub fn start_with(&self, replicas: usize, settings: SchedulerSettings) -> Scheduler {
        let loaders = (0..replicas).map(|_| self.load()).collect();
        Scheduler::start(loaders, settings, Metrics::new().model("test")).unwrap()
    }

    pub fn start(&self) -> Scheduler {
        self.start_with(1, settings())
    }

    pub fn batches(&self) -> Vec<Vec<u32>> {
        self.batches.lock().unwrap().clone()
    }
}

/// A world whose networks wait, and what lets them compute one batch.
pub fn gated() -> (World, mpsc::Sender<()>) {
    let (open, gate) = mpsc::channel();
    (World { gate: Some(Arc::new(Mutex::new(gate))), ..World::default() }, open)
}
