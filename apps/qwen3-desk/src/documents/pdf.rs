//! The text of PDFs, which are written by many programs and read by one that may fail.

use super::read::Unread;
use std::panic::catch_unwind;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// A page takes milliseconds; what takes this long goes round in circles.
const PATIENCE: Duration = Duration::from_secs(60);
/// Outlines and pages may be nested deeply.
const STACK_BYTES: usize = 64 << 20;

/// The text of each page. It is read on a thread of its own, so that neither a panic nor an
/// endless loop of the reader ends the indexing.
pub fn pages(bytes: &[u8]) -> Result<Vec<String>, Unread> {
    let bytes = bytes.to_vec();
    let (sender, pages) = channel();
    let read = move || {
        let pages = catch_unwind(|| pdf_extract::extract_text_from_mem_by_pages(&bytes));
        // Nobody waits any more if it took too long.
        let _ = sender.send(pages);
    };
    let thread = thread::Builder::new().name("pdf".to_owned()).stack_size(STACK_BYTES);
    thread.spawn(read).map_err(|source| Unread::Io { source })?;
    match pages.recv_timeout(PATIENCE) {
        Ok(Ok(Ok(pages))) => Ok(pages),
        Ok(Ok(Err(error))) => Err(Unread::Pdf { message: error.to_string() }),
        Ok(Err(_)) => Err(Unread::Pdf { message: "its structure is broken".to_owned() }),
        Err(_) => Err(Unread::Pdf { message: "reading it takes too long".to_owned() }),
    }
}
