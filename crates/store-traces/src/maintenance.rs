//! Background work: flushing the head, merging parts, retention. One thread, one thing at a time.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use kernel::{KernelErrorKind, Lsn, MergePlan, PartInfo, Publication};
use model::span::{SpanId, TraceId};
use storage::{ErrorKind, StoreError};

use crate::block::Row;
use crate::error::from_kernel;
use crate::head::Head;
use crate::merge;
use crate::metrics::add;
use crate::part::TracePart;
use crate::part_builder::{PartBuilder, sort_key};
use crate::settings::PARTITIONS_PER_FLUSH_MAX;
use crate::store::Inner;

/// How often the thread looks whether something is due.
const ROUND: Duration = Duration::from_millis(500);

pub(crate) fn spawn(inner: Arc<Inner>) -> Result<JoinHandle<()>, StoreError> {
    let body = move || {
        // Plans that failed: holding them keeps their parts from being tried again and again.
        let mut given_up = Vec::new();
        while inner.bell.wait(ROUND) {
            // A panic over one part must not end flushing for good.
            let worked = catch_unwind(AssertUnwindSafe(|| round(&inner, &mut given_up)));
            let worked = worked.unwrap_or_else(|_| {
                add(&inner.metrics.maintenance_panics, 1);
                Err(StoreError::new(ErrorKind::Corrupt, "panic"))
            });
            if let Err(error) = worked {
                tracing::warn!(%error, "maintenance of the trace store failed and will be tried again");
                // A full disk rings the bell all the time: do not try in a tight loop.
                std::thread::sleep(ROUND);
            }
        }
    };
    let spawned = std::thread::Builder::new().name("traces-maintain".to_string()).spawn(body);
    spawned.map_err(|error| StoreError::new(ErrorKind::Io, format!("starting a thread: {error}")))
}

/// One round for callers that have no thread.
pub(crate) fn run(inner: &Inner) -> Result<(), StoreError> {
    round(inner, &mut Vec::new())
}

fn round(inner: &Inner, given_up: &mut Vec<MergePlan>) -> Result<(), StoreError> {
    if inner.flush_is_due() {
        flush(inner)?;
    }
    retain(inner)?;
    while !inner.bell.stopped()
        && let Some(plan) = inner.table.plan_merge()
    {
        merge_parts(inner, plan, given_up)?;
    }
    Ok(())
}

fn one_at_a_time(inner: &Inner) -> MutexGuard<'_, ()> {
    inner.changing.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the head into parts. After a failure the spans stay in memory and in the log.
pub(crate) fn flush(inner: &Inner) -> Result<(), StoreError> {
    let _one = one_at_a_time(inner);
    // First what an earlier failure left behind, then what came since. Not until nothing is left:
    // somebody may push all the time.
    let rounds = if inner.flush_is_unfinished() { 2 } else { 1 };
    for _ in 0..rounds {
        if let Some((head, mark)) = inner.freeze(None) {
            flush_head(inner, &head, mark)?;
        }
    }
    Ok(())
}

/// The same while the log is replayed: the records of the head end at `mark`.
pub(crate) fn flush_until(inner: &Inner, mark: Option<Lsn>) -> Result<(), StoreError> {
    let _one = one_at_a_time(inner);
    match inner.freeze(mark) {
        Some((head, mark)) => flush_head(inner, &head, mark),
        None => Ok(()),
    }
}

fn flush_head(inner: &Inner, head: &Arc<Head>, mark: Lsn) -> Result<(), StoreError> {
    let result = write_head(inner, head).and_then(|parts| {
        let publication = Publication { add: parts, low_water: Some(mark), ..Publication::default() };
        inner.table.publish(publication).map_err(from_kernel)
    });
    let counter = if result.is_ok() { &inner.metrics.flushes } else { &inner.metrics.flush_failures };
    add(counter, 1);
    result?;
    inner.refresh_parts(Some(head));
    Ok(())
}

/// One part per time partition.
fn write_head(inner: &Inner, head: &Head) -> Result<Vec<PartInfo>, StoreError> {
    let mut services: HashMap<(TraceId, SpanId), &str> = HashMap::with_capacity(head.spans().len());
    for span in head.spans() {
        // The first of several spans with one id, as everywhere.
        services.entry((span.trace_id, span.span_id)).or_insert(&span.resource.service);
    }
    let mut shared: HashMap<&str, Arc<str>> = HashMap::new();
    let mut partitions: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for span in head.spans() {
        let parent = services.get(&(span.trace_id, span.parent_span_id));
        let parent = parent.filter(|_| !span.parent_span_id.is_zero());
        let parent_service =
            parent.map(|service| shared.entry(service).or_insert_with(|| Arc::from(*service)).clone());
        let rows = partitions.entry(inner.table.partition(span.start)).or_default();
        rows.push(Row { span: span.clone(), parent_service });
    }
    while partitions.len() > PARTITIONS_PER_FLUSH_MAX {
        let (Some((_, oldest)), Some(mut next)) = (partitions.pop_first(), partitions.first_entry()) else {
            break;
        };
        next.get_mut().extend(oldest);
    }
    let arrived_ms = inner.clock.now_ms();
    partitions.into_values().map(|rows| write_part(inner, rows, arrived_ms)).collect()
}

fn write_part(inner: &Inner, mut rows: Vec<Row>, arrived_ms: i64) -> Result<PartInfo, StoreError> {
    rows.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    let mut ids: Vec<TraceId> = rows.iter().map(|row| row.span.trace_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let writer = inner.table.part_writer().map_err(from_kernel)?;
    let mut builder = PartBuilder::new(writer, ids);
    rows.into_iter().try_for_each(|row| builder.add(row))?;
    builder.finish(arrived_ms)
}

fn merge_parts(inner: &Inner, plan: MergePlan, given_up: &mut Vec<MergePlan>) -> Result<(), StoreError> {
    let _one = one_at_a_time(inner);
    let readers = inner.parts();
    let find = |id| readers.iter().find(|part| part.id() == id).cloned();
    let parts: Option<Vec<Arc<TracePart>>> = plan.parts.iter().map(|part| find(part.id())).collect();
    let Some(parts) = parts else {
        given_up.push(plan);
        return Ok(());
    };
    let merged =
        inner.table.part_writer().map_err(from_kernel).and_then(|writer| merge::merge(&parts, writer));
    let info = match merged {
        Ok(info) => info,
        Err(error) => {
            add(&inner.metrics.merge_failures, 1);
            if error.kind == ErrorKind::Corrupt {
                tracing::error!(%error, "parts of the trace store stay unmerged");
                given_up.push(plan);
                return Ok(());
            }
            return Err(error);
        }
    };
    let remove = plan.parts.iter().map(|part| part.id()).collect();
    match inner.table.publish(Publication { add: vec![info], remove, ..Publication::default() }) {
        // Retention was faster; the parts are gone and so is the merged one.
        Err(error) if error.kind == KernelErrorKind::Conflict => return Ok(()),
        result => result.map_err(from_kernel)?,
    }
    add(&inner.metrics.merges, 1);
    inner.refresh_parts(None);
    Ok(())
}

fn retain(inner: &Inner) -> Result<(), StoreError> {
    let _one = one_at_a_time(inner);
    let settings = &inner.settings;
    let mut removed = 0;
    if !settings.retention.is_zero() {
        let age_ms = i64::try_from(settings.retention.as_millis()).unwrap_or(i64::MAX);
        let cutoff = inner.clock.now_ms().saturating_sub(age_ms);
        let parts = inner.parts();
        let expired: Vec<_> =
            parts.iter().filter(|part| part.arrived_ms() < cutoff).map(|part| part.id()).collect();
        if !expired.is_empty() {
            removed += expired.len();
            let publication = Publication { remove: expired, ..Publication::default() };
            inner.table.publish(publication).map_err(from_kernel)?;
        }
    }
    if settings.retention_bytes > 0 {
        removed += inner.table.retain_bytes(settings.retention_bytes).map_err(from_kernel)?;
    }
    if removed > 0 {
        add(&inner.metrics.parts_expired, removed);
        inner.refresh_parts(None);
    }
    Ok(())
}
