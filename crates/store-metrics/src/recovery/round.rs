//! Records of the log, collected until there are enough to keep all processors busy, and read at once.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use kernel::Lsn;
use storage::StoreError;

use crate::record::{self, Floats, Record};

/// Bytes of unpacked records in a round. At five bytes a sample these are 600,000 samples, which take twelve
/// bytes each while they wait.
const ROUND_BYTES: usize = 3 << 20;
/// Less is read by one thread.
const SHARED_FROM_BYTES: usize = 256 << 10;

#[derive(Default)]
pub struct Round {
    bytes: Vec<u8>,
    records: Vec<(Lsn, Range<usize>)>,
    unpacked: usize,
    /// Columns whose memory the next batches use again.
    spare: Mutex<Vec<Floats>>,
}

impl Round {
    /// Takes a record in. Returns whether the round is full.
    pub fn push(&mut self, lsn: Lsn, record: &[u8]) -> bool {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record);
        self.records.push((lsn, start..self.bytes.len()));
        self.unpacked += record::unpacked_bytes(record);
        self.unpacked >= ROUND_BYTES
    }

    /// Reads all records, each thread the next one that nobody has begun, and empties the round.
    pub fn read(&mut self, threads: usize) -> Vec<(Lsn, Result<Record, StoreError>)> {
        let threads = if self.unpacked < SHARED_FROM_BYTES { 1 } else { threads };
        let (bytes, records) = (&self.bytes, &self.records);
        let read: Vec<OnceLock<Result<Record, StoreError>>> =
            records.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut plain = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let (Some((_, range)), Some(place)) = (records.get(at), read.get(at)) else { return };
                let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let record = bytes.get(range.clone()).unwrap_or(&[]);
                let _ = place.set(Record::decode(record, spare.unwrap_or_default(), &mut plain));
            }
        };
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        let read = records.iter().zip(read);
        let read = read.filter_map(|((lsn, _), record)| Some((*lsn, record.into_inner()?))).collect();
        self.bytes.clear();
        self.records.clear();
        self.unpacked = 0;
        read
    }

    /// Takes back the memory of columns that are done with.
    pub fn recycle(&mut self, columns: impl Iterator<Item = Floats>) {
        self.spare.get_mut().unwrap_or_else(PoisonError::into_inner).extend(columns);
    }
}
