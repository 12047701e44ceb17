//! Merging parts: a k-way merge of their sorted rows, one block of each in memory.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use kernel::{PartInfo, PartWriter};
use model::span::{SpanId, TraceId};
use storage::StoreError;

use crate::block::Row;
use crate::part::TracePart;
use crate::part_builder::{PartBuilder, sort_key};

/// Writes the rows of `parts` into one part. Parents that were in another of them become known.
pub(crate) fn merge(parts: &[Arc<TracePart>], writer: PartWriter) -> Result<PartInfo, StoreError> {
    let ids_by_part = parts.iter().map(|part| part.trace_ids()).collect::<Result<Vec<_>, _>>()?;
    let mut all_ids: Vec<TraceId> = ids_by_part.iter().flatten().copied().collect();
    all_ids.sort_unstable();
    all_ids.dedup();
    let found_parents = find_parents(parts, &ids_by_part)?;

    let mut builder = PartBuilder::new(writer, all_ids);
    let mut heap = BinaryHeap::new();
    let mut sources = Vec::new();
    for (number, (part, ids)) in parts.iter().zip(&ids_by_part).enumerate() {
        let mut source = Source { part, ids, next_block: 0, rows: Vec::new().into_iter() };
        if let Some(row) = source.next()? {
            heap.push(Candidate { row, source: number });
        }
        sources.push(source);
    }
    while let Some(Candidate { mut row, source }) = heap.pop() {
        if let Some(next) = sources[source].next()? {
            heap.push(Candidate { row: next, source });
        }
        if row.parent_service.is_none() {
            let parent = (row.span.trace_id, row.span.parent_span_id);
            row.parent_service = found_parents.get(&parent).cloned();
        }
        builder.add(row)?;
    }
    builder.finish(parts.iter().map(|part| part.arrived_ms()).max().unwrap_or(i64::MIN))
}

/// The services of the parents that one part misses and another may have.
fn find_parents(
    parts: &[Arc<TracePart>],
    ids_by_part: &[Vec<TraceId>],
) -> Result<HashMap<(TraceId, SpanId), Arc<str>>, StoreError> {
    let mut missing = HashSet::new();
    for part in parts {
        missing.extend(part.missing_parents()?);
    }
    let mut found: HashMap<(TraceId, SpanId), Arc<str>> = HashMap::new();
    if missing.is_empty() {
        return Ok(found);
    }
    for (part, ids) in parts.iter().zip(ids_by_part) {
        for block in 0..part.block_count() {
            part.visit_ids(block, |trace, span, service| {
                let Some(trace) = ids.get(trace as usize) else { return };
                if missing.contains(&(*trace, span)) {
                    found.entry((*trace, span)).or_insert_with(|| Arc::from(service));
                }
            })?;
        }
    }
    Ok(found)
}

/// The rows of one part, block after block.
struct Source<'a> {
    part: &'a TracePart,
    ids: &'a [TraceId],
    next_block: usize,
    rows: std::vec::IntoIter<Row>,
}

impl Source<'_> {
    fn next(&mut self) -> Result<Option<Row>, StoreError> {
        loop {
            if let Some(row) = self.rows.next() {
                return Ok(Some(row));
            }
            if self.next_block == self.part.block_count() {
                return Ok(None);
            }
            self.rows = self.part.read_block(self.next_block, self.ids)?.into_iter();
            self.next_block += 1;
        }
    }
}

struct Candidate {
    row: Row,
    source: usize,
}

impl Ord for Candidate {
    /// Reversed: the heap gives the greatest, the merge wants the smallest. Equal rows by age of part.
    fn cmp(&self, other: &Candidate) -> Ordering {
        sort_key(&other.row).cmp(&sort_key(&self.row)).then(other.source.cmp(&self.source))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Candidate) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}
