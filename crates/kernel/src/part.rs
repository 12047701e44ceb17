//! Parts: immutable files of pages with a directory at the end.
//!
//! A store writes pages in any order it likes through a [`PartWriter`], remembers their [`PageRef`]s (or
//! finds them again by kind) and closes the part with a small `meta` blob of its own, typically the roots
//! of its indexes. A [`Part`] holds directory and meta in memory; pages are read when asked for, verified
//! and decompressed. Layout: `docs/format/part.md`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use platform::ReadAt;

use crate::bytesio::Fields;
use crate::cache::PageCache;
use crate::error::{KernelError, KernelErrorKind};
use crate::metrics::{KernelMetrics, add};
use crate::page::{self, Compression};
use crate::part_store::{PartSink, PartStore};

const MAGIC: [u8; 8] = *b"cmPART\0\x01";

/// kind u8, encoding u8, reserved u16, crc32c u32, offset u64, stored length u32, raw length u32.
const PAGE_ENTRY_BYTES: usize = 24;

/// id u64, min_time i64, max_time i64, directory offset u64, pages u32, meta length u32, crc32c u32,
/// reserved u32, magic 8.
const TRAILER_BYTES: usize = 56;

/// A part of the largest size with pages of 1 KiB has 2^24; more is damage or a store that should pack
/// its columns into pages.
pub const PART_PAGES_MAX: u32 = 1 << 24;

/// A part's meta blob stays in memory while the part is open.
pub const PART_META_BYTES_MAX: usize = 16 << 20;

/// A part's name in its table; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(pub u64);

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The n-th page of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageRef(pub u32);

/// What the manifest knows of a part. Times are the store's own unit, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartInfo {
    pub id: PartId,
    pub min_time: i64,
    pub max_time: i64,
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct PageEntry {
    kind: u8,
    encoding: u8,
    crc: u32,
    offset: u64,
    stored_len: u32,
    raw_len: u32,
}

/// Writes one part.
pub struct PartWriter {
    id: PartId,
    sink: Box<dyn PartSink>,
    offset: u64,
    pages: Vec<PageEntry>,
}

impl PartWriter {
    pub fn create(store: &dyn PartStore, id: PartId) -> Result<PartWriter, KernelError> {
        let mut sink = store.create(id)?;
        sink.write(&MAGIC)?;
        Ok(PartWriter { id, sink, offset: MAGIC.len() as u64, pages: Vec::new() })
    }

    pub fn id(&self) -> PartId {
        self.id
    }

    /// Bytes written so far, for stores that bound the size of a part.
    pub fn bytes(&self) -> u64 {
        self.offset
    }

    /// Adds a page of the store's own `kind`.
    pub fn add_page(
        &mut self,
        kind: u8,
        raw: &[u8],
        compression: Compression,
    ) -> Result<PageRef, KernelError> {
        let number = self.pages.len() as u32;
        if number >= PART_PAGES_MAX {
            let message = format!("part {} exceeds the limit of {PART_PAGES_MAX} pages", self.id);
            return Err(KernelError::new(KernelErrorKind::LimitExceeded, message));
        }
        let sealed = page::seal(raw, compression)?;
        self.sink.write(&sealed.bytes)?;
        self.pages.push(PageEntry {
            kind,
            encoding: sealed.encoding,
            crc: crc32c::crc32c(&sealed.bytes),
            offset: self.offset,
            stored_len: sealed.bytes.len() as u32,
            raw_len: raw.len() as u32,
        });
        self.offset += sealed.bytes.len() as u64;
        Ok(PageRef(number))
    }

    /// Closes the part; it is durable and complete when this returns, and live once published.
    pub fn finish(mut self, meta: &[u8], min_time: i64, max_time: i64) -> Result<PartInfo, KernelError> {
        if min_time > max_time {
            let message = format!("part {}: min_time {min_time} after max_time {max_time}", self.id);
            return Err(KernelError::new(KernelErrorKind::Invalid, message));
        }
        if meta.len() > PART_META_BYTES_MAX {
            let message = format!("part meta of {} bytes exceeds {PART_META_BYTES_MAX}", meta.len());
            return Err(KernelError::new(KernelErrorKind::LimitExceeded, message));
        }
        let mut tail = Vec::with_capacity(self.pages.len() * PAGE_ENTRY_BYTES + meta.len() + TRAILER_BYTES);
        for page in &self.pages {
            tail.extend_from_slice(&[page.kind, page.encoding, 0, 0]);
            tail.extend_from_slice(&page.crc.to_le_bytes());
            tail.extend_from_slice(&page.offset.to_le_bytes());
            tail.extend_from_slice(&page.stored_len.to_le_bytes());
            tail.extend_from_slice(&page.raw_len.to_le_bytes());
        }
        tail.extend_from_slice(meta);
        tail.extend_from_slice(&self.id.0.to_le_bytes());
        tail.extend_from_slice(&min_time.to_le_bytes());
        tail.extend_from_slice(&max_time.to_le_bytes());
        tail.extend_from_slice(&self.offset.to_le_bytes());
        tail.extend_from_slice(&(self.pages.len() as u32).to_le_bytes());
        tail.extend_from_slice(&(meta.len() as u32).to_le_bytes());
        tail.extend_from_slice(&crc32c::crc32c(&tail).to_le_bytes());
        tail.extend_from_slice(&[0; 4]);
        tail.extend_from_slice(&MAGIC);
        self.sink.write(&tail)?;
        self.sink.finish()?;
        Ok(PartInfo { id: self.id, min_time, max_time, bytes: self.offset + tail.len() as u64 })
    }
}

/// An open part.
pub struct Part {
    info: PartInfo,
    file: Arc<dyn ReadAt>,
    pages: Vec<PageEntry>,
    meta: Bytes,
    store: Arc<dyn PartStore>,
    metrics: Arc<KernelMetrics>,
    cache: Arc<PageCache>,
    /// Set when the part left the manifest: its file goes when the last reader does.
    retired: AtomicBool,
}

impl Part {
    pub(crate) fn open(
        store: Arc<dyn PartStore>,
        id: PartId,
        metrics: Arc<KernelMetrics>,
        cache: Arc<PageCache>,
    ) -> Result<Part, KernelError> {
        let damaged = |what: String| KernelError::corrupt(format!("{}: {what}", store.locate(id)));
        let file = store.open(id)?;
        let read = |buf: &mut [u8], offset: u64| {
            file.read_exact_at(buf, offset).map_err(|error| {
                KernelError::new(KernelErrorKind::Io, format!("{}: {error}", store.locate(id)))
            })
        };
        let bytes = file.len().map_err(|error| {
            KernelError::new(KernelErrorKind::Io, format!("{}: {error}", store.locate(id)))
        })?;
        let floor = (MAGIC.len() + TRAILER_BYTES) as u64;
        if bytes < floor {
            return Err(damaged(format!("{bytes} bytes, a part has at least {floor}")));
        }
        let trailer_offset = bytes - TRAILER_BYTES as u64;
        let mut trailer = [0; TRAILER_BYTES];
        read(&mut trailer, trailer_offset)?;
        let trailer_fields = Trailer::parse(&trailer).ok_or_else(|| damaged("wrong magic".to_string()))?;
        let Trailer { id: stored_id, min_time, max_time, directory, pages, meta_len, crc } = trailer_fields;
        if stored_id != id.0 {
            return Err(damaged(format!("holds part {}", PartId(stored_id))));
        }
        let directory_bytes = u64::from(pages) * PAGE_ENTRY_BYTES as u64;
        if pages > PART_PAGES_MAX
            || meta_len as usize > PART_META_BYTES_MAX
            || directory.checked_add(directory_bytes + u64::from(meta_len)) != Some(trailer_offset)
        {
            return Err(damaged("directory and file length disagree".to_string()));
        }
        // Bounded by the file's own length, which was just compared.
        let mut tail = vec![0; (trailer_offset - directory) as usize];
        read(&mut tail, directory)?;
        if crc32c::crc32c_append(crc32c::crc32c(&tail), &trailer[..TRAILER_CRC_AT]) != crc {
            return Err(damaged("checksum of the directory fails".to_string()));
        }
        if min_time > max_time {
            return Err(damaged(format!("min_time {min_time} after max_time {max_time}")));
        }
        let meta = Bytes::from(tail.split_off(directory_bytes as usize));
        let entries: Option<Vec<PageEntry>> =
            tail.chunks_exact(PAGE_ENTRY_BYTES).map(|entry| PageEntry::parse(entry, directory)).collect();
        let pages = entries.ok_or_else(|| damaged("a page lies outside of the file".to_string()))?;
        let info = PartInfo { id, min_time, max_time, bytes };
        Ok(Part { info, file, pages, meta, store, metrics, cache, retired: AtomicBool::new(false) })
    }

    pub fn info(&self) -> &PartInfo {
        &self.info
    }

    pub fn id(&self) -> PartId {
        self.info.id
    }

    /// What the store gave to [`PartWriter::finish`].
    pub fn meta(&self) -> &Bytes {
        &self.meta
    }

    /// Whether any of the part's times is in `min_time..=max_time`.
    pub fn overlaps(&self, min_time: i64, max_time: i64) -> bool {
        self.info.min_time <= max_time && min_time <= self.info.max_time
    }

    /// The pages of one kind in the order written.
    pub fn pages_of(&self, kind: u8) -> impl Iterator<Item = PageRef> + '_ {
        let numbered = self.pages.iter().enumerate();
        numbered.filter(move |(_, page)| page.kind == kind).map(|(number, _)| PageRef(number as u32))
    }

    pub fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// Reads, verifies and decompresses a page, or finds it in the cache.
    pub fn page(&self, page: PageRef) -> Result<Bytes, KernelError> {
        if let Some(bytes) = self.cache.get(self.id(), page, &self.metrics) {
            return Ok(bytes);
        }
        let bytes = self.read_page(page)?;
        self.cache.insert(self.id(), page, &bytes, &self.metrics);
        Ok(bytes)
    }

    /// The same past the cache, for merges: they read everything once.
    pub fn read_page(&self, page: PageRef) -> Result<Bytes, KernelError> {
        let entry = self.pages.get(page.0 as usize).ok_or_else(|| {
            let message = format!("{}: no page {}", self.store.locate(self.id()), page.0);
            KernelError::corrupt(message)
        })?;
        let mut stored = vec![0; entry.stored_len as usize];
        self.file.read_exact_at(&mut stored, entry.offset).map_err(|error| {
            let message = format!("{}: page {}: {error}", self.store.locate(self.id()), page.0);
            KernelError::new(KernelErrorKind::Io, message)
        })?;
        let crc = crc32c::crc32c(&stored);
        let opened = if crc == entry.crc {
            page::open(entry.encoding, stored, entry.raw_len as usize)
        } else {
            Err(format!("checksum is {crc:08x}, should be {:08x}", entry.crc))
        };
        opened.map_err(|what| {
            add(&self.metrics.page_corruptions, 1);
            let message = format!(
                "{}: page {} at offset {}: {what}",
                self.store.locate(self.id()),
                page.0,
                entry.offset
            );
            KernelError::corrupt(message)
        })
    }

    /// Lets the file go with the last holder of this value.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Acquire) {
            // What cannot be deleted now is an orphan to the next start, which tries again.
            let _ = self.store.delete(self.info.id);
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("info", &self.info).field("pages", &self.pages.len()).finish()
    }
}

/// Where the checksum stands in the trailer; it covers all before it, directory and meta included.
const TRAILER_CRC_AT: usize = 40;

struct Trailer {
    id: u64,
    min_time: i64,
    max_time: i64,
    directory: u64,
    pages: u32,
    meta_len: u32,
    crc: u32,
}

impl Trailer {
    fn parse(bytes: &[u8]) -> Option<Trailer> {
        let mut fields = Fields(bytes);
        let trailer = Trailer {
            id: fields.u64()?,
            min_time: fields.i64()?,
            max_time: fields.i64()?,
            directory: fields.u64()?,
            pages: fields.u32()?,
            meta_len: fields.u32()?,
            crc: fields.u32()?,
        };
        fields.take(4)?;
        (fields.take(MAGIC.len())? == MAGIC).then_some(trailer)
    }
}

impl PageEntry {
    /// `None` when the page does not lie before the directory.
    fn parse(bytes: &[u8], directory: u64) -> Option<PageEntry> {
        let mut fields = Fields(bytes);
        let (kind, encoding) = (fields.u8()?, fields.u8()?);
        fields.u16()?;
        let entry = PageEntry {
            kind,
            encoding,
            crc: fields.u32()?,
            offset: fields.u64()?,
            stored_len: fields.u32()?,
            raw_len: fields.u32()?,
        };
        let end = entry.offset.checked_add(u64::from(entry.stored_len))?;
        (end <= directory).then_some(entry)
    }
}

#[cfg(test)]
mod tests;
