//! Readers of formats that many programs write. They may panic at what they don't expect, go round
//! in circles, or be too deep in a file for their stack.

use std::panic::catch_unwind;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// A page takes milliseconds; what takes this long never ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// Outlines, pages and tags may be nested deeply.
const STACK_BYTES: usize = 256 << 20;

/// What a reader makes of a file, on a thread of its own, or what is wrong with it.
pub fn apart<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, String> + Send + std::panic::UnwindSafe + 'static,
) -> Result<T, String> {
    let (sender, outcome) = channel();
    let run = move || {
        // Nobody waits any more if it took too long.
        let _ = sender.send(catch_unwind(read));
    };
    let thread = thread::Builder::new().name("reader".to_owned()).stack_size(STACK_BYTES);
    thread.spawn(run).map_err(|error| error.to_string())?;
    match outcome.recv_timeout(PATIENCE) {
        Ok(Ok(read)) => read,
        Ok(Err(_)) => Err("its structure is broken".to_owned()),
        Err(_) => Err("reading it takes too long".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_may_panic() {
        assert_eq!(apart(|| Ok(7)), Ok(7));
        assert_eq!(apart(|| Err::<(), _>("no".to_owned())), Err("no".to_owned()));
        let broken = apart(|| -> Result<(), String> { panic!("a table without an end") });
        assert_eq!(broken, Err("its structure is broken".to_owned()));
    }
}
