//! Samples of replayed batches into memory.
//!
//! Blocks of neighbouring series are dealt to the threads. A block fits into a processor's cache, so all
//! samples that a round has for it go in at once, in the order of the log, and each series is fetched from
//! memory once a round.

use std::sync::atomic::{AtomicUsize, Ordering};

use index::SeriesId;
use model::{TimestampMs, Value};

use crate::head::windows::Windows;
use crate::head::{BLOCK, Head, Shard, slot_of};
use crate::record::Batch;

/// Stands where a sample is not to be applied. No series has this id.
pub const NOBODY: SeriesId = SeriesId::MAX;

/// Fewer samples are not worth a thread.
const SHARED_FROM_SAMPLES: usize = 20_000;

/// Samples of one batch, one after another, whose series are of one block. Positions count through floats
/// and histograms.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Segment {
    block: u32,
    batch: u32,
    from: u32,
    to: u32,
}

/// Applies the batches in order. Their series are the head's, or [`NOBODY`].
pub fn apply(head: &Head, batches: &[Batch], window_ms: i64, threads: usize) {
    let samples: usize = batches.iter().map(Batch::samples).sum();
    let threads = if samples < SHARED_FROM_SAMPLES { 1 } else { threads };
    let mut segments = Vec::new();
    for (at, batch) in batches.iter().enumerate() {
        cut(at as u32, batch, &mut segments);
    }
    segments.sort_unstable();
    let blocks: Vec<&[Segment]> = segments.chunk_by(|a, b| a.block == b.block).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut windows = Windows::new(window_ms);
        while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
            // Nobody's block is not in the head.
            let Some(first) = block.first().filter(|first| first.block != block_of(NOBODY)) else { continue };
            let mut shard = head.shard(first.block * BLOCK as SeriesId);
            for segment in *block {
                if let Some(batch) = batches.get(segment.batch as usize) {
                    apply_segment(head, &mut shard, batch, segment, &mut windows);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(work)));
        work();
    });
}

fn block_of(id: SeriesId) -> u32 {
    id / BLOCK as SeriesId
}

/// Cuts a batch where the block changes.
fn cut(batch: u32, of: &Batch, segments: &mut Vec<Segment>) {
    let histograms = of.histograms.iter().map(|(id, _, _)| *id);
    let mut open: Option<Segment> = None;
    for (at, id) in of.floats.series.iter().copied().chain(histograms).enumerate() {
        let (at, block) = (at as u32, block_of(id));
        match &mut open {
            Some(segment) if segment.block == block => segment.to = at + 1,
            _ => segments.extend(open.replace(Segment { block, batch, from: at, to: at + 1 })),
        }
    }
    segments.extend(open);
}

fn apply_segment(head: &Head, shard: &mut Shard, batch: &Batch, segment: &Segment, windows: &mut Windows) {
    let floats = &batch.floats;
    let (from, to) = (segment.from as usize, segment.to as usize);
    // A block is a page.
    let Some(page) = shard.series.page_mut(slot_of(segment.block * BLOCK as SeriesId)) else { return };
    let end = to.min(floats.len());
    let own =
        floats.series.get(from..end).unwrap_or(&[]).iter().zip(floats.values.get(from..end).unwrap_or(&[]));
    for (at, (id, value)) in own.enumerate() {
        let Some(Some(series)) = page.get_mut(*id as usize % BLOCK) else { continue };
        let t = floats.time(from + at);
        let start = start_of(batch, from + at);
        if start == 0 {
            series.push_float(t, *value, windows.start_of(t), &head.times);
        } else {
            series.push(t, Value::Float(*value), start, windows.start_of(t), &head.times);
        }
    }
    for at in from.max(floats.len())..to {
        let Some((id, t, histogram)) = batch.histograms.get(at - floats.len()) else { return };
        let Some(Some(series)) = page.get_mut(*id as usize % BLOCK) else { continue };
        let value = Value::Histogram(histogram.clone());
        series.push(*t, value, start_of(batch, at), windows.start_of(*t), &head.times);
    }
}

#[inline]
fn start_of(batch: &Batch, position: usize) -> TimestampMs {
    if batch.starts.is_empty() {
        return 0;
    }
    let found = batch.starts.binary_search_by_key(&position, |(at, _)| *at);
    found.ok().and_then(|at| batch.starts.get(at)).map_or(0, |(_, start)| *start)
}
