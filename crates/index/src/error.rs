//! The one way reading an index fails.

use std::fmt;

/// Stored index bytes contradict themselves. Carries what was being read and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexError {
    pub what: &'static str,
    pub offset: usize,
}

impl IndexError {
    pub fn new(what: &'static str, offset: usize) -> IndexError {
        IndexError { what, offset }
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "index page is damaged: {} at byte {}", self.what, self.offset)
    }
}

impl std::error::Error for IndexError {}
