//! Following the log while it is written: for those who pass records on instead of keeping them in memory.
//!
//! A tail stands between two records and moves when told to. It sees what was acknowledged, in the order of
//! the log, whichever segment it is in; where a segment has been deleted it goes on behind it.

use std::sync::Arc;

use super::replay::Window;
use super::{Lsn, Shared};
use crate::error::{AtPath, KernelError};
use crate::metrics::add;

/// A place in the log, and the segment that is open there.
pub struct Tail {
    shared: Arc<Shared>,
    next: u64,
    open: Option<Window>,
}

impl Tail {
    pub(super) fn new(shared: Arc<Shared>, from: Lsn) -> Tail {
        Tail { shared, next: from.0, open: None }
    }

    /// Where the next record may begin: everything before it has been shown or skipped.
    pub fn position(&self) -> Lsn {
        Lsn(self.next)
    }

    /// Replaces `payload` by the next record and tells its place; `None` when all that was written has been
    /// read. Damage is skipped and counted. After an error the same place is tried again.
    pub fn next(&mut self, payload: &mut Vec<u8>) -> Result<Option<Lsn>, KernelError> {
        loop {
            let writer = &self.shared.writer;
            let Some(segment) = writer.segment_at(self.next) else { return Ok(None) };
            let path = writer.path(segment.base);
            if self.next < segment.base {
                self.next = segment.base;
            }
            let window = match self.open.take() {
                Some(window) if window.base == segment.base => window,
                _ => Window::new(writer.disk.open_read(&path).at(&path)?, segment),
            };
            let window = self.open.insert(window);
            window.end = segment.end;
            if let Some(found) = window.frame(self.next).at(&path)? {
                payload.clear();
                payload.extend_from_slice(found);
                let lsn = Lsn(self.next);
                self.next += (super::FRAME_BYTES + payload.len()) as u64;
                return Ok(Some(lsn));
            }
            // A torn end is skipped like any damage: the next segment begins behind it.
            self.next = window.resync(self.next + 1).at(&path)?.unwrap_or(segment.end);
            add(&self.shared.metrics.wal_corruptions, 1);
        }
    }
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("next", &self.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use platform::{Disk, SimDisk};

    use crate::wal::segment::{self, HEADER_BYTES};
    use crate::wal::{FsyncPolicy, Lsn, Wal, WalOptions};

    fn open(disk: &SimDisk) -> Wal {
        let options = WalOptions { segment_bytes: 100, fsync: FsyncPolicy::Off, ..WalOptions::default() };
        Wal::open(
            std::sync::Arc::new(disk.clone()),
            PathBuf::from("/log"),
            options,
            Lsn(0),
            Default::default(),
        )
        .unwrap()
    }

    fn record(i: u8) -> Vec<u8> {
        vec![i; 30]
    }

    #[test]
    fn records_are_seen_as_they_come_and_across_segments() {
        let disk = SimDisk::new();
        let wal = open(&disk);
        let (mut tail, mut payload) = (wal.tail(Lsn(0)), Vec::new());
        assert_eq!(tail.next(&mut payload).unwrap(), None);
        for i in 0..10 {
            let lsn = wal.append(&record(i)).unwrap();
            assert_eq!(tail.next(&mut payload).unwrap(), Some(lsn));
            assert_eq!(payload, record(i));
            assert_eq!(tail.next(&mut payload).unwrap(), None);
            assert_eq!(tail.position(), wal.end());
        }
        // A late reader sees the same, and one from the middle the rest.
        let count = |from| {
            let (mut tail, mut n) = (wal.tail(from), 0);
            while tail.next(&mut Vec::new()).unwrap().is_some() {
                n += 1;
            }
            n
        };
        assert_eq!((count(Lsn(0)), count(Lsn(38 * 4)), count(wal.end())), (10, 6, 0));
        // What is deleted is passed over.
        wal.truncate_before(Lsn(38 * 6)).unwrap();
        assert_eq!(count(Lsn(0)), 4);
    }

    #[test]
    fn damage_costs_the_damaged_record_only() {
        let disk = SimDisk::new();
        let wal = open(&disk);
        for i in 0..10 {
            wal.append(&record(i)).unwrap();
        }
        wal.close().unwrap();
        // The first segment: records 0 to 2. A byte of record 1 flips.
        let path = Path::new("/log").join(segment::file_name(0));
        let mut bytes = disk.read(&path).unwrap();
        bytes[HEADER_BYTES + 38 + 20] ^= 1;
        disk.create(&path).unwrap().append(&bytes).unwrap();
        let wal = open(&disk);
        wal.append(&record(10)).unwrap();
        let (mut tail, mut payload, mut seen) = (wal.tail(Lsn(0)), Vec::new(), Vec::new());
        while tail.next(&mut payload).unwrap().is_some() {
            seen.push(payload[0]);
        }
        assert_eq!(seen, [0, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
}
