//! `chunks_head/`: full chunks of the head, which Prometheus keeps in files until they become a block.
//!
//! ```text
//! file  = magic, version, 3 bytes of padding, { chunk }*, zeros
//! chunk = u64 series, i64 min_t, i64 max_t, u8 encoding, uvarint len, len bytes, u32 crc of all before
//! ```
//!
//! The highest bit of the encoding marks a chunk of late samples.

use std::path::Path;

use codec::Cursor;
use model::TimestampMs;

use crate::BlockError;
use crate::chunk::Encoding;
use crate::index_reader::{be32, be64, check_crc};
use crate::mapped::Mapped;
use crate::segments::numbered_files;

const MAGIC: u32 = 0x0130_BC91;
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 8;
const LATE: u8 = 0x80;

/// Where a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadChunk {
    pub series: u64,
    pub min_t: TimestampMs,
    pub max_t: TimestampMs,
    pub encoding: Encoding,
    /// Whether its samples came late, and may lie between others.
    pub late: bool,
    file: u32,
    offset: u32,
    len: u32,
}

#[derive(Debug, Default)]
pub struct HeadChunks {
    files: Vec<Mapped>,
    pub chunks: Vec<HeadChunk>,
}

impl HeadChunks {
    /// Finds all chunks. Damage ends the reading of a file and is handed to `warn`.
    pub fn open(dir: &Path, warn: &mut dyn FnMut(BlockError)) -> Result<HeadChunks, BlockError> {
        let mut all = HeadChunks::default();
        if !dir.is_dir() {
            return Ok(all);
        }
        for path in numbered_files(dir)? {
            let file = Mapped::open(&path)?;
            if let Err(error) = all.scan(&file) {
                warn(error.at(path.display()));
            }
            all.files.push(file);
        }
        Ok(all)
    }

    fn scan(&mut self, file: &Mapped) -> Result<(), BlockError> {
        let bytes = file.bytes();
        if bytes.is_empty() {
            return Ok(());
        }
        let mut cursor = Cursor::new(bytes);
        let magic = be32(&mut cursor)?;
        if magic != MAGIC {
            return Err(BlockError::new(format!("invalid magic number {magic:x}")));
        }
        let version = cursor.u8()?;
        if version != VERSION {
            return Err(BlockError::new(format!("invalid chunk format version {version}")));
        }
        cursor.take(3)?;
        debug_assert_eq!(bytes.len() - cursor.remaining(), HEADER_BYTES);
        loop {
            let from = bytes.len() - cursor.remaining();
            // Files are made longer in advance: zeros up to the end are no chunk.
            if cursor.remaining() < 25 || bytes[from..from + 25].iter().all(|byte| *byte == 0) {
                return Ok(());
            }
            let (series, min_t) = (be64(&mut cursor)?, be64(&mut cursor)? as i64);
            let max_t = be64(&mut cursor)? as i64;
            let encoding = cursor.u8()?;
            let len = cursor.usize()?;
            let offset = bytes.len() - cursor.remaining();
            cursor.take(len)?;
            let covered = &bytes[from..bytes.len() - cursor.remaining()];
            check_crc(covered, cursor.take(4)?)?;
            self.chunks.push(HeadChunk {
                series,
                min_t,
                max_t,
                encoding: Encoding::from_byte(encoding & !LATE)?,
                late: encoding & LATE != 0,
                file: self.files.len() as u32,
                offset: u32::try_from(offset).map_err(|_| BlockError::new("file beyond 4 GiB"))?,
                len: u32::try_from(len).map_err(|_| BlockError::new("chunk beyond 4 GiB"))?,
            });
        }
    }

    /// The bytes of a chunk.
    pub fn data(&self, chunk: &HeadChunk) -> Result<&[u8], BlockError> {
        let file = self.files.get(chunk.file as usize).ok_or_else(|| BlockError::new("unknown file"))?;
        file.range(u64::from(chunk.offset), chunk.len as usize)
    }
}
