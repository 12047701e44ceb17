//! Prometheus' write-ahead log: records in pages of 32 KiB in numbered segments.
//!
//! ```text
//! fragment = u8 type and compression, u16 len, u32 crc, len bytes
//! type     = 0 rest of the page is empty | 1 whole record | 2 first | 3 middle | 4 last fragment
//! ```
//!
//! A record stays within its segment; bit 3 of the type says snappy, bit 4 zstd, for the record as a whole.
//! A checkpoint is a log of its own that stands for all segments up to its number.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::BlockError;
use crate::segments::numbered_files;

const PAGE_BYTES: usize = 32 << 10;
const HEADER_BYTES: usize = 7;
const SNAPPY: u8 = 1 << 3;
const ZSTD: u8 = 1 << 4;
/// A decompressed record beyond this is refused. Prometheus makes one record of one scrape.
const RECORD_BYTES_MAX: usize = 1 << 30;

/// The segments that stand for the whole log of `dir`, in the order they are read: those of the newest
/// checkpoint, then those after it.
pub fn segments(dir: &Path) -> Result<Vec<PathBuf>, BlockError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut checkpoint: Option<(u64, PathBuf)> = None;
    for entry in std::fs::read_dir(dir).map_err(|error| BlockError::io(dir, &error))? {
        let path = entry.map_err(|error| BlockError::io(dir, &error))?.path();
        let number =
            path.file_name().and_then(|name| name.to_str()?.strip_prefix("checkpoint.")?.parse().ok());
        if let Some(number) = number
            && path.is_dir()
            && checkpoint.as_ref().is_none_or(|(newest, _)| *newest < number)
        {
            checkpoint = Some((number, path));
        }
    }
    let mut files = Vec::new();
    let covered = checkpoint.as_ref().map(|(number, _)| *number);
    if let Some((_, path)) = checkpoint {
        files.extend(numbered_files(&path)?);
    }
    for file in numbered_files(dir)? {
        let number = file.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok());
        if number > covered {
            files.push(file);
        }
    }
    Ok(files)
}

/// Shows the records of one segment in order. Damage and a torn end are an error that comes after all
/// records before them were shown.
pub fn read_segment(
    path: &Path,
    mut visit: impl FnMut(&[u8]) -> Result<(), BlockError>,
) -> Result<(), BlockError> {
    let file = File::open(path).map_err(|error| BlockError::io(path, &error))?;
    let mut reader = SegmentReader { input: BufReader::with_capacity(PAGE_BYTES * 4, file), at: 0 };
    let (mut packed, mut record) = (Vec::new(), Vec::new());
    loop {
        match reader.next(&mut packed) {
            Ok(None) => return Ok(()),
            Ok(Some(flags)) => {
                let plain = unpack(flags, &packed, &mut record)
                    .map_err(|e| e.at(format_args!("{} before {}", path.display(), reader.at)))?;
                visit(plain).map_err(|e| e.at(format_args!("{} before {}", path.display(), reader.at)))?;
            }
            Err(error) => return Err(error.at(format_args!("{} at {}", path.display(), reader.at))),
        }
    }
}

struct SegmentReader {
    input: BufReader<File>,
    at: usize,
}

impl SegmentReader {
    /// Puts the next record, still packed, into `record` and returns the flags of its last fragment.
    fn next(&mut self, record: &mut Vec<u8>) -> Result<Option<u8>, BlockError> {
        record.clear();
        let mut fragments = 0;
        loop {
            let mut first = [0u8];
            if !self.fill(&mut first)? {
                return if fragments == 0 { Ok(None) } else { Err(BlockError::new("last record is torn")) };
            }
            let kind = first[0] & 7;
            if kind == 0 {
                let rest = (PAGE_BYTES - self.at % PAGE_BYTES) % PAGE_BYTES;
                let mut padding = vec![0; rest];
                if !self.fill(&mut padding)? {
                    return Ok(None);
                }
                if padding.iter().any(|byte| *byte != 0) {
                    return Err(BlockError::new("unexpected non-zero byte in padded page"));
                }
                continue;
            }
            let mut header = [0u8; HEADER_BYTES - 1];
            if !self.fill(&mut header)? {
                return Err(BlockError::new("last record is torn"));
            }
            let [l0, l1, c0, c1, c2, c3] = header;
            let (len, crc) =
                (usize::from(u16::from_be_bytes([l0, l1])), u32::from_be_bytes([c0, c1, c2, c3]));
            if len > PAGE_BYTES - HEADER_BYTES {
                return Err(BlockError::new(format!("invalid record size {len}")));
            }
            let from = record.len();
            if from + len > RECORD_BYTES_MAX {
                return Err(BlockError::new("record is too large"));
            }
            record.resize(from + len, 0);
            if !self.fill(&mut record[from..])? {
                return Err(BlockError::new("last record is torn"));
            }
            let actual = crc32c::crc32c(&record[from..]);
            if actual != crc {
                return Err(BlockError::new(format!("unexpected checksum {actual:x}, expected {crc:x}")));
            }
            match (kind, fragments) {
                (1, 0) | (4, 1..) => return Ok(Some(first[0])),
                (2, 0) | (3, 1..) => fragments += 1,
                _ => return Err(BlockError::new(format!("unexpected record type {kind}"))),
            }
        }
    }

    /// Fills `buffer`; false when the file ends before.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool, BlockError> {
        match self.input.read_exact(buffer) {
            Ok(()) => {
                self.at += buffer.len();
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(BlockError::new(error.to_string())),
        }
    }
}

fn unpack<'a>(flags: u8, packed: &'a [u8], out: &'a mut Vec<u8>) -> Result<&'a [u8], BlockError> {
    if packed.is_empty() || flags & (SNAPPY | ZSTD) == 0 {
        return Ok(packed);
    }
    if flags & SNAPPY != 0 {
        let len = snap::raw::decompress_len(packed).map_err(|e| BlockError::new(e.to_string()))?;
        // Snappy makes at most 21 bytes of one.
        if len > packed.len().saturating_mul(32) || len > RECORD_BYTES_MAX {
            return Err(BlockError::new("record is too large"));
        }
        out.resize(len, 0);
        let len =
            snap::raw::Decoder::new().decompress(packed, out).map_err(|e| BlockError::new(e.to_string()))?;
        out.truncate(len);
    } else {
        out.clear();
        let decoder = zstd::stream::read::Decoder::new(packed).map_err(|e| BlockError::new(e.to_string()))?;
        let taken = decoder.take(RECORD_BYTES_MAX as u64 + 1).read_to_end(out);
        if taken.map_err(|e| BlockError::new(e.to_string()))? > RECORD_BYTES_MAX {
            return Err(BlockError::new("record is too large"));
        }
    }
    Ok(out)
}
