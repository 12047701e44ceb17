//! What a query touched, for the `stats` object of replies.

use std::time::Duration;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stats {
    /// Streams whose entries were read.
    pub streams: u64,
    /// Entries read from the store.
    pub lines: u64,
    /// Bytes of their lines and structured metadata.
    pub bytes: u64,
    pub metadata_bytes: u64,
    /// Entries that passed the pipeline.
    pub post_filter_lines: u64,
    /// Entries in the reply.
    pub entries_returned: u64,
    pub elapsed: Duration,
}

impl Stats {
    /// Adds what another worker of the same query touched.
    pub fn absorb(&mut self, other: &Stats) {
        self.streams += other.streams;
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.metadata_bytes += other.metadata_bytes;
        self.post_filter_lines += other.post_filter_lines;
    }
}

impl Stats {
    /// Counts an entry that came from the store.
    pub(crate) fn read(&mut self, entry: &storage::logs::EntryRef<'_>) {
        let metadata: usize = entry.structured_metadata.iter().map(|(n, v)| n.len() + v.len()).sum();
        self.lines += 1;
        self.bytes += (entry.line.len() + metadata) as u64;
        self.metadata_bytes += metadata as u64;
    }
}
