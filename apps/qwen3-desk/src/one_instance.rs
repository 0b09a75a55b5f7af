//! One process has the index. A second start shows the window of the first.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// How long the first may take to answer, or to end.
pub const PATIENCE: Duration = Duration::from_secs(5);
const NAP: Duration = Duration::from_millis(20);
/// Between two looks whether another start has asked for the window.
const LOOK: Duration = Duration::from_millis(250);

/// What became of a start.
#[derive(Debug)]
pub enum Taken {
    /// This process has the index.
    Here(Instance),
    /// Another one has it, and shows its window.
    Shown,
    /// Another one has it, and doesn't answer: it hangs, or it is a command.
    Silent,
}

/// Held as long as the process has the index. The system lets go of it however that ends.
#[derive(Debug)]
pub struct Instance {
    _lock: File,
    request: PathBuf,
}

impl Instance {
    /// `None` if another process has it.
    pub fn take(lock: &Path) -> io::Result<Option<Self>> {
        if let Some(folder) = lock.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).truncate(false).write(true).open(lock)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let request = lock.with_extension("show");
        // What was asked of an earlier process.
        let _ = std::fs::remove_file(&request);
        Ok(Some(Self { _lock: file, request }))
    }

    /// As [`Self::take`], but another process is asked to show its window. One that is about to
    /// end doesn't answer, and is waited for.
    pub fn take_or_ask(lock: &Path, patience: Duration) -> io::Result<Taken> {
        if let Some(instance) = Self::take(lock)? {
            return Ok(Taken::Here(instance));
        }
        let request = lock.with_extension("show");
        std::fs::write(&request, "")?;
        let start = Instant::now();
        while request.exists() {
            if start.elapsed() > patience {
                let _ = std::fs::remove_file(&request);
                return Ok(Taken::Silent);
            }
            sleep(NAP);
            if let Some(instance) = Self::take(lock)? {
                return Ok(Taken::Here(instance));
            }
        }
        Ok(Taken::Shown)
    }

    /// Calls `show` whenever another start asks for the window, until the answer is dropped.
    pub fn answer(&self, show: impl Fn() + Send + 'static) -> Answers {
        let request = self.request.clone();
        let (end, ends) = channel::<()>();
        let thread = spawn(move || {
            while ends.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if std::fs::remove_file(&request).is_ok() {
                    show();
                }
            }
        });
        Answers { thread: Some((end, thread)) }
    }
}

/// The thread that answers other starts.
#[derive(Debug)]
pub struct Answers {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Drop for Answers {
    fn drop(&mut self) {
        let Some((end, thread)) = self.thread.take() else { return };
        drop(end);
        // It has nothing to say, and a panic of it harms nobody.
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_asks_the_first_or_waits_for_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("deep/lock");
        let first = Instance::take(&lock).unwrap().unwrap();
        let (shown, shows) = channel();
        let answers = first.answer(move || shown.send(()).unwrap());
        assert!(Instance::take(&lock).unwrap().is_none());
        assert!(matches!(Instance::take_or_ask(&lock, PATIENCE).unwrap(), Taken::Shown));
        shows.recv().unwrap();
        drop(answers);
        assert!(shows.recv().is_err(), "shown once");
        let silent = Instance::take_or_ask(&lock, 5 * NAP).unwrap();
        assert!(matches!(silent, Taken::Silent));
        let ends = spawn(move || {
            sleep(20 * NAP);
            drop(first);
        });
        assert!(matches!(Instance::take_or_ask(&lock, PATIENCE).unwrap(), Taken::Here(_)));
        ends.join().unwrap();
    }
}
