//! The next texts are tokenized while the device computes the last ones.

use crate::error::Error;
use crate::input::Texts;
use qwen3_engine::CancelToken;
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
    cancel: &CancelToken,
    tokenize: impl Fn(&[String]) -> Result<T, Error> + Send,
    mut compute: impl FnMut(&[String], T) -> Result<(), Error>,
) -> Result<(), Error> {
    thread::scope(|scope| {
        let (sender, chunks) = sync_channel(0);
        scope.spawn(move || {
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
            let computed = chunk.and_then(|(tokens, texts)| compute(&texts, tokens));
            if computed.is_err() {
                // Else the other thread could wait for input that never comes.
                cancel.cancel();
                return computed;
            }
        }
        Ok(())
    })
}
