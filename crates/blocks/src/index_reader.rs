//! A block's `index`: symbols, series with the places of their chunks, postings. Versions 1 and 2.
//!
//! ```text
//! index    = magic, version, symbols, series*, label indices*, postings*, label offsets, postings offsets, toc
//! section  = u32 len, len bytes, u32 crc of these
//! series   = uvarint len, { labels, chunks }, u32 crc       at multiples of 16 in version 2
//! toc      = 6 × u64 offset, u32 crc
//! ```
//!
//! Numbers of fixed width are big endian, checksums are CRC-32C. A reference to a series is its offset, in
//! version 2 divided by 16; one to a symbol is its number, in version 1 its offset.

use std::path::Path;

use codec::Cursor;
use model::{Labels, TimestampMs};

use crate::BlockError;
use crate::mapped::Mapped;

pub const MAGIC: u32 = 0xBAAA_D700;
pub const TOC_LEN: usize = 6 * 8 + 4;
/// Version 2 aligns series to this.
pub const SERIES_ALIGN: u64 = 16;

/// Where a chunk is and what times it spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkMeta {
    pub min_t: TimestampMs,
    pub max_t: TimestampMs,
    /// Segment number in the upper half, offset in the lower.
    pub reference: u64,
}

/// A series as the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesEntry {
    /// What tombstones and postings call the series.
    pub reference: u64,
    pub labels: Labels,
    /// By time.
    pub chunks: Vec<ChunkMeta>,
}

#[derive(Debug)]
pub struct IndexReader {
    file: Mapped,
    version: u8,
    /// Offset of each symbol, in version 2 by its number.
    symbols: Vec<u32>,
    /// Place of the references of all series, and how many there are.
    all: (u64, usize),
}

impl IndexReader {
    pub fn open(path: &Path) -> Result<IndexReader, BlockError> {
        let file = Mapped::open(path)?;
        let bytes = file.bytes();
        let Some((header, _)) = bytes.split_first_chunk::<5>() else {
            return Err(file.error("shorter than a header"));
        };
        let [m0, m1, m2, m3, version] = *header;
        let magic = u32::from_be_bytes([m0, m1, m2, m3]);
        if magic != MAGIC {
            return Err(file.error(&format!("invalid magic number {magic:x}")));
        }
        if version != 1 && version != 2 {
            return Err(file.error(&format!("unknown index file version {version}")));
        }
        let toc_at = bytes.len().checked_sub(TOC_LEN).ok_or_else(|| file.error("no table of contents"))?;
        let (toc, crc) = bytes[toc_at..].split_at(TOC_LEN - 4);
        check_crc(toc, crc).map_err(|e| e.at(file.path().display()).at("read TOC"))?;
        let mut toc = Cursor::new(toc);
        let mut offsets = [0u64; 6];
        for offset in &mut offsets {
            *offset = be64(&mut toc)?;
        }
        let [symbols_at, _, _, _, _, postings_table_at] = offsets;
        let symbols = read_symbols(&file, symbols_at)?;
        let all = find_all(&file, postings_table_at)?;
        Ok(IndexReader { file, version, symbols, all })
    }

    /// Number of series.
    pub fn len(&self) -> usize {
        self.all.1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Series number `i` in the order of labels.
    pub fn series(&self, i: usize) -> Result<SeriesEntry, BlockError> {
        let at = self.all.0 + 4 * i as u64;
        let reference = self.file.range(at, 4)?;
        let reference = u64::from(be32(&mut Cursor::new(reference))?);
        let at = if self.version == 1 { reference } else { reference * SERIES_ALIGN };
        self.read_series(reference, at)
            .map_err(|e| e.at(format_args!("{}: series {reference}", self.file.path().display())))
    }

    fn read_series(&self, reference: u64, at: u64) -> Result<SeriesEntry, BlockError> {
        let mut cursor = Cursor::new(self.file.from(at)?);
        let len = cursor.usize()?;
        let body = cursor.take(len)?;
        check_crc(body, cursor.take(4)?)?;
        let mut body = Cursor::new(body);
        let mut pairs = Vec::new();
        for _ in 0..body.count(2)? {
            let (name, value) = (body.uvarint()?, body.uvarint()?);
            pairs.push((self.symbol(name)?, self.symbol(value)?));
        }
        let ascending = pairs.is_sorted_by(|a, b| a.0 < b.0);
        let labels = if ascending { Labels::from_sorted(pairs) } else { Labels::from_pairs(pairs) };
        let count = body.count(3)?;
        let mut chunks = Vec::with_capacity(count);
        let (mut t, mut place) = (0i64, 0i64);
        for i in 0..count {
            let min_t = if i == 0 { body.ivarint()? } else { t.wrapping_add(body.uvarint()? as i64) };
            let max_t = min_t.wrapping_add(body.uvarint()? as i64);
            place = if i == 0 { body.uvarint()? as i64 } else { place.wrapping_add(body.ivarint()?) };
            t = max_t;
            chunks.push(ChunkMeta { min_t, max_t, reference: place as u64 });
        }
        Ok(SeriesEntry { reference, labels, chunks })
    }

    fn symbol(&self, reference: u64) -> Result<&str, BlockError> {
        let offset = if self.version == 1 {
            reference
        } else {
            let known = usize::try_from(reference).ok().and_then(|number| self.symbols.get(number));
            u64::from(*known.ok_or_else(|| BlockError::new(format!("unknown symbol offset {reference}")))?)
        };
        Ok(Cursor::new(self.file.from(offset)?).str()?)
    }

    /// All symbols in their order.
    pub fn symbols(&self) -> impl Iterator<Item = Result<&str, BlockError>> {
        self.symbols.iter().map(|at| Ok(Cursor::new(self.file.from(u64::from(*at))?).str()?))
    }
}

/// The content of the section at `at`, checked.
fn section<'a>(file: &'a Mapped, at: u64, name: &str) -> Result<&'a [u8], BlockError> {
    let named = |e: BlockError| e.at(format_args!("{}: {name}", file.path().display()));
    let mut cursor = Cursor::new(file.from(at)?);
    let len = be32(&mut cursor).map_err(named)? as usize;
    let body = cursor.take(len).map_err(|e| named(e.into()))?;
    check_crc(body, cursor.take(4).map_err(|e| named(e.into()))?).map_err(named)?;
    Ok(body)
}

fn read_symbols(file: &Mapped, at: u64) -> Result<Vec<u32>, BlockError> {
    let body = section(file, at, "symbols")?;
    let mut cursor = Cursor::new(body);
    let count = be32(&mut cursor)? as usize;
    if count > body.len() {
        return Err(file.error("more symbols claimed than there can be"));
    }
    let mut offsets = Vec::with_capacity(count);
    for _ in 0..count {
        let offset = at + 4 + (body.len() - cursor.remaining()) as u64;
        offsets.push(u32::try_from(offset).map_err(|_| file.error("symbols beyond 4 GiB"))?);
        cursor.str()?;
    }
    Ok(offsets)
}

/// The postings of the empty label pair are all series. It is the first entry of the table.
fn find_all(file: &Mapped, table_at: u64) -> Result<(u64, usize), BlockError> {
    let mut table = Cursor::new(section(file, table_at, "postings table")?);
    for _ in 0..be32(&mut table)? {
        let names = table.usize()?;
        let mut empty = true;
        for _ in 0..names {
            empty &= table.bytes()?.is_empty();
        }
        let at = table.uvarint()?;
        if names == 2 && empty {
            let mut postings = Cursor::new(section(file, at, "postings")?);
            let count = be32(&mut postings)? as usize;
            if postings.remaining() < count.saturating_mul(4) {
                return Err(file.error("postings are cut short"));
            }
            return Ok((at + 8, count));
        }
    }
    Ok((0, 0))
}

pub fn check_crc(bytes: &[u8], crc: &[u8]) -> Result<(), BlockError> {
    let (expected, actual) = (be32(&mut Cursor::new(crc))?, crc32c::crc32c(bytes));
    if expected == actual {
        Ok(())
    } else {
        Err(BlockError::new(format!("checksum mismatch expected:{expected:x}, actual:{actual:x}")))
    }
}

pub fn be32(cursor: &mut Cursor) -> Result<u32, BlockError> {
    Ok(u32::from_be_bytes(cursor.array()?))
}

pub fn be64(cursor: &mut Cursor) -> Result<u64, BlockError> {
    Ok(u64::from_be_bytes(cursor.array()?))
}
