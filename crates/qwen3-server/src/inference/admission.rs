//! Who is let in: requests, their bodies and their answers, each up to a limit.

use super::{Call, Inference};
use crate::error::Error;
use crate::settings::Settings;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many of the largest answers are made or on their way at the same time; others wait.
const ANSWERS: usize = 4;
/// Answers that are not counted among them.
const SMALL_ANSWER_KIB: u32 = 64;

/// Bytes of a body that the server holds, among those of all others.
pub struct HeldBytes {
    bodies: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Inference {
    /// Counts a request and lets it in, until its answer has left.
    pub fn admit(&self, call: &Call, field: &'static str, texts: usize) -> Result<(), Error> {
        self.metrics.request(texts);
        self.check_texts(field, texts)?;
        let mut permits = call.permits();
        if permits.among_requests.is_none() {
            let max = self.settings.max_concurrent_requests;
            let permit = self.requests.clone().try_acquire_owned();
            permits.among_requests = Some(permit.map_err(|_| Error::Busy { max })?);
        }
        Ok(())
    }

    /// Whether a request may have so many texts.
    pub fn check_texts(&self, field: &'static str, texts: usize) -> Result<(), Error> {
        let max = self.settings.max_client_batch_size;
        match texts {
            0 => Err(Error::Empty { field: field.to_owned() }),
            _ if texts > max => Err(Error::BatchSize { found: texts, max }),
            _ => Ok(()),
        }
    }

    /// Whether an answer may have so many bytes, before it is JSON.
    pub fn check_answer(&self, bytes: usize) -> Result<(), Error> {
        let max = self.settings.answer_limit;
        match bytes > max {
            true => Err(Error::Answer { bytes, max }),
            false => Ok(()),
        }
    }

    /// Waits until there is room for an answer of so many bytes beside others, those on
    /// their way included; small ones need none.
    pub async fn room(&self, call: &Call, bytes: usize) {
        let kib = (bytes / 1024).min(answer_permits(&self.settings));
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        if kib < SMALL_ANSWER_KIB {
            return;
        }
        let has_asked = std::mem::replace(&mut call.permits().has_asked_for_room, true);
        let permit = match has_asked {
            false => self.answers.clone().acquire_many_owned(kib).await.ok(),
            // Requests that hold some and wait for more could wait for each other.
            true => self.answers.clone().try_acquire_many_owned(kib).ok(),
        };
        call.permits().among_answers.extend(permit);
    }

    /// Room for a body, of which nothing has come yet.
    pub fn hold(&self) -> HeldBytes {
        HeldBytes { bodies: self.bodies.clone(), permit: None }
    }
}

impl HeldBytes {
    /// Adds bytes that have come.
    ///
    /// # Errors
    /// If the server holds too many.
    pub fn add(&mut self, bytes: usize) -> Result<(), ()> {
        let bytes = u32::try_from(bytes).map_err(drop)?;
        let more = self.bodies.clone().try_acquire_many_owned(bytes).map_err(drop)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

/// KiB of all answers together that are being made.
pub fn answer_permits(settings: &Settings) -> usize {
    ANSWERS.saturating_mul(settings.answer_limit) / 1024
}

/// Bytes of all bodies together.
pub fn body_permits(settings: &Settings) -> usize {
    settings.max_concurrent_bytes.max(settings.payload_limit)
}
