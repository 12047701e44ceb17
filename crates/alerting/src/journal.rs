//! A small durable log of records: silences and the notification log live in one each.
//!
//! ```text
//! file   = magic (8 bytes), record*
//! record = length u32 LE, crc32c(payload) u32 LE, payload
//! ```
//!
//! [`Journal::write`] hands a record to the operating system: it survives the end of the process. To survive
//! power loss as well it must be synced; [`Commit`] does that for many writers at once. A torn last record
//! is cut off on opening; a damaged one in between is skipped and counted. When most of the file is outdated
//! it is rewritten to a temporary file that is renamed into place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use platform::{Disk, DiskFile};

use crate::manager::lock;

const MAGIC: &[u8; 8] = b"CLDJRNL1";

/// A record larger than this cannot be meant.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// Rewriting starts when the file holds this many records more than twice the live ones.
const REWRITE_SLACK: usize = 1_000;

#[derive(Debug)]
pub(crate) struct Journal {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    records: usize,
    written: u64,
    bytes: u64,
    /// The end of the file is not a record boundary: an append failed half way.
    torn: bool,
}

/// What opening a journal found.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub records: Vec<Vec<u8>>,
    pub damaged: usize,
    pub torn_bytes: usize,
}

impl Journal {
    /// Opens or creates `path` and reads everything in it.
    pub fn open(disk: Arc<dyn Disk>, path: PathBuf) -> io::Result<(Journal, Recovered)> {
        let dir = path.parent().unwrap_or(Path::new("."));
        disk.create_dir_all(dir)?;
        let mut recovered = Recovered::default();
        let bytes = match disk.read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(e),
        };
        // Up to the magic's length a file holds nothing that was ever acknowledged.
        let is_new = bytes.len() <= MAGIC.len();
        if !is_new && !bytes.starts_with(MAGIC) {
            let message = format!("{} is not a journal of this program", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let (file, len) = if is_new {
            let file = disk.create(&path)?;
            file.append(MAGIC)?;
            file.sync()?;
            disk.sync_dir(dir)?;
            (file, MAGIC.len())
        } else {
            let good = read_records(&bytes, &mut recovered);
            recovered.torn_bytes = bytes.len() - good;
            let file = disk.open_write(&path)?;
            if good < bytes.len() {
                file.truncate(good as u64)?;
                file.sync()?;
            }
            (file, good)
        };
        let records = recovered.records.len();
        Ok((Journal { disk, path, file, records, written: 0, bytes: len as u64, torn: false }, recovered))
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds one record; it survives the process when this returns.
    pub fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        self.write_frames(&frame(payload)?, 1)
    }

    /// Adds several records for the price of one.
    pub fn write_all(&mut self, payloads: &[Vec<u8>]) -> io::Result<()> {
        let mut frames = Vec::new();
        for payload in payloads {
            frames.extend(frame(payload)?);
        }
        if frames.is_empty() { Ok(()) } else { self.write_frames(&frames, payloads.len()) }
    }

    fn write_frames(&mut self, frames: &[u8], count: usize) -> io::Result<()> {
        if self.torn {
            self.file.truncate(self.bytes)?;
            self.torn = false;
        }
        self.torn = true;
        self.file.append(frames)?;
        self.torn = false;
        self.bytes += frames.len() as u64;
        self.records += count;
        self.written += count as u64;
        Ok(())
    }

    /// The file as it is now; syncing it makes every record written so far durable.
    pub fn file(&self) -> Arc<dyn DiskFile> {
        self.file.clone()
    }

    /// How many records were ever written through this value.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether a rewrite with `live` records would pay.
    pub fn is_wasteful(&self, live: usize) -> bool {
        self.records > 2 * live + REWRITE_SLACK
    }

    /// Replaces the whole content in one step.
    pub fn rewrite(&mut self, payloads: &[Vec<u8>]) -> io::Result<()> {
        let temporary = self.path.with_extension("tmp");
        let mut content = MAGIC.to_vec();
        for payload in payloads {
            content.extend(frame(payload)?);
        }
        let file = self.disk.create(&temporary)?;
        file.append(&content)?;
        file.sync()?;
        self.disk.rename(&temporary, &self.path)?;
        // From here on the new file is the journal, whatever else fails.
        self.file = file;
        self.records = payloads.len();
        self.bytes = content.len() as u64;
        self.torn = false;
        self.disk.sync_dir(self.path.parent().unwrap_or(Path::new(".")))
    }
}

/// Makes records durable, many at a time: who comes while a sync is running waits for it, and the next sync
/// serves all who waited.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    synced: Mutex<u64>,
}

impl Commit {
    /// Returns when record number `ticket` ([`Journal::written`] right after its write) is durable. `journal`
    /// tells the file and the number of its last record; it must not be called with the journal locked.
    pub fn wait(&self, ticket: u64, journal: impl FnOnce() -> (Arc<dyn DiskFile>, u64)) -> io::Result<()> {
        let mut synced = lock(&self.synced);
        if *synced < ticket {
            let (file, written) = journal();
            file.sync()?;
            *synced = written;
        }
        Ok(())
    }
}

fn frame(payload: &[u8]) -> io::Result<Vec<u8>> {
    let len = u32::try_from(payload.len())
        .ok()
        .filter(|len| *len as usize <= RECORD_BYTES_MAX)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "record is too large"))?;
    let mut out = Vec::with_capacity(payload.len() + 8);
    out.extend(len.to_le_bytes());
    out.extend(crc32c::crc32c(payload).to_le_bytes());
    out.extend(payload);
    Ok(out)
}

/// Collects whole records; returns where the last one ends.
fn read_records(bytes: &[u8], recovered: &mut Recovered) -> usize {
    let mut at = MAGIC.len();
    while let Some((len, crc)) = header(bytes, at) {
        let start = at + 8;
        let Some(payload) = start.checked_add(len).and_then(|end| bytes.get(start..end)) else {
            break;
        };
        let is_last = start + len == bytes.len();
        let intact = crc32c::crc32c(payload) == crc;
        if intact {
            recovered.records.push(payload.to_vec());
        } else if is_last {
            break;
        } else {
            recovered.damaged += 1;
        }
        at = start + len;
    }
    at
}

fn header(bytes: &[u8], at: usize) -> Option<(usize, u32)> {
    let word = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
    };
    let len = word(at)? as usize;
    (len <= RECORD_BYTES_MAX).then_some((len, word(at + 4)?))
}
