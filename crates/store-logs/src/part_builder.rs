//! Writes one part: takes streams in label order and their rows in time order.

use index::IndexWriter;
use kernel::{Compression, PartInfo, PartWriter};
use model::{Labels, TimestampNs};
use storage::StoreError;

use crate::directory::{Block, GroupPlace, encode_blocks, encode_groups};
use crate::error::from_kernel;
use crate::filter::FilterBuilder;
use crate::group::GroupBuilder;
use crate::sweep::Row;

/// Page kinds; see `docs/format/logs.md`.
pub(crate) const PAGE_CORE: u8 = 1;
pub(crate) const PAGE_TEXT: u8 = 2;
pub(crate) const PAGE_METADATA: u8 = 3;
pub(crate) const PAGE_FILTERS: u8 = 4;
pub(crate) const PAGE_BLOCKS: u8 = 5;
pub(crate) const PAGE_GROUPS: u8 = 6;
pub(crate) const PAGE_INDEX: u8 = 7;

pub(crate) const META_VERSION: u8 = 1;

/// Filters are collected to pages of about this size.
const FILTER_PAGE_BYTES: usize = 256 << 10;

pub(crate) struct PartBuilder {
    writer: PartWriter,
    index: IndexWriter,
    stream: Option<Labels>,
    stream_id: u32,
    group: GroupBuilder,
    /// The block that is being filled.
    block: Option<Block>,
    blocks: Vec<Block>,
    groups: Vec<GroupPlace>,
    filter: FilterBuilder,
    filters: Vec<u8>,
    /// Groups whose filter is in `filters`.
    groups_filtered: usize,
    min: TimestampNs,
    max: TimestampNs,
    entries: u64,
    bytes: u64,
}

impl PartBuilder {
    pub fn new(writer: PartWriter) -> PartBuilder {
        PartBuilder {
            writer,
            index: IndexWriter::default(),
            stream: None,
            stream_id: 0,
            group: GroupBuilder::default(),
            block: None,
            blocks: Vec::new(),
            groups: Vec::new(),
            filter: FilterBuilder::default(),
            filters: Vec::new(),
            groups_filtered: 0,
            min: i64::MAX,
            max: i64::MIN,
            entries: 0,
            bytes: 0,
        }
    }

    /// The generation of rows that are written for the first time.
    pub fn generation(&self) -> u64 {
        self.writer.id().0
    }

    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Adds a row. Streams come in label order, rows of a stream in the order of a sweep forward.
    pub fn add(&mut self, stream: &Labels, row: &Row<'_>) -> Result<(), StoreError> {
        if self.stream.as_ref() != Some(stream) {
            self.end_block();
            self.stream_id = self.index.push(stream);
            self.stream = Some(stream.clone());
        }
        if self.group.is_full() {
            self.end_group()?;
        }
        let bytes = (row.line.len() + row.metadata.as_packed().len()) as u64;
        let next = Block {
            stream: self.stream_id,
            group: self.groups.len() as u32,
            first_row: self.group.rows() as u32,
            rows: 0,
            min: row.ts,
            max: row.ts,
            bytes: 0,
        };
        let block = self.block.get_or_insert(next);
        block.rows += 1;
        block.bytes += bytes;
        block.min = block.min.min(row.ts);
        block.max = block.max.max(row.ts);
        self.group.add(row);
        self.min = self.min.min(row.ts);
        self.max = self.max.max(row.ts);
        self.entries += 1;
        self.bytes += bytes;
        Ok(())
    }

    fn end_block(&mut self) {
        self.blocks.extend(self.block.take());
    }

    fn end_group(&mut self) -> Result<(), StoreError> {
        self.end_block();
        if self.group.rows() == 0 {
            return Ok(());
        }
        let pages = std::mem::take(&mut self.group).finish();
        let first_page = self.page(PAGE_CORE, &pages.core)?;
        self.page(PAGE_TEXT, &pages.text)?;
        self.page(PAGE_METADATA, &pages.metadata)?;
        let filter = self.filter.build(&pages.text);
        if !self.filters.is_empty() && self.filters.len() + filter.len() > FILTER_PAGE_BYTES {
            self.end_filters()?;
        }
        self.groups.push(GroupPlace {
            first_page,
            filter_page: 0,
            filter_offset: self.filters.len() as u32,
            filter_len: filter.len() as u32,
        });
        self.filters.extend_from_slice(&filter);
        Ok(())
    }

    fn end_filters(&mut self) -> Result<(), StoreError> {
        let filters = std::mem::take(&mut self.filters);
        let page = self.page(PAGE_FILTERS, &filters)?;
        for group in &mut self.groups[self.groups_filtered..] {
            group.filter_page = page;
        }
        self.groups_filtered = self.groups.len();
        Ok(())
    }

    fn page(&mut self, kind: u8, bytes: &[u8]) -> Result<u32, StoreError> {
        let page = self.writer.add_page(kind, bytes, Compression::default()).map_err(from_kernel)?;
        Ok(page.0)
    }

    /// Closes the part. There must be rows in it.
    pub fn finish(mut self) -> Result<PartInfo, StoreError> {
        self.end_group()?;
        self.end_filters()?;
        for page in encode_blocks(&self.blocks) {
            self.page(PAGE_BLOCKS, &page)?;
        }
        let groups = encode_groups(&self.groups);
        self.page(PAGE_GROUPS, &groups)?;
        let mut meta = vec![META_VERSION];
        codec::write_uvarint(&mut meta, self.index.len() as u64);
        codec::write_uvarint(&mut meta, self.entries);
        codec::write_uvarint(&mut meta, self.bytes);
        let index = std::mem::take(&mut self.index).finish();
        self.page(PAGE_INDEX, &index)?;
        self.writer.finish(&meta, self.min, self.max).map_err(from_kernel)
    }
}
