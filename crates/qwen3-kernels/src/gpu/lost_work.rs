//! Panics of CubeCL's threads. CubeCL logs them and goes on, and a kernel behind one computes from
//! whatever was in memory.

use crate::LostWork;
use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

/// How the names of the threads begin that CubeCL has for devices.
const THREADS: [&str; 2] = ["DSD-", "DSU-"];
/// What stands before an error that was unwrapped.
const UNWRAPPED: &str = "called `Result::unwrap()` on an `Err` value: ";
/// Messages that are kept.
const MESSAGES: usize = 100;

static LOST: Mutex<LostWork> = Mutex::new(LostWork { count: 0, messages: vec![] });

/// Counts panics from now on, and then tells them to who listened before.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let listener = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_of = |name: &str| THREADS.iter().any(|beginning| name.starts_with(beginning));
            if thread::current().name().is_some_and(is_of) {
                note(panic);
            }
            listener(panic);
        }));
    });
}

/// What was lost so far.
pub(super) fn so_far() -> LostWork {
    LOST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn note(panic: &PanicHookInfo<'_>) {
    let mut lost = LOST.lock().unwrap_or_else(PoisonError::into_inner);
    lost.count += 1;
    if lost.messages.len() == MESSAGES {
        lost.messages.remove(0);
    }
    // A backtrace may follow.
    let message = panic.payload_as_str().and_then(|message| message.lines().next());
    let message = message.unwrap_or("no message");
    lost.messages.push(message.strip_prefix(UNWRAPPED).unwrap_or(message).to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_of_cubecls_threads_are_counted_and_others_are_not() {
        watch();
        let panic_in = |name: &str, message: &'static str| {
            let thread = thread::Builder::new().name(name.to_owned());
            thread.spawn(move || panic!("{message}")).unwrap().join().unwrap_err();
        };
        let before = so_far().count;
        panic_in("another", "not counted");
        assert_eq!(so_far().since(before), None);
        let full = "called `Result::unwrap()` on an `Err` value: a full memory\nNo backtrace";
        panic_in("DSD-0-0", full);
        panic_in("DSD-0-0", "what follows");
        assert_eq!(so_far().since(before), Some("a full memory".to_owned()));
        assert_eq!(so_far().count, before + 2);
        (0..MESSAGES).for_each(|_| panic_in("DSU-0-0", "many"));
        assert_eq!(so_far().since(before), Some("many".to_owned()));
    }
}
