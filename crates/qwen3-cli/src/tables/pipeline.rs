//! The threads of a run.

use super::pieces::{Pieces, Uncomputed};
use super::read::Reading;
use super::step::{Computed, Rows, Step, Todo, Work};
use super::write::Writing;
use crate::error::Error;
use qwen3_engine::{CancelToken, Tokens};
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Steps that wait between two threads: one is worked at on either side.
const WAITING: usize = 1;

type Steps<R> = Result<Step<R>, Error>;

/// Reads, tokenizes, computes and writes, each at the same time as the others.
///
/// # Errors
/// The first one in the order of the rows. What came before it has been written.
pub fn run<W: Work>(
    reading: &Reading<W>,
    writing: Writing,
    cancel: &CancelToken,
) -> Result<(), Error> {
    let work = reading.work;
    thread::scope(|scope| {
        let (read, to_tokenize) = sync_channel(WAITING);
        let (tokenized, to_compute) = sync_channel(WAITING);
        let (computed, to_write) = sync_channel(WAITING);
        let threads = [
            scope.spawn(move || read_all(reading, &read)),
            scope.spawn(move || tokenize_all(work, to_tokenize, &tokenized)),
        ];
        let writer = scope.spawn(move || writing.run(to_write));
        let failed = compute_all(work, to_compute, &computed, cancel);
        drop(computed);
        let written = writer.join().unwrap_or_else(|panic| resume_unwind(panic));
        for thread in threads {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        written.and(failed)
    })
}

fn read_all<W: Work>(reading: &Reading<W>, read: &SyncSender<Steps<Todo<Vec<W::Text>>>>) {
    let mut send = |step| match read.send(Ok(step)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    };
    if let Err(error) = reading.run(&mut send) {
        // Nobody listens if there was an error before this one.
        let _ = read.send(Err(error));
    }
}

fn tokenize_all<W: Work>(
    work: &W,
    steps: Receiver<Steps<Todo<Vec<W::Text>>>>,
    tokenized: &SyncSender<Steps<Todo<Vec<Tokens>>>>,
) {
    for step in steps {
        let step = step.and_then(|step| {
            step.map(|todo, place| {
                Ok(match todo {
                    Todo::Before(record) => Todo::Before(record),
                    Todo::Now { texts, rows } => {
                        let texts =
                            work.tokenize(&texts).map_err(|error| error.at_row(place, &rows))?;
                        Todo::Now { texts, rows }
                    }
                })
            })
        });
        let is_last = step.is_err();
        if tokenized.send(step).is_err() || is_last {
            break;
        }
    }
}

fn compute_all<W: Work>(
    work: &W,
    steps: Receiver<Steps<Todo<Vec<Tokens>>>>,
    computed: &SyncSender<Step<Computed>>,
    cancel: &CancelToken,
) -> Result<(), Error> {
    let mut pieces = Pieces::default();
    for step in steps {
        let rows = match step? {
            Step::Rows(rows) => rows,
            Step::Begin(begin) => {
                drop(computed.send(Step::Begin(begin)));
                continue;
            }
            Step::End => {
                drop(computed.send(Step::End));
                continue;
            }
        };
        // The writer says why nobody listens any more.
        let mut send = |rows| computed.send(Step::Rows(rows)).is_ok();
        let goes_on = match rows.results {
            Todo::Before(record) => {
                let results = Computed { record, texts: 0, is_new: false };
                let Rows { batch, read, is_last, place, .. } = rows;
                send(Rows { batch, read, is_last, place, results })
            }
            Todo::Now { ref texts, rows: ref of_rows } => {
                let rows = Uncomputed { rows: &rows, texts, of_rows };
                pieces.compute(work, rows, cancel, &mut send)?
            }
        };
        if !goes_on {
            break;
        }
    }
    Ok(())
}
