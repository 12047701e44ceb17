//! The log store: batches of streams in, lines of a stream in time order out.
//!
//! ```text
//! push ──► log record ──► head (memory) ──flush──► part: groups of columns ──merge──► larger part
//!            │               │                        │ stream index, block directory, skip filters
//!            └► listeners    └───────── view: select, read, statistics ─────────┘
//! ```
//!
//! Words: a *stream* is a label set with its entries. A *run* is a piece of a stream in memory. A *block*
//! is a piece of a stream in a part, sorted by time; a *group* is what a part stores and reads at once:
//! one large block or many small ones of neighbouring streams. A *skip filter* says of a group which
//! texts are certainly not in it. A row's *generation* numbers the flush that wrote it, so that entries
//! of equal time keep the order in which they arrived through all merges.
//!
//! Invariants: what a reader sees does not depend on what has been flushed or merged; an entry equal in
//! time, line and metadata to another of its stream is shown once; skip filters never lose a line; a view
//! sees a push as a whole or not at all. Layout: `docs/format/logs.md`.

mod directory;
mod error;
mod filter;
mod group;
mod head;
mod limits;
mod listeners;
mod maintenance;
mod merge;
mod metrics;
mod part;
mod part_builder;
mod record;
mod retention;
mod run;
mod settings;
mod store;
mod sweep;
mod view;

pub use kernel::FsyncPolicy;
pub use metrics::LogStoreMetrics;
pub use settings::{LogStoreSettings, RetentionRule};
pub use store::Logs;

#[cfg(test)]
mod tests;
