//! Reads one part: traces by id, spans by criteria, operations, edges.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use codec::{CodecError, Cursor, StringColumn, strings, u64s};
use kernel::{PageRef, Part, PartId};
use model::TimestampNs;
use model::span::{SpanId, TraceId};
use storage::{ErrorKind, StoreError};

use crate::block::{self, BlockBytes, Context, Core, Events, Ids, Row};
use crate::criteria::{Criteria, Newest};
use crate::edges::EdgeCounts;
use crate::error::{corrupt, from_kernel};
use crate::head::Operations;
use crate::metrics::{TraceStoreMetrics, add};
use crate::part_builder::{PAGE_EDGES, PAGE_OPERATIONS};
use crate::part_meta::{Block, Meta};
use crate::trace_index::{TRACES_PER_PAGE, TraceEntry, TraceIndexPage};

pub(crate) struct TracePart {
    part: Arc<Part>,
    arrived_ms: i64,
    services: StringColumn,
    /// First id and page of each index page.
    fences: Vec<(TraceId, PageRef)>,
    blocks: Vec<Block>,
    metrics: Arc<TraceStoreMetrics>,
}

/// Whether pages go through the cache.
#[derive(Debug, Clone, Copy)]
enum Cache {
    Use,
    /// Merges and dependency counts read everything once and would push out what people look at.
    Spare,
}

impl TracePart {
    pub fn open(part: Arc<Part>, metrics: Arc<TraceStoreMetrics>) -> Result<TracePart, StoreError> {
        let meta = part.meta().clone();
        let parsed = Meta::parse(&meta).map_err(|error| corrupt(format!("part {}: {error}", part.id())))?;
        let Meta { arrived_ms, services, fences, blocks } = parsed;
        Ok(TracePart { part, arrived_ms, services, fences, blocks, metrics })
    }

    pub fn id(&self) -> PartId {
        self.part.id()
    }

    pub fn arrived_ms(&self) -> i64 {
        self.arrived_ms
    }

    pub fn start_max(&self) -> TimestampNs {
        self.part.info().max_time
    }

    pub fn overlaps(&self, start_min: TimestampNs, start_max: TimestampNs) -> bool {
        self.part.overlaps(start_min, start_max)
    }

    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter()
    }

    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Adds the part's operations of `service`.
    pub fn operations(&self, service: &str, out: &mut Operations) -> Result<(), StoreError> {
        if !self.services().any(|candidate| candidate == service) {
            return Ok(());
        }
        for page in self.part.pages_of(PAGE_OPERATIONS) {
            let bytes = self.part.page(page).map_err(from_kernel)?;
            let mut cursor = Cursor::new(&bytes);
            let (services, names) = (self.ok(strings::decode(&mut cursor))?, strings::decode(&mut cursor));
            let names = self.ok(names)?;
            let mut kinds = Vec::new();
            self.ok(u64s::decode(&mut cursor, &mut kinds))?;
            for (row, kind) in kinds.iter().enumerate() {
                if services.get(row) == Some(service) {
                    let name = names.get(row).unwrap_or_default().to_string();
                    out.entry(service.to_string()).or_default().insert((name, *kind as i32));
                }
            }
        }
        Ok(())
    }

    /// All rows of a trace, in the part's order.
    pub fn trace(&self, id: TraceId) -> Result<Vec<Row>, StoreError> {
        let Some((number, entry)) = self.locate(id)? else { return Ok(Vec::new()) };
        let mut rows = Vec::new();
        for block in entry.blocks {
            let core = self.core(block as usize, Cache::Use)?;
            let wanted: Vec<bool> = core.traces.iter().map(|trace| *trace == number).collect();
            rows.extend(self.read(block as usize, &core, &wanted, Cache::Use, |_| id)?);
        }
        Ok(rows)
    }

    /// Calls `visit` with trace, id and service of every span of the given traces (sorted).
    pub fn visit_traces(
        &self,
        wanted: &[TraceId],
        mut visit: impl FnMut(TraceId, SpanId, &str),
    ) -> Result<(), StoreError> {
        let mut numbers: HashMap<u64, TraceId> = HashMap::new();
        let mut blocks = BTreeSet::new();
        for page in 0..self.fences.len() {
            let first = self.fences[page].0;
            let next = self.fences.get(page + 1).map(|(first, _)| *first);
            let from = wanted.partition_point(|id| *id < first);
            let to = next.map_or(wanted.len(), |next| wanted.partition_point(|id| *id < next));
            if from >= to {
                continue;
            }
            let index = self.index_page(page)?;
            for id in &wanted[from..to] {
                if let Some((row, entry)) = index.find(*id) {
                    numbers.insert((page * TRACES_PER_PAGE + row) as u64, *id);
                    blocks.extend(entry.blocks.iter().map(|block| *block as usize));
                }
            }
        }
        for block in blocks {
            self.visit_ids(block, |number, span, service| {
                if let Some(trace) = numbers.get(&number) {
                    visit(*trace, span, service);
                }
            })?;
        }
        Ok(())
    }

    /// The trace's number in this part and what the index says of it.
    fn locate(&self, id: TraceId) -> Result<Option<(u64, TraceEntry)>, StoreError> {
        let behind = self.fences.partition_point(|(first, _)| *first <= id);
        let Some(page) = behind.checked_sub(1) else { return Ok(None) };
        let index = self.index_page(page)?;
        Ok(index.find(id).map(|(row, entry)| ((page * TRACES_PER_PAGE + row) as u64, entry.clone())))
    }

    fn index_page(&self, page: usize) -> Result<TraceIndexPage, StoreError> {
        let (_, page) = self.fences.get(page).ok_or_else(|| self.damaged("trace index page"))?;
        let bytes = self.part.page(*page).map_err(from_kernel)?;
        self.ok(TraceIndexPage::decode(&bytes))
    }

    /// All trace ids, sorted.
    pub fn trace_ids(&self) -> Result<Vec<TraceId>, StoreError> {
        let mut ids = Vec::new();
        for page in 0..self.fences.len() {
            ids.extend(self.index_page(page)?.ids);
        }
        Ok(ids)
    }

    /// Adds the traces with a matching span.
    pub fn find(&self, criteria: &Criteria, newest: &mut Newest) -> Result<(), StoreError> {
        if let Some(service) = &criteria.service
            && !self.services().any(|candidate| candidate == service)
        {
            return Ok(());
        }
        // Newest blocks first, so that the threshold rises early.
        let mut order: Vec<usize> = (0..self.blocks.len()).collect();
        order.sort_by_key(|block| std::cmp::Reverse(self.blocks[*block].start_max));
        let mut found = Vec::new();
        let mut names = TraceNames::new(self);
        for number in order {
            let block = &self.blocks[number];
            if !newest.cares_for(block.start_max) || !block.may_match(criteria) {
                add(&self.metrics.blocks_skipped, 1);
                continue;
            }
            add(&self.metrics.blocks_searched, 1);
            found.clear();
            match self.find_in_block(number, criteria, newest, &mut found) {
                // The rest of the answer is worth more than a failure; the metric tells.
                Err(error) if error.kind == ErrorKind::Corrupt => {
                    add(&self.metrics.corrupt_reads, 1);
                    tracing::warn!(part = %self.id(), %error, "a search left out a damaged block");
                }
                result => result?,
            }
            for (trace, start) in newest_traces(&mut found, newest.limit()) {
                newest.add(names.id(*trace)?, *start);
            }
            newest.prune();
        }
        Ok(())
    }

    fn find_in_block(
        &self,
        number: usize,
        criteria: &Criteria,
        newest: &Newest,
        found: &mut Vec<(u64, TimestampNs)>,
    ) -> Result<(), StoreError> {
        let core = self.core(number, Cache::Use)?;
        let Some(mut rows) = criteria.core_rows(&core) else { return Ok(()) };
        if criteria.has_tags() {
            let context_page = self.page(number, 2, Cache::Use)?;
            let attributes = self.page(number, 3, Cache::Use)?;
            let events_page = self.page(number, 4, Cache::Use)?;
            let context = self.ok(Context::decode(&context_page, core.rows()))?;
            let events = self.ok(Events::decode(&events_page, core.rows()))?;
            self.ok(criteria.filter_tags(&core, &context, &attributes, &events, &mut rows))?;
        }
        for row in (0..core.rows()).filter(|row| rows[*row]) {
            if newest.cares_for(core.start(row)) {
                found.push((core.traces[row], core.start(row)));
            }
        }
        Ok(())
    }

    /// Counts the calls by spans that start in the range.
    pub fn edges(
        &self,
        start_min: TimestampNs,
        start_max: TimestampNs,
        counts: &mut EdgeCounts,
    ) -> Result<(), StoreError> {
        let info = self.part.info();
        let whole = start_min <= info.min_time && info.max_time <= start_max;
        let mut pages = self.part.pages_of(PAGE_EDGES);
        let Some(totals) = pages.next() else { return Ok(()) };
        if whole {
            self.edge_totals(totals, counts)?;
        } else {
            for number in 0..self.blocks.len() {
                let block = &self.blocks[number];
                if block.start_min <= start_max && start_min <= block.start_max {
                    self.block_edges(number, start_min, start_max, counts)?;
                }
            }
        }
        let mut names = TraceNames::new(self);
        for page in pages {
            let bytes = self.part.page(page).map_err(from_kernel)?;
            let mut cursor = Cursor::new(&bytes);
            let mut column = || {
                let mut values = Vec::new();
                self.ok(u64s::decode(&mut cursor, &mut values)).map(|()| values)
            };
            let (traces, starts, parents) = (column()?, column()?, column()?);
            let services = self.ok(strings::decode(&mut cursor))?;
            if starts.len() != traces.len() || parents.len() != traces.len() {
                return Err(self.damaged("columns differ in length"));
            }
            for row in 0..traces.len() {
                let start = starts[row] as TimestampNs;
                if start_min <= start && start <= start_max {
                    let parent = SpanId(parents[row].to_be_bytes());
                    let service = services.get(row).unwrap_or_default();
                    counts.missing(names.id(traces[row])?, parent, service);
                }
            }
        }
        Ok(())
    }

    fn edge_totals(&self, page: PageRef, counts: &mut EdgeCounts) -> Result<(), StoreError> {
        let bytes = self.part.page(page).map_err(from_kernel)?;
        let mut cursor = Cursor::new(&bytes);
        let parents = self.ok(strings::decode(&mut cursor))?;
        let children = self.ok(strings::decode(&mut cursor))?;
        let mut calls = Vec::new();
        self.ok(u64s::decode(&mut cursor, &mut calls))?;
        for (row, calls) in calls.iter().enumerate() {
            let (parent, child) = (parents.get(row), children.get(row));
            counts.add(parent.unwrap_or_default(), child.unwrap_or_default(), *calls);
        }
        Ok(())
    }

    fn block_edges(
        &self,
        number: usize,
        start_min: TimestampNs,
        start_max: TimestampNs,
        counts: &mut EdgeCounts,
    ) -> Result<(), StoreError> {
        let core = self.core(number, Cache::Spare)?;
        for row in 0..core.rows() {
            let start = core.start(row);
            if start_min <= start
                && start <= start_max
                && let Some(parent) = core.parent_service(row)
            {
                counts.add(parent, core.service(row), 1);
            }
        }
        Ok(())
    }

    /// The spans of this part whose parent's service is not known: trace and parent id.
    pub fn missing_parents(&self) -> Result<Vec<(TraceId, SpanId)>, StoreError> {
        let mut missing = Vec::new();
        let mut names = TraceNames::new(self);
        for page in self.part.pages_of(PAGE_EDGES).skip(1) {
            let bytes = self.part.page(page).map_err(from_kernel)?;
            let mut cursor = Cursor::new(&bytes);
            let (mut traces, mut starts, mut parents) = (Vec::new(), Vec::new(), Vec::new());
            self.ok(u64s::decode(&mut cursor, &mut traces))?;
            self.ok(u64s::decode(&mut cursor, &mut starts))?;
            self.ok(u64s::decode(&mut cursor, &mut parents))?;
            for (trace, parent) in traces.iter().zip(parents) {
                missing.push((names.id(*trace)?, SpanId(parent.to_be_bytes())));
            }
        }
        Ok(missing)
    }

    /// Calls `visit` with the trace, id and service of every span of a block.
    pub fn visit_ids(
        &self,
        number: usize,
        mut visit: impl FnMut(u64, SpanId, &str),
    ) -> Result<(), StoreError> {
        let core = self.core(number, Cache::Spare)?;
        let page = self.page(number, 1, Cache::Spare)?;
        let ids = self.ok(Ids::decode(&page, core.rows()))?;
        for row in 0..core.rows() {
            visit(core.traces[row], ids.span_id(row), core.service(row));
        }
        Ok(())
    }

    /// All rows of a block; `ids` are the part's trace ids.
    pub fn read_block(&self, number: usize, ids: &[TraceId]) -> Result<Vec<Row>, StoreError> {
        let core = self.core(number, Cache::Spare)?;
        if core.traces.iter().any(|trace| *trace >= ids.len() as u64) {
            return Err(self.damaged("unknown trace number"));
        }
        let wanted = vec![true; core.rows()];
        self.read(number, &core, &wanted, Cache::Spare, |row| ids[core.traces[row] as usize])
    }

    fn read(
        &self,
        number: usize,
        core: &Core,
        wanted: &[bool],
        cache: Cache,
        trace: impl Fn(usize) -> TraceId,
    ) -> Result<Vec<Row>, StoreError> {
        let pages = [
            self.page(number, 1, cache)?,
            self.page(number, 2, cache)?,
            self.page(number, 3, cache)?,
            self.page(number, 4, cache)?,
        ];
        let [ids, context, attributes, events] = &pages;
        let bytes = BlockBytes { ids, context, attributes, events };
        self.ok(block::read_rows(&bytes, core, wanted, trace))
    }

    fn core(&self, number: usize, cache: Cache) -> Result<Core, StoreError> {
        let page = self.page(number, 0, cache)?;
        self.ok(Core::decode(&page))
    }

    fn page(&self, number: usize, offset: u32, cache: Cache) -> Result<Bytes, StoreError> {
        let block = self.blocks.get(number).ok_or_else(|| self.damaged("unknown block"))?;
        let page = PageRef(block.first_page.saturating_add(offset));
        let bytes = match cache {
            Cache::Use => self.part.page(page),
            Cache::Spare => self.part.read_page(page),
        };
        bytes.map_err(from_kernel)
    }

    fn ok<T>(&self, result: Result<T, CodecError>) -> Result<T, StoreError> {
        result.map_err(|error| self.damaged(error))
    }

    fn damaged(&self, what: impl std::fmt::Display) -> StoreError {
        corrupt(format!("part {}: {what}", self.id()))
    }
}

/// Resolves trace numbers. Pages are kept: what is asked for is scattered over them.
struct TraceNames<'a> {
    part: &'a TracePart,
    pages: HashMap<usize, Vec<TraceId>>,
}

impl<'a> TraceNames<'a> {
    fn new(part: &'a TracePart) -> TraceNames<'a> {
        TraceNames { part, pages: HashMap::new() }
    }

    fn id(&mut self, number: u64) -> Result<TraceId, StoreError> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let ids = match self.pages.entry(number / TRACES_PER_PAGE) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let ids = self.part.index_page(*entry.key())?.ids;
                entry.insert(ids)
            }
        };
        let id = ids.get(number % TRACES_PER_PAGE).copied();
        id.ok_or_else(|| self.part.damaged("unknown trace number"))
    }
}

/// Of each trace its newest start, and of those the `limit` newest traces with all that tie with the last.
fn newest_traces(found: &mut Vec<(u64, TimestampNs)>, limit: usize) -> &[(u64, TimestampNs)] {
    found.sort_unstable_by_key(|(trace, start)| (*trace, std::cmp::Reverse(*start)));
    found.dedup_by_key(|(trace, _)| *trace);
    found.sort_unstable_by_key(|(_, start)| std::cmp::Reverse(*start));
    let last = limit.checked_sub(1).and_then(|last| found.get(last)).map(|(_, start)| *start);
    let kept = last.map_or(found.len(), |last| found.partition_point(|(_, start)| *start >= last));
    &found[..kept]
}
