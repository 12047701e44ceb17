//! The one error of this crate.

use std::fmt;
use std::path::Path;

/// What was read or written, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockError(String);

impl BlockError {
    pub fn new(message: impl Into<String>) -> BlockError {
        BlockError(message.into())
    }

    /// The same error, with the file or place it was met in before it.
    pub fn at(self, place: impl fmt::Display) -> BlockError {
        BlockError(format!("{place}: {}", self.0))
    }

    /// An error of the operating system, with the path it was about.
    pub fn io(path: &Path, error: &std::io::Error) -> BlockError {
        BlockError(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BlockError {}

impl From<codec::CodecError> for BlockError {
    fn from(error: codec::CodecError) -> BlockError {
        BlockError(error.to_string())
    }
}
