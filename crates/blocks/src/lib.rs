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

pub mod chunk;
mod error;

pub use error::BlockError;
