//! Why a query failed.

use std::fmt;

use logql_syntax::ParseError;
use storage::StoreError;

/// Kinds a front door answers with different statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The query or its parameters are wrong.
    Bad,
    /// A limit of this server says no.
    Limit,
    /// A metric query met a line its pipeline could not read.
    Pipeline,
    Timeout,
    Cancelled,
    /// The store failed.
    Store,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    pub kind: ErrorKind,
    pub message: String,
}

impl QueryError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> QueryError {
        QueryError { kind, message: message.into() }
    }

    pub fn bad(message: impl Into<String>) -> QueryError {
        QueryError::new(ErrorKind::Bad, message)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for QueryError {}

impl From<ParseError> for QueryError {
    fn from(e: ParseError) -> QueryError {
        QueryError::bad(e.to_string())
    }
}

impl From<StoreError> for QueryError {
    fn from(e: StoreError) -> QueryError {
        QueryError::new(ErrorKind::Store, e.message)
    }
}
