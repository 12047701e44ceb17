//! Samples of replayed batches into memory, by several threads, each for shards of its own: so the samples
//! of one series stay in order, and nobody waits for a lock.

use std::sync::MutexGuard;

use index::SeriesId;
use model::{TimestampMs, Value};

use crate::head::windows::Windows;
use crate::head::{Head, SHARDS, Shard, shard_of, slot_of};
use crate::record::Batch;

/// Stands where a sample is not to be applied. No series has this id.
pub const NOBODY: SeriesId = SeriesId::MAX;

/// Fewer samples are not worth a thread.
const SHARED_FROM_SAMPLES: usize = 20_000;

/// Applies the batches in order. Their series are the head's, or [`NOBODY`].
pub fn apply(head: &Head, batches: &[Batch], window_ms: i64, threads: usize) {
    let samples: usize = batches.iter().map(Batch::samples).sum();
    let threads = if samples < SHARED_FROM_SAMPLES { 1 } else { threads.min(SHARDS) };
    let work = |thread: usize| {
        let mine = (0..SHARDS).map(|at| (at % threads == thread).then(|| head.shard_at(at)));
        let mut shards = Mine { head, shards: mine.collect(), windows: Windows::new(window_ms) };
        batches.iter().for_each(|batch| shards.batch(batch));
    };
    std::thread::scope(|scope| {
        (1..threads).for_each(|thread| drop(scope.spawn(move || work(thread))));
        work(0);
    });
}

struct Mine<'h> {
    head: &'h Head,
    shards: Vec<Option<MutexGuard<'h, Shard>>>,
    windows: Windows,
}

impl Mine<'_> {
    fn batch(&mut self, batch: &Batch) {
        let floats = &batch.floats;
        for (at, (id, value)) in floats.series.iter().zip(&floats.values).enumerate() {
            self.sample(*id, floats.time(at), Value::Float(*value), batch, at);
        }
        for (at, (id, t, histogram)) in batch.histograms.iter().enumerate() {
            if *id != NOBODY {
                self.sample(*id, *t, Value::Histogram(histogram.clone()), batch, floats.len() + at);
            }
        }
    }

    #[inline]
    fn sample(&mut self, id: SeriesId, t: TimestampMs, value: Value, batch: &Batch, position: usize) {
        if id == NOBODY {
            return;
        }
        let Some(Some(shard)) = self.shards.get_mut(shard_of(id)) else { return };
        let Some(series) = shard.series.get_mut(slot_of(id)) else { return };
        let start = if batch.starts.is_empty() { 0 } else { start_of(batch, position) };
        series.push(t, value, start, self.windows.start_of(t), &self.head.times);
    }
}

fn start_of(batch: &Batch, position: usize) -> TimestampMs {
    let found = batch.starts.binary_search_by_key(&position, |(at, _)| *at);
    found.ok().and_then(|at| batch.starts.get(at)).map_or(0, |(_, start)| *start)
}
