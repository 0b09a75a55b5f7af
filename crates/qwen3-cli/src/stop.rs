//! Ctrl-C and other wishes that the process should stop.

use crate::error::Error;
use qwen3_engine::CancelToken;
use std::io;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
#[cfg(unix)]
use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};
#[cfg(windows)]
use tokio::signal::windows;

/// Signals that come so soon after the first are the same wish: `timeout` sends
/// its signal to a process and to its group.
#[cfg(unix)]
const SAME_WISH: Duration = Duration::from_millis(200);

/// The wish to stop, and whether somebody hears it.
#[derive(Clone, Default)]
pub struct Stop {
    cancel: CancelToken,
    is_heard: Arc<AtomicBool>,
}

impl Stop {
    /// Listens from now on, so that signals are heard even by the first process of
    /// a container, which the system spares those that nobody listens to.
    pub fn listen() -> Result<Self, Error> {
        let stop = Self::default();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().map_err(Error::Signal)?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::new().map_err(Error::Signal)?
        };
        let told = stop.clone();
        thread::spawn(move || {
            runtime.block_on(async {
                signals.first().await;
                if told.is_heard.load(Ordering::SeqCst) {
                    told.cancel.cancel();
                    signals.second().await;
                }
            });
            exit(i32::from(crate::CANCELLED));
        });
        Ok(stop)
    }

    /// What is cancelled then. Until somebody asks for it, the process ends at once.
    pub fn token(&self) -> CancelToken {
        self.is_heard.store(true, Ordering::SeqCst);
        self.cancel.clone()
    }
}

/// Signals that ask the process to stop.
#[cfg(unix)]
pub struct Signals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Signals {
    /// Ctrl-C, SIGTERM, and a terminal that is closed. Wants a runtime around it.
    pub fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut signals = vec![signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        if !outlives_its_terminal() {
            signals.push(signal(SignalKind::hangup())?);
        }
        Ok(Self(signals))
    }

    fn poll(&mut self, context: &mut Context) -> Poll<()> {
        match self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Ready at the first of them.
    pub async fn first(&mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    /// Ready at a Ctrl-C after that: it is meant to end the process at once.
    pub async fn second(&mut self) {
        tokio::time::sleep(SAME_WISH).await;
        // Those of the first wish.
        poll_fn(|context| {
            while self.poll(context).is_ready() {}
            Poll::Ready(())
        })
        .await;
        self.0[0].recv().await;
    }
}

/// Whether this was started with `nohup`. Only Linux tells it; elsewhere a terminal
/// that is closed ends the process as the system does it.
#[cfg(unix)]
fn outlives_its_terminal() -> bool {
    const HANGUP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_none_or(|mask| mask & HANGUP != 0)
}

/// Signals that ask the process to stop.
#[cfg(windows)]
pub struct Signals {
    interrupt: windows::CtrlC,
    pause: windows::CtrlBreak,
    close: windows::CtrlClose,
    shutdown: windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    /// Ctrl-C, Ctrl-Break, a window that is closed, and a system that goes down; of the last two
    /// it waits for some seconds only. Wants a runtime around it.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            pause: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    /// Ready at the first of them.
    pub async fn first(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.pause.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }

    /// Ready at a Ctrl-C after that: it is meant to end the process at once.
    pub async fn second(&mut self) {
        self.interrupt.recv().await;
    }
}
