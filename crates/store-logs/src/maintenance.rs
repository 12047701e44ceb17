//! Background work: flushing the head, merging parts, retention. One thread, one thing at a time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use index::IndexView;
use kernel::{KernelErrorKind, Lsn, MergePlan, PartInfo, Publication};
use model::TimestampNs;
use storage::logs::Direction;
use storage::{ErrorKind, StoreError};

use crate::error::from_kernel;
use crate::head::Head;
use crate::merge::merge;
use crate::metrics::add;
use crate::part::{Cache, LogPart};
use crate::part_builder::PartBuilder;
use crate::retention::Retention;
use crate::settings::PARTITIONS_PER_FLUSH_MAX;
use crate::store::{Frozen, Inner};
use crate::sweep::{Data, Opened, Piece, Row, sweep};

/// How often the thread looks whether something is due.
const ROUND: Duration = Duration::from_secs(1);

/// How often parts are searched for streams that a retention rule ended.
const TRIM_INTERVAL: Duration = Duration::from_secs(3600);

/// A part is rewritten when this share of it has expired, or all of a stream.
const TRIM_SHARE: u64 = 8;

/// What the thread remembers between rounds.
#[derive(Default)]
pub(crate) struct Rounds {
    /// Plans that failed: holding them keeps their parts from being tried again and again.
    given_up: Vec<MergePlan>,
    trimmed: Option<Duration>,
}

pub(crate) fn spawn(inner: Arc<Inner>) -> Result<JoinHandle<()>, StoreError> {
    let body = move || {
        let mut rounds = Rounds::default();
        while inner.bell.wait(ROUND) {
            // A panic over one part must not end flushing for good.
            let worked = catch_unwind(AssertUnwindSafe(|| round(&inner, &mut rounds)));
            let worked = worked.unwrap_or_else(|_| {
                add(&inner.metrics.maintenance_panics, 1);
                Err(StoreError::new(ErrorKind::Corrupt, "panic"))
            });
            if let Err(error) = worked {
                tracing::warn!(%error, "maintenance of the log store failed and will be tried again");
                // A full disk rings the bell all the time: do not try in a tight loop.
                std::thread::sleep(ROUND);
            }
        }
    };
    let spawned = std::thread::Builder::new().name("logs-maintain".to_string()).spawn(body);
    spawned.map_err(|error| StoreError::new(ErrorKind::Io, format!("starting a thread: {error}")))
}

/// One round for callers that have no thread.
pub(crate) fn run(inner: &Inner) -> Result<(), StoreError> {
    round(inner, &mut Rounds::default())
}

fn round(inner: &Inner, rounds: &mut Rounds) -> Result<(), StoreError> {
    if inner.flush_is_due() {
        flush(inner)?;
    }
    retain(inner)?;
    let now = inner.clock.monotonic();
    if rounds.trimmed.is_none_or(|trimmed| now >= trimmed + TRIM_INTERVAL) {
        trim(inner)?;
        rounds.trimmed = Some(now);
    }
    while !inner.bell.stopped()
        && let Some(plan) = inner.table.plan_merge()
    {
        merge_parts(inner, plan, rounds)?;
    }
    Ok(())
}

fn one_at_a_time(inner: &Inner) -> MutexGuard<'_, ()> {
    inner.changing.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the head into parts. After a failure the entries stay in memory and in the log.
pub(crate) fn flush(inner: &Inner) -> Result<(), StoreError> {
    let _one = one_at_a_time(inner);
    // First what an earlier failure left behind, then what came since. Not until nothing is left:
    // somebody may push all the time.
    let rounds = if inner.flush_is_unfinished() { 2 } else { 1 };
    for _ in 0..rounds {
        if let Some(frozen) = inner.freeze(None) {
            flush_head(inner, &frozen)?;
        }
    }
    Ok(())
}

/// The same while the log is replayed: the records of the head end at `mark`.
pub(crate) fn flush_until(inner: &Inner, mark: Lsn) -> Result<(), StoreError> {
    let _one = one_at_a_time(inner);
    inner.freeze(Some(mark)).map_or(Ok(()), |frozen| flush_head(inner, &frozen))
}

fn flush_head(inner: &Inner, frozen: &Frozen) -> Result<(), StoreError> {
    let head = frozen.head.read().unwrap_or_else(PoisonError::into_inner);
    let result = write_head(inner, &head).and_then(|parts| {
        let publication = Publication { add: parts, low_water: Some(frozen.mark), ..Publication::default() };
        inner.table.publish(publication).map_err(from_kernel)
    });
    drop(head);
    let counter = if result.is_ok() { &inner.metrics.flushes } else { &inner.metrics.flush_failures };
    add(counter, 1);
    result?;
    inner.refresh_parts(Some(frozen));
    Ok(())
}

/// One part per time partition.
fn write_head(inner: &Inner, head: &Head) -> Result<Vec<PartInfo>, StoreError> {
    let mut builders: BTreeMap<i64, PartBuilder> = BTreeMap::new();
    for partition in partitions(inner, head) {
        let writer = inner.table.part_writer().map_err(from_kernel)?;
        builders.insert(partition, PartBuilder::new(writer));
    }
    let oldest = builders.keys().next().copied().unwrap_or_default();
    for (labels, stream) in head.sorted_streams() {
        let pieces = stream.runs.iter().map(|run| {
            let open = || {
                let rows = run.sorted_rows(TimestampNs::MIN, TimestampNs::MAX, u32::MAX);
                Ok(Some(Opened { data: Data::Run(run.clone(), 0), rows }))
            };
            Piece { min: run.min, max: run.max, open: Box::new(open) }
        });
        let mut failed = None;
        sweep(pieces.collect(), Direction::Forward, &mut |row| {
            let partition = inner.table.partition(row.ts).max(oldest);
            let Some(builder) = builders.get_mut(&partition) else { return ControlFlow::Continue(()) };
            match builder.add(labels, &Row { generation: builder.generation(), ..row }) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or(Ok(()), Err)?;
    }
    builders.into_values().map(PartBuilder::finish).collect()
}

/// The time partitions of the entries, the newest few: older entries go to the oldest of these.
fn partitions(inner: &Inner, head: &Head) -> Vec<i64> {
    let mut found = std::collections::BTreeSet::new();
    for (_, stream) in head.sorted_streams() {
        for run in &stream.runs {
            let (first, last) = (inner.table.partition(run.min), inner.table.partition(run.max));
            found.extend([first, last]);
            if last - first > 1 {
                found.extend((0..run.rows()).map(|row| inner.table.partition(run.time(row))));
            }
        }
    }
    let skip = found.len().saturating_sub(PARTITIONS_PER_FLUSH_MAX);
    found.into_iter().skip(skip).collect()
}

fn merge_parts(inner: &Inner, plan: MergePlan, rounds: &mut Rounds) -> Result<(), StoreError> {
    let _one = one_at_a_time(inner);
    let readers = inner.parts();
    let find = |id| readers.iter().find(|part| part.id() == id).cloned();
    let parts: Option<Vec<Arc<LogPart>>> = plan.parts.iter().map(|part| find(part.id())).collect();
    let Some(parts) = parts else {
        rounds.given_up.push(plan);
        return Ok(());
    };
    match replace(inner, &parts, &|_, _| true) {
        Err(error) if error.kind == ErrorKind::Corrupt => {
            add(&inner.metrics.merge_failures, 1);
            tracing::error!(%error, "parts of the log store stay unmerged");
            rounds.given_up.push(plan);
            return Ok(());
        }
        Err(error) => {
            add(&inner.metrics.merge_failures, 1);
            return Err(error);
        }
        Ok(()) => {}
    }
    add(&inner.metrics.merges, 1);
    Ok(())
}

/// Puts one part, or none, in the place of `parts`.
fn replace(inner: &Inner, parts: &[Arc<LogPart>], keep: &crate::merge::Keep<'_>) -> Result<(), StoreError> {
    let writer = inner.table.part_writer().map_err(from_kernel)?;
    let added = merge(parts, writer, keep)?;
    let remove = parts.iter().map(|part| part.id()).collect();
    let publication = Publication { add: added.into_iter().collect(), remove, ..Publication::default() };
    match inner.table.publish(publication) {
        // Retention was faster; the parts are gone and so is the merged one.
        Err(error) if error.kind == KernelErrorKind::Conflict => {}
        result => result.map_err(from_kernel)?,
    }
    inner.refresh_parts(None);
    Ok(())
}

fn retain(inner: &Inner) -> Result<(), StoreError> {
    let _one = one_at_a_time(inner);
    let policy = inner.retention();
    let retention = policy.at(inner.clock.now_ns());
    let mut removed = inner.table.retain(retention.cutoff_all()).map_err(from_kernel)?;
    if inner.settings.retention_bytes > 0 {
        removed += inner.table.retain_bytes(inner.settings.retention_bytes).map_err(from_kernel)?;
    }
    if removed > 0 {
        add(&inner.metrics.parts_expired, removed);
        inner.refresh_parts(None);
    }
    Ok(())
}

/// Rewrites parts in which streams have expired that other streams of the part outlive.
fn trim(inner: &Inner) -> Result<(), StoreError> {
    let policy = inner.retention();
    let retention = policy.at(inner.clock.now_ns());
    if !retention.has_rules() {
        return Ok(());
    }
    let _one = one_at_a_time(inner);
    for part in inner.parts().iter().filter(|part| part.info().min_time < retention.cutoff_any()) {
        if trim_is_due(part, &retention)? {
            replace(inner, std::slice::from_ref(part), &|stream, block| {
                block.max >= retention.cutoff(stream)
            })?;
            add(&inner.metrics.parts_trimmed, 1);
        }
    }
    Ok(())
}

fn trim_is_due(part: &LogPart, retention: &Retention<'_>) -> Result<bool, StoreError> {
    let (directory, page) = (part.directory(Cache::Spare)?, part.index_page(Cache::Spare)?);
    let index = part.reader(&page)?;
    let (mut all, mut expired) = (0, 0);
    for blocks in directory.blocks().chunk_by(|a, b| a.stream == b.stream) {
        let Some(first) = blocks.first() else { continue };
        let stream = index.labels(first.stream).map_err(|error| part.index_error(error))?;
        let cutoff = retention.cutoff(&stream);
        if blocks.iter().all(|block| block.max < cutoff) {
            return Ok(true);
        }
        all += blocks.iter().map(|block| block.bytes).sum::<u64>();
        expired += blocks.iter().filter(|block| block.max < cutoff).map(|block| block.bytes).sum::<u64>();
    }
    Ok(expired > 0 && expired >= all / TRIM_SHARE)
}
