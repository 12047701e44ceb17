//! The trace store: spans in, traces and search results out.
//!
//! ```text
//! push ──► log record ──► head (memory) ──flush──► part: blocks of columns ──merge──► larger part
//!                            │                       │ trace index, operations, edges
//!                            └──────── trace / find / edges read both ────────┘
//! ```
//!
//! A *block* holds up to a few thousand spans column by column, sorted by service, name and start, so that
//! a search by those reads few blocks and neighbouring values look alike. The *trace index* of a part says
//! for every trace id which blocks hold its spans. An *edge* is a call from one service to another: a span
//! and its parent; it is worked out when spans are flushed, as far as the parent is known by then, and
//! completed when asked for.
//!
//! Invariants: a search never loads whole traces; results do not depend on what has been flushed or
//! merged; old timestamps are as good as new ones (age counts from arrival). Layout:
//! `docs/format/traces.md`.

mod attributes;
mod block;
mod criteria;
mod edges;
mod error;
mod head;
mod limits;
mod maintenance;
mod merge;
mod metrics;
mod part;
mod part_builder;
mod part_meta;
mod reads;
mod record;
mod settings;
mod store;
mod trace_index;

pub use kernel::FsyncPolicy;
pub use metrics::TraceStoreMetrics;
pub use settings::TraceStoreSettings;
pub use store::Traces;

#[cfg(test)]
mod tests;
