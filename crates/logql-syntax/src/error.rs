//! Why a query was refused.

use std::fmt;

/// Prints as Loki's: with a position where the parser has one, and a bare `parse error : ` where not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    pub message: String,
    /// Line and column start at 1; both 0 means that the error has no position. Ranges (`[5m]`) are
    /// reported by the original with line 0 and a real column, which clients see and we keep.
    pub line: usize,
    pub column: usize,
}

impl ParseError {
    /// An error that concerns the query as a whole.
    pub fn unplaced(message: impl Into<String>) -> ParseError {
        ParseError { message: message.into(), line: 0, column: 0 }
    }

    pub(crate) fn at(message: impl Into<String>, line: usize, column: usize) -> ParseError {
        ParseError { message: message.into(), line, column }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 && self.column == 0 {
            return write!(f, "parse error : {}", self.message);
        }
        write!(f, "parse error at line {}, col {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}
