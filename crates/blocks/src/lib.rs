//! Prometheus' own formats on disk, both ways: chunks, blocks, the write-ahead log and the head's chunks.
//!
//! ```text
//! <data dir>/<ULID>/{meta.json, index, chunks/000001…, tombstones}    blocks
//!            wal/{00000001…, checkpoint.00000005/}, wbl/, chunks_head/    the head
//! ```
//!
//! Words: a *chunk* is up to 120 samples of one series, encoded; a *segment* is a file of chunks or of log
//! records; *symbols* are the strings of a block's labels; *postings* are the series with a label.
//!
//! Invariants: the bytes are the original's, as its `tsdb/docs/format` describes them; damaged and hostile
//! bytes are errors, never panics; this crate knows no store of ours.

mod block;
mod block_writer;
pub mod chunk;
pub mod columns;
mod database;
mod error;
mod head;
mod head_chunks;
mod index_reader;
mod index_writer;
mod mapped;
mod meta;
mod record;
mod segments;
#[cfg(test)]
mod tests;
mod tombstones;
mod ulid;
mod wal;

pub use block::{Block, blocks_in};
pub use block_writer::BlockWriter;
pub use database::{Database, Guard};
pub use error::BlockError;
pub use head::{Head, HeadReport};
pub use index_reader::{ChunkMeta, IndexReader, SeriesEntry};
pub use meta::{Compaction, Meta, Stats};
pub use ulid::{is_ulid, ulid};
