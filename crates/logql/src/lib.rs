//! LogQL's evaluation over the log store's traits.
//!
//! ```text
//! query text → logql-syntax → Engine ─┬─ log query:    streams → pipeline → the newest (oldest) N entries
//!                                     └─ metric query: streams → pipeline → cells per series → windows
//!                                                      → aggregations, operators, functions
//! ```
//!
//! A *pipeline* turns one entry into a line and labels, or drops it. A metric query never keeps entries:
//! each becomes part of a *cell*, the time between two neighbouring window boundaries of one series, so
//! memory grows with series and steps and not with lines.
//!
//! Labels of an entry come from three places, which clients can tell apart: the stream, the structured
//! metadata stored with the entry, and what the pipeline parsed.
//!
//! Invariant: nothing here knows a store's inside, HTTP or JSON replies.

mod engine;
mod error;
mod fan_out;
mod log_query;
pub mod metric;
pub mod pipeline;
mod stats;
pub mod testing;

#[cfg(test)]
mod tests;

pub use engine::{Engine, Limits, LogParams, QueryContext, QueryData, QueryResult, TimeParams};
pub use error::{ErrorKind, QueryError};
pub use log_query::{ResultEntry, ResultStream};
pub use metric::series::{Point, SeriesPoints};
pub use stats::Stats;
