//! A line on its way through the stages.

use std::collections::BTreeMap;

use model::TimestampNs;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub ts: TimestampNs,
    pub line: String,
    pub labels: BTreeMap<String, String>,
    pub metadata: BTreeMap<String, String>,
    /// What stages found and hand on to each other.
    pub extracted: BTreeMap<String, String>,
    /// Overrides the client's.
    pub tenant: Option<String>,
    /// Where the line began in its source: what a stage holds is read again after a restart.
    pub origin: u64,
}

impl Entry {
    /// The labels are also there as extracted values.
    pub fn new(ts: TimestampNs, line: String, labels: &BTreeMap<String, String>, origin: u64) -> Entry {
        Entry {
            ts,
            line,
            labels: labels.clone(),
            metadata: BTreeMap::new(),
            extracted: labels.clone(),
            tenant: None,
            origin,
        }
    }

    /// An extracted value, or the line.
    pub fn source(&self, name: Option<&str>) -> Option<&str> {
        match name {
            None | Some("") => Some(&self.line),
            Some(name) => self.extracted.get(name).map(String::as_str),
        }
    }
}
