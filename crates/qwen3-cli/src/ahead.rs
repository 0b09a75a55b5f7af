//! The next texts are tokenized while the device computes the last ones.

use crate::error::Error;
use crate::input::Texts;
use qwen3_engine::CancelToken;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Hands each chunk of texts, `first` and then the rest, to `compute` with what
/// `tokenize` made of it on another thread. The last chunk is empty.
///
/// # Errors
/// The first error of reading, `tokenize` or `compute`, after all that came before it.
pub fn tokenize_ahead<T: Send>(
    first: Vec<String>,
    mut texts: Texts,
    tokenize: impl Fn(&[String]) -> Result<T, Error> + Send,
    mut compute: impl FnMut(&[String], T) -> Result<(), Error>,
) -> Result<(), Error> {
    let cancel = texts.cancel_token();
    thread::scope(|scope| {
        // Else the other thread could wait for input that never comes, and this one
        // for it: after an error, and after a panic too.
        let unfinished = CancelOnDrop(Some(&cancel));
        let (sender, chunks) = sync_channel(0);
        let tokenizing = scope.spawn(move || {
            let mut chunk = Ok(first);
            loop {
                let tokenized = chunk.and_then(|texts| Ok((tokenize(&texts)?, texts)));
                let is_last = tokenized.as_ref().map_or(true, |(_, texts)| texts.is_empty());
                if sender.send(tokenized).is_err() || is_last {
                    break;
                }
                chunk = texts.chunk();
            }
        });
        for chunk in chunks {
            chunk.and_then(|(tokens, texts)| compute(&texts, tokens))?;
        }
        tokenizing.join().unwrap_or_else(|panic| resume_unwind(panic));
        unfinished.disarm();
        Ok(())
    })
}

/// Cancels when it is dropped, unless it was disarmed.
struct CancelOnDrop<'a>(Option<&'a CancelToken>);

impl CancelOnDrop<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(cancel) = self.0 {
            cancel.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::SyncSender;

    type Chunks = SyncSender<Result<Vec<String>, Error>>;

    /// Runs it on two texts and an input that never ends; returns what it panics with.
    fn panics_with(
        tokenize: impl Fn(&[String]) -> Result<(), Error> + Send,
        compute: impl FnMut(&[String], ()) -> Result<(), Error>,
    ) -> &'static str {
        let cancel = CancelToken::default();
        let (_never_sends, texts): (Chunks, _) = Texts::of_channel(&cancel);
        let first = vec!["a".to_owned(), "b".to_owned()];
        let run = || tokenize_ahead(first, texts, tokenize, compute);
        let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it must panic");
        panic.downcast_ref::<&str>().copied().expect("with a text")
    }

    #[test]
    fn a_panic_of_either_side_does_not_wait_for_the_other() {
        assert_eq!(panics_with(|_| Ok(()), |_, ()| panic!("computing")), "computing");
        assert_eq!(panics_with(|_| panic!("tokenizing"), |_, ()| Ok(())), "tokenizing");
    }
}
