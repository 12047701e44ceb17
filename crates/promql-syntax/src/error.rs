//! Where in the input something is, and what is wrong there.

use std::fmt;

/// A byte range of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PosRange {
    pub start: usize,
    pub end: usize,
}

impl PosRange {
    pub fn new(start: usize, end: usize) -> PosRange {
        PosRange { start, end }
    }

    /// From the start of `self` to the end of `other`.
    pub fn to(self, other: PosRange) -> PosRange {
        PosRange { start: self.start, end: other.end }
    }

    /// `line:column` of the start in `input`, both from 1, the column in bytes.
    pub fn describe(&self, input: &str) -> String {
        if input.is_empty() {
            return "unknown position".into();
        }
        let Some(before) = input.as_bytes().get(..self.start) else { return "invalid position".into() };
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        let column = match before.iter().rposition(|b| *b == b'\n') {
            Some(line_break) => self.start - line_break,
            None => self.start + 1,
        };
        format!("{line}:{column}")
    }
}

/// Input that is not PromQL. Displays as `1:5: parse error: unexpected …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    pub pos: PosRange,
    pub message: String,
    /// `line:column`, worked out while the input was at hand.
    place: String,
}

impl ParseError {
    pub(crate) fn new(input: &str, pos: PosRange, message: impl Into<String>) -> ParseError {
        ParseError { pos, message: message.into(), place: pos.describe(input) }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: parse error: {}", self.place, self.message)
    }
}

impl std::error::Error for ParseError {}
