//! Spreads the streams of one query over threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use storage::logs::StreamHandle;

use crate::error::{ErrorKind, QueryError};

/// Calls `work` once for each stream, on up to `threads` threads with a worker state each, and returns the
/// states. The first error ends the query.
pub(crate) fn fan_out<W: Send>(
    streams: &[StreamHandle],
    threads: usize,
    new_worker: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, &StreamHandle) -> Result<(), QueryError> + Sync,
) -> Result<Vec<W>, QueryError> {
    let threads = threads.clamp(1, streams.len().max(1));
    if threads == 1 {
        let mut worker = new_worker();
        streams.iter().try_for_each(|stream| work(&mut worker, stream))?;
        return Ok(vec![worker]);
    }
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<QueryError>> = Mutex::new(None);
    let note = |e: QueryError| {
        let mut slot = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        slot.get_or_insert(e);
        // The others find no more work.
        next.store(streams.len(), Ordering::Relaxed);
    };
    let run = || {
        let mut worker = new_worker();
        while let Some(stream) = streams.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(e) = work(&mut worker, stream) {
                note(e);
                break;
            }
        }
        worker
    };
    let workers = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut workers = vec![run()];
        for handle in handles {
            match handle.join() {
                Ok(worker) => workers.push(worker),
                Err(_) => note(QueryError::new(ErrorKind::Store, "a query worker panicked")),
            }
        }
        workers
    });
    match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(e) => Err(e),
        None => Ok(workers),
    }
}
