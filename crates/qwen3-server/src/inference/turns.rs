//! Work that takes a processor's time, so that nobody waits for one thread: on
//! the blocking pool, and in turns where it is long.

use super::Inference;
use crate::error::Error;
use std::time::{Duration, Instant};

/// How long texts of one request are tokenized before others have their turn.
const TURN: Duration = Duration::from_millis(1);

impl Inference {
    /// Runs something that takes a processor's time on the blocking pool, of
    /// which as much is used as the settings say.
    ///
    /// # Errors
    /// What it returns, and if it panics.
    pub async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.tokenizers.clone().acquire_owned().await;
        let permit = permit.expect("nobody closes it");
        let run = move || {
            let result = call();
            drop(permit);
            result
        };
        tokio::task::spawn_blocking(run).await.unwrap_or(Err(Error::Internal))
    }

    /// Runs the steps of something that takes a processor's time, until there are
    /// none. After every [`TURN`] others have theirs.
    pub async fn in_turns<T: Send + 'static>(
        &self,
        mut step: impl FnMut() -> Result<Option<T>, Error> + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        let mut done: Vec<T> = vec![];
        loop {
            let turn = move || {
                let (started, mut part, mut goes_on) = (Instant::now(), vec![], true);
                while goes_on && started.elapsed() < TURN {
                    let next = step()?;
                    goes_on = next.is_some();
                    part.extend(next);
                }
                Ok((part, goes_on, step))
            };
            let (part, goes_on, again) = self.blocking(turn).await?;
            done.extend(part);
            if !goes_on {
                return Ok(done);
            }
            step = again;
        }
    }
}

/// Runs something; what takes long, on a thread that no other request waits for.
pub async fn aside<T: Send + 'static>(
    is_long: bool,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    match is_long {
        false => Ok(run()),
        true => tokio::task::spawn_blocking(run).await.map_err(|_| Error::Internal),
    }
}
