//! What stores offer and what queries, scrapers and front doors rely on: one trait pair (write, read)
//! per signal, and the error kinds callers act on differently.
//!
//! Invariant: no implementation lives here, and nothing here knows files, HTTP or query languages.
//! All calls block; async callers run them on a blocking pool. Every method may be called from many
//! threads at once.

mod error;
pub mod logs;
pub mod metrics;
pub mod traces;

pub use error::{ErrorKind, StoreError};
pub use logs::{LogQuerier, LogStore};
pub use metrics::{Appender, MetricsStore, Querier};
pub use traces::TraceStore;
