//! Reads one part.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use codec::{CodecError, Cursor};
use index::{IndexError, IndexReader};
use kernel::{PageRef, Part, PartId, PartInfo};
use model::TimestampNs;
use storage::StoreError;

use crate::directory::{Block, Directory};
use crate::error::{corrupt, from_kernel};
use crate::filter;
use crate::group::Group;
use crate::metrics::{LogStoreMetrics, add};
use crate::part_builder::{META_VERSION, PAGE_BLOCKS, PAGE_GROUPS, PAGE_INDEX};
use crate::sweep::{Data, Opened, Piece};

pub(crate) struct LogPart {
    part: Arc<Part>,
    index: PageRef,
    metrics: Arc<LogStoreMetrics>,
}

/// Whether pages go through the kernel's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    Use,
    /// Merges read everything once and would push out what people look at.
    Spare,
}

/// What a read wants of a block.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub start: TimestampNs,
    /// Exclusive.
    pub end: TimestampNs,
    pub needles: &'a [&'a [u8]],
}

impl LogPart {
    pub fn open(part: Arc<Part>, metrics: Arc<LogStoreMetrics>) -> Result<LogPart, StoreError> {
        let damaged = |what: &str| corrupt(format!("part {}: {what}", part.id()));
        let mut meta = Cursor::new(part.meta());
        if meta.u8().ok() != Some(META_VERSION) {
            return Err(damaged("unknown version"));
        }
        let index = part.pages_of(PAGE_INDEX).next().ok_or_else(|| damaged("no stream index"))?;
        Ok(LogPart { part, index, metrics })
    }

    pub fn id(&self) -> PartId {
        self.part.id()
    }

    pub fn info(&self) -> &PartInfo {
        self.part.info()
    }

    /// Whether the part's times touch `start..end`.
    pub fn overlaps(&self, start: TimestampNs, end: TimestampNs) -> bool {
        let info = self.part.info();
        info.min_time < end && start <= info.max_time
    }

    pub fn directory(&self, cache: Cache) -> Result<Directory, StoreError> {
        let mut directory = Directory::default();
        for page in self.part.pages_of(PAGE_BLOCKS) {
            self.ok(directory.add_page(&self.page(page, cache)?))?;
        }
        for page in self.part.pages_of(PAGE_GROUPS) {
            self.ok(directory.add_groups(&self.page(page, cache)?))?;
        }
        Ok(directory)
    }

    /// The bytes of the stream index, for an [`IndexReader`].
    pub fn index_page(&self, cache: Cache) -> Result<Bytes, StoreError> {
        self.page(self.index, cache)
    }

    pub fn reader<'a>(&self, page: &'a [u8]) -> Result<IndexReader<'a>, StoreError> {
        IndexReader::open(page).map_err(|error| self.index_error(error))
    }

    pub fn index_error(&self, error: IndexError) -> StoreError {
        self.damaged(error)
    }

    /// The block as a piece of a sweep.
    pub fn piece<'a>(
        &'a self,
        directory: &'a Directory,
        block: &'a Block,
        wanted: Wanted<'a>,
        groups: &'a GroupCache,
    ) -> Piece<'a> {
        let open = move || self.open_block(directory, block, wanted, groups);
        Piece { min: block.min, max: block.max, open: Box::new(open) }
    }

    fn open_block(
        &self,
        directory: &Directory,
        block: &Block,
        wanted: Wanted<'_>,
        groups: &GroupCache,
    ) -> Result<Option<Opened>, StoreError> {
        let place = directory.group(block.group).ok_or_else(|| self.damaged("unknown group"))?;
        if !wanted.needles.is_empty() {
            let page = self.page(PageRef(place.filter_page), groups.cache)?;
            let end = place.filter_offset.saturating_add(place.filter_len);
            let filter = page.get(place.filter_offset as usize..end as usize);
            let filter = filter.ok_or_else(|| self.damaged("filter outside of its page"))?;
            if !wanted.needles.iter().all(|needle| filter::may_contain(filter, needle)) {
                add(&self.metrics.groups_skipped, 1);
                return Ok(None);
            }
        }
        let group = groups.get(self, block.group, || self.group(place.first_page, groups.cache))?;
        let (first, rows) = (block.first_row as usize, block.rows as usize);
        if first + rows > group.rows() {
            return Err(self.damaged("block outside of its group"));
        }
        let found = group.find(first, first + rows, wanted.start, wanted.end, wanted.needles);
        Ok(Some(Opened { data: Data::Group(group), rows: found }))
    }

    fn group(&self, first_page: u32, cache: Cache) -> Result<Group, StoreError> {
        add(&self.metrics.groups_read, 1);
        let page = |offset: u32| self.page(PageRef(first_page.saturating_add(offset)), cache);
        self.ok(Group::decode(&page(0)?, page(1)?, &page(2)?))
    }

    fn page(&self, page: PageRef, cache: Cache) -> Result<Bytes, StoreError> {
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

/// The last decoded groups. Streams are read in label order, which is the order of blocks in groups, so a
/// group with many small blocks is decoded once.
pub(crate) struct GroupCache {
    cache: Cache,
    capacity: usize,
    groups: Mutex<VecDeque<(PartId, u32, Arc<Group>)>>,
}

impl GroupCache {
    pub fn new(cache: Cache, capacity: usize) -> GroupCache {
        GroupCache { cache, capacity, groups: Mutex::default() }
    }

    fn get(
        &self,
        part: &LogPart,
        number: u32,
        read: impl FnOnce() -> Result<Group, StoreError>,
    ) -> Result<Arc<Group>, StoreError> {
        let lock = || self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(id, group, _): &&(PartId, u32, Arc<Group>)| *id == part.id() && *group == number;
        if let Some((_, _, group)) = lock().iter().find(same) {
            return Ok(group.clone());
        }
        let group = Arc::new(read()?);
        let mut groups = lock();
        if groups.len() >= self.capacity {
            groups.pop_front();
        }
        groups.push_back((part.id(), number, group.clone()));
        Ok(group)
    }
}
