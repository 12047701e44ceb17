//! Threads for loops alone: what they store is stored where they run, and no query waits behind it.
//!
//! Each thread has an event loop and a fixed share of the targets. A scrape is a quarter of a millisecond of
//! work in three or four portions; threads that take work from each other wake each other up for every one of
//! them, which costs as much as a good part of the work.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

pub(crate) struct Threads {
    /// At least one. When the process could not have more threads, the caller's do the work.
    handles: Vec<Handle>,
    next: AtomicUsize,
    stop: CancellationToken,
}

impl Threads {
    /// As many as there are processors.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub(crate) fn start() -> Threads {
        let stop = CancellationToken::new();
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let handles: Result<Vec<Handle>, std::io::Error> = (0..cores).map(|_| thread(stop.clone())).collect();
        let handles = handles.unwrap_or_else(|e| {
            tracing::warn!("no threads for scraping alone: {e}");
            stop.cancel();
            vec![Handle::current()]
        });
        Threads { handles, next: AtomicUsize::new(0), stop }
    }

    /// Where the next target lives: each thread in turn.
    pub(crate) fn next(&self) -> &Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        &self.handles[turn % self.handles.len()]
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn thread(stop: CancellationToken) -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().thread_name("scrape-aside").enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new().name("scrape".to_owned()).spawn(move || {
        runtime.block_on(stop.cancelled());
        runtime.shutdown_background();
    })?;
    Ok(handle)
}
