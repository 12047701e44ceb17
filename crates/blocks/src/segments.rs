//! A block's chunks: files of up to 512 MiB in `chunks/`.
//!
//! ```text
//! segment = magic, version, 3 bytes of padding, { chunk }*
//! chunk   = uvarint len, u8 encoding, len bytes, u32 crc of encoding and bytes
//! ```
//!
//! A chunk's reference is the number of its file, counted from 0, and the offset in it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use codec::{Cursor, write_uvarint};

use crate::BlockError;
use crate::chunk::{Chunk, Encoding};
use crate::index_reader::{be32, check_crc};
use crate::mapped::Mapped;

/// Folder inside a block.
pub const CHUNKS_DIR: &str = "chunks";
const MAGIC: u32 = 0x85BD_40DD;
const VERSION: u8 = 1;
const HEADER_LEN: u64 = 8;
/// A file is closed before it grows beyond this.
const SEGMENT_BYTES_MAX: u64 = 512 << 20;

#[derive(Debug)]
pub struct SegmentReader {
    segments: Vec<Mapped>,
}

impl SegmentReader {
    /// Maps the files of a block's folder of chunks.
    pub fn open(dir: &Path) -> Result<SegmentReader, BlockError> {
        let mut segments = Vec::new();
        for path in numbered_files(dir)? {
            let file = Mapped::open(&path)?;
            let mut cursor = Cursor::new(file.bytes());
            let magic = be32(&mut cursor).map_err(|_| file.error("shorter than a header"))?;
            let version = cursor.u8().map_err(|_| file.error("shorter than a header"))?;
            if magic != MAGIC {
                return Err(file.error(&format!("invalid magic number {magic:x}")));
            }
            if version != VERSION {
                return Err(file.error(&format!("invalid chunk format version {version}")));
            }
            segments.push(file);
        }
        Ok(SegmentReader { segments })
    }

    /// Encoding and bytes of a chunk, checked.
    pub fn chunk(&self, reference: u64) -> Result<(Encoding, &[u8]), BlockError> {
        let number = (reference >> 32) as usize;
        let file = self
            .segments
            .get(number)
            .ok_or_else(|| BlockError::new(format!("segment index {number} out of range")))?;
        let offset = reference & 0xffff_ffff;
        let read = || {
            let mut cursor = Cursor::new(file.from(offset)?);
            let len = cursor.usize()?;
            let body = cursor.take(len.checked_add(1).ok_or(codec::CodecError("chunk length"))?)?;
            check_crc(body, cursor.take(4)?)?;
            let (&encoding, data) = body.split_first().ok_or(codec::CodecError("empty chunk"))?;
            Ok((Encoding::from_byte(encoding)?, data))
        };
        read().map_err(|e: BlockError| e.at(format_args!("{}: chunk at {offset}", file.path().display())))
    }
}

/// The files of a folder that are named by numbers, ascending.
pub fn numbered_files(dir: &Path) -> Result<Vec<PathBuf>, BlockError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|error| BlockError::io(dir, &error))? {
        let path = entry.map_err(|error| BlockError::io(dir, &error))?.path();
        let number =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u64>().ok());
        if let Some(number) = number {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// Writes chunks one after another.
pub struct SegmentWriter {
    dir: PathBuf,
    file: Option<BufWriter<File>>,
    /// Files begun.
    begun: u64,
    offset: u64,
    scratch: Vec<u8>,
}

impl SegmentWriter {
    pub fn create(dir: &Path) -> Result<SegmentWriter, BlockError> {
        std::fs::create_dir_all(dir).map_err(|error| BlockError::io(dir, &error))?;
        Ok(SegmentWriter { dir: dir.to_owned(), file: None, begun: 0, offset: 0, scratch: Vec::new() })
    }

    /// Writes a chunk and returns its reference.
    pub fn write(&mut self, chunk: &Chunk) -> Result<u64, BlockError> {
        self.scratch.clear();
        write_uvarint(&mut self.scratch, chunk.data.len() as u64);
        let body = self.scratch.len();
        self.scratch.push(chunk.encoding as u8);
        self.scratch.extend_from_slice(&chunk.data);
        let crc = crc32c::crc32c(&self.scratch[body..]);
        self.scratch.extend_from_slice(&crc.to_be_bytes());
        if self.file.is_none() || self.offset + self.scratch.len() as u64 > SEGMENT_BYTES_MAX {
            self.begin()?;
        }
        let reference = (self.begun - 1) << 32 | self.offset;
        if let Some(file) = &mut self.file {
            file.write_all(&self.scratch).map_err(|error| BlockError::io(&self.dir, &error))?;
        }
        self.offset += self.scratch.len() as u64;
        Ok(reference)
    }

    fn begin(&mut self) -> Result<(), BlockError> {
        self.close()?;
        self.begun += 1;
        let path = self.dir.join(format!("{:06}", self.begun));
        let failed = |error: std::io::Error| BlockError::io(&path, &error);
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).map_err(failed)?);
        file.write_all(&MAGIC.to_be_bytes()).map_err(failed)?;
        file.write_all(&[VERSION, 0, 0, 0]).map_err(failed)?;
        self.file = Some(file);
        self.offset = HEADER_LEN;
        Ok(())
    }

    fn close(&mut self) -> Result<(), BlockError> {
        if let Some(file) = self.file.take() {
            let failed = |error: std::io::Error| BlockError::io(&self.dir, &error);
            let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
            file.sync_all().map_err(failed)?;
        }
        Ok(())
    }

    /// Makes everything durable.
    pub fn finish(mut self) -> Result<(), BlockError> {
        self.close()
    }
}
