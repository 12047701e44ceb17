//! A block's `tombstones`: what was deleted and is still in the chunks.
//!
//! ```text
//! tombstones = magic, version, { uvarint series, varint min_t, varint max_t }*, u32 crc of the entries
//! ```

use std::collections::HashMap;
use std::path::Path;

use codec::Cursor;
use model::TimestampMs;

use crate::BlockError;
use crate::index_reader::{be32, check_crc};

/// File name inside a block.
pub const TOMBSTONES_FILE: &str = "tombstones";
const MAGIC: u32 = 0x0130_BA30;
const VERSION: u8 = 1;

/// Deleted ranges, both ends included, by reference of the series.
pub type Tombstones = HashMap<u64, Vec<(TimestampMs, TimestampMs)>>;

/// Reads a block's tombstones; none when there is no file.
pub fn read(block: &Path) -> Result<Tombstones, BlockError> {
    let path = block.join(TOMBSTONES_FILE);
    match std::fs::read(&path) {
        Ok(bytes) => parse(&bytes).map_err(|e| e.at(path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Tombstones::default()),
        Err(error) => Err(BlockError::io(&path, &error)),
    }
}

fn parse(bytes: &[u8]) -> Result<Tombstones, BlockError> {
    let mut cursor = Cursor::new(bytes);
    let magic = be32(&mut cursor)?;
    if magic != MAGIC {
        return Err(BlockError::new(format!("invalid magic number {magic:x}")));
    }
    let version = cursor.u8()?;
    if version != VERSION {
        return Err(BlockError::new(format!("invalid tombstone format {version}")));
    }
    let len = cursor.remaining().checked_sub(4).ok_or_else(|| BlockError::new("no checksum"))?;
    let entries = cursor.take(len)?;
    check_crc(entries, cursor.take(4)?)?;
    let mut entries = Cursor::new(entries);
    let mut all = Tombstones::default();
    while !entries.is_empty() {
        let (series, min_t, max_t) = (entries.uvarint()?, entries.ivarint()?, entries.ivarint()?);
        all.entry(series).or_default().push((min_t, max_t));
    }
    Ok(all)
}

/// The bytes of a file without entries.
pub fn none() -> Vec<u8> {
    let mut out = MAGIC.to_be_bytes().to_vec();
    out.push(VERSION);
    out.extend_from_slice(&crc32c::crc32c(&[]).to_be_bytes());
    out
}
