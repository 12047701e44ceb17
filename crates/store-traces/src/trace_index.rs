//! A part's traces: ids in order, each with its times, its spans and the blocks that hold them.
//!
//! Writer, bytes, reader: the writer collects while blocks are written; pages of [`TRACES_PER_PAGE`] are
//! stored; a reader finds a page by its first id, which the part's meta keeps in memory.

use codec::{CodecError, Cursor, u64s, write_uvarint};
use model::TimestampNs;
use model::span::{Span, TraceId};

pub(crate) const TRACES_PER_PAGE: usize = 4096;

/// What the index knows of one trace of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceEntry {
    pub start_min: TimestampNs,
    pub start_max: TimestampNs,
    pub spans: u64,
    /// Ascending.
    pub blocks: Vec<u64>,
}

impl Default for TraceEntry {
    fn default() -> TraceEntry {
        TraceEntry { start_min: i64::MAX, start_max: i64::MIN, spans: 0, blocks: Vec::new() }
    }
}

pub(crate) struct TraceIndexWriter {
    ids: Vec<TraceId>,
    entries: Vec<TraceEntry>,
}

impl TraceIndexWriter {
    /// `ids`: all traces of the part, sorted, each once.
    pub fn new(ids: Vec<TraceId>) -> TraceIndexWriter {
        debug_assert!(ids.is_sorted_by(|a, b| a < b));
        let entries = vec![TraceEntry::default(); ids.len()];
        TraceIndexWriter { ids, entries }
    }

    /// The trace's number in this part.
    pub fn number(&self, id: TraceId) -> Option<u64> {
        self.ids.binary_search(&id).ok().map(|number| number as u64)
    }

    /// Notes that a span of trace `number` is in `block`. Blocks come in order.
    pub fn add(&mut self, number: u64, span: &Span, block: u64) {
        let entry = &mut self.entries[number as usize];
        entry.start_min = entry.start_min.min(span.start);
        entry.start_max = entry.start_max.max(span.start);
        entry.spans += 1;
        if entry.blocks.last() != Some(&block) {
            entry.blocks.push(block);
        }
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The pages in order, each with its first id.
    pub fn pages(&self) -> impl Iterator<Item = (TraceId, Vec<u8>)> + '_ {
        let chunks = self.ids.chunks(TRACES_PER_PAGE).zip(self.entries.chunks(TRACES_PER_PAGE));
        chunks.map(|(ids, entries)| (ids.first().copied().unwrap_or_default(), encode(ids, entries)))
    }
}

fn encode(ids: &[TraceId], entries: &[TraceEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    write_uvarint(&mut out, ids.len() as u64);
    ids.iter().for_each(|id| out.extend_from_slice(&id.0));
    let mut column = |value: &dyn Fn(&TraceEntry) -> u64| {
        u64s::encode(&entries.iter().map(value).collect::<Vec<_>>(), &mut out);
    };
    column(&|entry| entry.start_min as u64);
    column(&|entry| entry.start_max.wrapping_sub(entry.start_min) as u64);
    column(&|entry| entry.spans);
    column(&|entry| entry.blocks.len() as u64);
    let blocks: Vec<u64> = entries.iter().flat_map(|entry| entry.blocks.iter().copied()).collect();
    u64s::encode(&blocks, &mut out);
    out
}

/// A decoded index page.
pub(crate) struct TraceIndexPage {
    pub ids: Vec<TraceId>,
    entries: Vec<TraceEntry>,
}

impl TraceIndexPage {
    pub fn decode(bytes: &[u8]) -> Result<TraceIndexPage, CodecError> {
        let mut cursor = Cursor::new(bytes);
        let count = cursor.count(16)?;
        let ids = (0..count).map(|_| cursor.array().map(TraceId)).collect::<Result<Vec<_>, _>>()?;
        let mut column = || {
            let mut values = Vec::new();
            u64s::decode(&mut cursor, &mut values)?;
            Ok::<_, CodecError>(values)
        };
        let (starts, spreads, spans, counts) = (column()?, column()?, column()?, column()?);
        let blocks = column()?;
        if [&starts, &spreads, &spans, &counts].iter().any(|column| column.len() != count) {
            return Err(CodecError("trace index: columns differ in length"));
        }
        let mut rest = blocks.as_slice();
        let mut entries = Vec::with_capacity(count);
        for row in 0..count {
            let len = usize::try_from(counts[row]).map_err(|_| CodecError("trace index: block count"))?;
            let (own, others) = rest.split_at_checked(len).ok_or(CodecError("trace index: block count"))?;
            rest = others;
            let start_min = starts[row] as i64;
            entries.push(TraceEntry {
                start_min,
                start_max: start_min.wrapping_add(spreads[row] as i64),
                spans: spans[row],
                blocks: own.to_vec(),
            });
        }
        Ok(TraceIndexPage { ids, entries })
    }

    pub fn find(&self, id: TraceId) -> Option<(usize, &TraceEntry)> {
        let row = self.ids.binary_search(&id).ok()?;
        Some((row, self.entries.get(row)?))
    }
}
