//! Writes one part: takes rows in order, cuts them into blocks, and closes with index, operations and edges.

use std::collections::{BTreeMap, BTreeSet};

use codec::{strings, u64s, write_bytes, write_uvarint};
use kernel::{Compression, PageRef, PartInfo, PartWriter};
use model::TimestampNs;
use model::span::TraceId;
use storage::StoreError;

use crate::block::{self, BlockBudget, Row};
use crate::error::from_kernel;
use crate::head::Operations;
use crate::trace_index::TraceIndexWriter;

/// Page kinds; see `docs/format/traces.md`.
pub(crate) const PAGE_CORE: u8 = 1;
pub(crate) const PAGE_IDS: u8 = 2;
pub(crate) const PAGE_CONTEXT: u8 = 3;
pub(crate) const PAGE_ATTRIBUTES: u8 = 4;
pub(crate) const PAGE_EVENTS: u8 = 5;
pub(crate) const PAGE_TRACES: u8 = 6;
pub(crate) const PAGE_OPERATIONS: u8 = 7;
pub(crate) const PAGE_EDGES: u8 = 8;

pub(crate) const META_VERSION: u8 = 1;

/// The order of rows in a part.
pub(crate) fn sort_key(row: &Row) -> (&str, &str, TimestampNs, TraceId, [u8; 8]) {
    let span = &row.span;
    (&span.resource.service, &span.name, span.start, span.trace_id, span.span_id.0)
}

/// What a part's meta says of a block.
#[derive(Default)]
struct BlockSummaries {
    first_pages: Vec<u64>,
    rows: Vec<u64>,
    start_mins: Vec<u64>,
    start_spreads: Vec<u64>,
    duration_maxes: Vec<u64>,
    first_services: Vec<String>,
    first_names: Vec<String>,
    last_services: Vec<String>,
    last_names: Vec<String>,
}

pub(crate) struct PartBuilder {
    writer: PartWriter,
    index: TraceIndexWriter,
    pending: Vec<Row>,
    budget: BlockBudget,
    blocks: BlockSummaries,
    operations: Operations,
    edges: BTreeMap<(String, String), u64>,
    unresolved: Vec<Unresolved>,
    spans: u64,
    start_min: TimestampNs,
    start_max: TimestampNs,
}

/// A span whose parent is in another part or nowhere.
struct Unresolved {
    trace: u64,
    start: TimestampNs,
    parent: u64,
    service: String,
}

impl PartBuilder {
    /// `ids`: all traces that will come, sorted, each once.
    pub fn new(writer: PartWriter, ids: Vec<TraceId>) -> PartBuilder {
        PartBuilder {
            writer,
            index: TraceIndexWriter::new(ids),
            pending: Vec::new(),
            budget: BlockBudget::default(),
            blocks: BlockSummaries::default(),
            operations: Operations::new(),
            edges: BTreeMap::new(),
            unresolved: Vec::new(),
            spans: 0,
            start_min: i64::MAX,
            start_max: i64::MIN,
        }
    }

    /// Adds a row; they come in the order of [`sort_key`].
    pub fn add(&mut self, row: Row) -> Result<(), StoreError> {
        if !self.budget.admit(&row.span) {
            self.end_block()?;
            self.budget.admit(&row.span);
        }
        self.pending.push(row);
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), StoreError> {
        self.budget = BlockBudget::default();
        let rows = std::mem::take(&mut self.pending);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let block = self.blocks.rows.len() as u64;
        let mut traces = Vec::with_capacity(rows.len());
        let (mut start_min, mut start_max, mut duration_max) = (i64::MAX, i64::MIN, 0);
        for row in &rows {
            let span = &row.span;
            let number = self.index.number(span.trace_id).expect("the caller lists all traces");
            traces.push(number);
            self.index.add(number, span, block);
            start_min = start_min.min(span.start);
            start_max = start_max.max(span.start);
            duration_max = duration_max.max(span.duration_ns);
            self.note(row, number);
        }
        let summaries = &mut self.blocks;
        summaries.rows.push(rows.len() as u64);
        summaries.start_mins.push(start_min as u64);
        summaries.start_spreads.push(start_max.wrapping_sub(start_min) as u64);
        summaries.duration_maxes.push(duration_max);
        summaries.first_services.push(first.span.resource.service.clone());
        summaries.first_names.push(first.span.name.clone());
        summaries.last_services.push(last.span.resource.service.clone());
        summaries.last_names.push(last.span.name.clone());
        self.start_min = self.start_min.min(start_min);
        self.start_max = self.start_max.max(start_max);
        self.spans += rows.len() as u64;

        let pages = block::encode(&rows, &traces);
        let first_page = self.page(PAGE_CORE, &pages.core)?;
        self.page(PAGE_IDS, &pages.ids)?;
        self.page(PAGE_CONTEXT, &pages.context)?;
        self.page(PAGE_ATTRIBUTES, &pages.attributes)?;
        self.page(PAGE_EVENTS, &pages.events)?;
        self.blocks.first_pages.push(u64::from(first_page.0));
        Ok(())
    }

    /// Operations and edges.
    fn note(&mut self, row: &Row, trace: u64) {
        let span = &row.span;
        let service = &span.resource.service;
        let operation = (span.name.clone(), span.kind.number());
        match self.operations.get_mut(service) {
            Some(operations) => drop(operations.insert(operation)),
            None => drop(self.operations.insert(service.clone(), BTreeSet::from([operation]))),
        }
        if span.parent_span_id.is_zero() {
            return;
        }
        match &row.parent_service {
            Some(parent) => {
                *self.edges.entry((parent.to_string(), service.clone())).or_default() += 1;
            }
            None => self.unresolved.push(Unresolved {
                trace,
                start: span.start,
                parent: u64::from_be_bytes(span.parent_span_id.0),
                service: service.clone(),
            }),
        }
    }

    fn page(&mut self, kind: u8, bytes: &[u8]) -> Result<PageRef, StoreError> {
        self.writer.add_page(kind, bytes, Compression::default()).map_err(from_kernel)
    }

    /// Closes the part. `arrived_ms`: when the newest of its spans came.
    pub fn finish(mut self, arrived_ms: i64) -> Result<PartInfo, StoreError> {
        self.end_block()?;
        let mut fences = Vec::new();
        for (first, bytes) in self.index.pages() {
            let page = self.writer.add_page(PAGE_TRACES, &bytes, Compression::default());
            fences.push((first, page.map_err(from_kernel)?));
        }
        self.write_operations()?;
        self.write_edges()?;
        let meta = self.meta(arrived_ms, &fences);
        self.writer.finish(&meta, self.start_min, self.start_max).map_err(from_kernel)
    }

    fn write_operations(&mut self) -> Result<(), StoreError> {
        let mut out = Vec::new();
        let (mut services, mut names, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        for (service, operations) in &self.operations {
            for (name, kind) in operations {
                services.push(service.as_str());
                names.push(name.as_str());
                kinds.push(*kind as u64);
            }
        }
        // Each list is bounded by the codec's limit of values, page by page.
        for start in (0..services.len()).step_by(OPERATIONS_PER_PAGE) {
            let range = start..(start + OPERATIONS_PER_PAGE).min(services.len());
            out.clear();
            strings::encode(&services[range.clone()], &mut out);
            strings::encode(&names[range.clone()], &mut out);
            u64s::encode(&kinds[range], &mut out);
            self.writer.add_page(PAGE_OPERATIONS, &out, Compression::default()).map_err(from_kernel)?;
        }
        Ok(())
    }

    /// First page: calls by pair of services. Further pages: spans without known parent.
    fn write_edges(&mut self) -> Result<(), StoreError> {
        let mut out = Vec::new();
        let parents: Vec<&str> = self.edges.keys().map(|(parent, _)| parent.as_str()).collect();
        let children: Vec<&str> = self.edges.keys().map(|(_, child)| child.as_str()).collect();
        strings::encode(&parents, &mut out);
        strings::encode(&children, &mut out);
        u64s::encode(&self.edges.values().copied().collect::<Vec<_>>(), &mut out);
        self.page(PAGE_EDGES, &out)?;
        for chunk in std::mem::take(&mut self.unresolved).chunks(UNRESOLVED_PER_PAGE) {
            out.clear();
            u64s::encode(&chunk.iter().map(|span| span.trace).collect::<Vec<_>>(), &mut out);
            u64s::encode(&chunk.iter().map(|span| span.start as u64).collect::<Vec<_>>(), &mut out);
            u64s::encode(&chunk.iter().map(|span| span.parent).collect::<Vec<_>>(), &mut out);
            strings::encode(&chunk.iter().map(|span| span.service.as_str()).collect::<Vec<_>>(), &mut out);
            self.page(PAGE_EDGES, &out)?;
        }
        Ok(())
    }

    fn meta(&self, arrived_ms: i64, fences: &[(TraceId, PageRef)]) -> Vec<u8> {
        let mut out = vec![META_VERSION];
        out.extend_from_slice(&arrived_ms.to_le_bytes());
        write_uvarint(&mut out, self.spans);
        write_uvarint(&mut out, self.index.len() as u64);
        let services: Vec<&String> = self.operations.keys().collect();
        strings::encode(&services, &mut out);
        write_uvarint(&mut out, fences.len() as u64);
        for (first, page) in fences {
            out.extend_from_slice(&first.0);
            out.extend_from_slice(&page.0.to_le_bytes());
        }
        let blocks = &self.blocks;
        let mut columns = Vec::new();
        u64s::encode(&blocks.first_pages, &mut columns);
        u64s::encode(&blocks.rows, &mut columns);
        u64s::encode(&blocks.start_mins, &mut columns);
        u64s::encode(&blocks.start_spreads, &mut columns);
        u64s::encode(&blocks.duration_maxes, &mut columns);
        strings::encode(&blocks.first_services, &mut columns);
        strings::encode(&blocks.first_names, &mut columns);
        strings::encode(&blocks.last_services, &mut columns);
        strings::encode(&blocks.last_names, &mut columns);
        write_bytes(&mut out, &columns);
        out
    }
}

const OPERATIONS_PER_PAGE: usize = 65_536;
const UNRESOLVED_PER_PAGE: usize = 65_536;
