//! Log entries as stored and queried.

use crate::{Labels, TimestampNs};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    pub ts: TimestampNs,
    pub line: String,
    /// Key–value pairs that belong to this line and not to its stream.
    pub structured_metadata: Labels,
}
