//! Following logs and pushing their lines to Loki: Promtail.
//!
//! ```text
//! files ── inotify ──► reader ──► pipeline ──► batch ──► pending file ──► push ──► positions
//! journal ─ child ───►                           ▲                          │
//!                                                └── one on its way, one collecting ──┘
//! ```
//!
//! Words: a *target* is a pattern with labels or a journal; a *source* is one followed file or journal with
//! its own pipeline; an *entry* is a line on its way through the stages; a *position* says how far a source
//! has been pushed.
//!
//! Invariants: a position moves only after Loki has acknowledged everything before it; while Loki is away
//! nothing is dropped, reading pauses; what was on its way when the process died is pushed again exactly as
//! it was, times included, so that Loki recognises it. Memory is bounded by two batches, one line a file
//! and what stages hold.

mod batch;
pub mod config;
mod engine;
mod entry;
mod file;
mod glob;
mod journal;
mod metrics;
mod pending;
mod positions;
mod sender;
mod source;
mod stages;
mod status;
mod targets;
mod watcher;

pub use config::Config;
pub use engine::Tailer;
pub use metrics::Metrics;
pub use status::{Status, TargetStatus};

/// The longest line that is read whatever the configuration says.
pub const LINE_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests;
