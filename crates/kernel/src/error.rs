//! What can go wrong in the kernel: coarse kinds, rich messages.

use std::fmt;
use std::io;
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KernelErrorKind {
    /// The disk is full or nearly so. Writing resumes by itself when there is room.
    NoSpace,
    /// The table was closed.
    Closed,
    /// A named limit says no.
    LimitExceeded,
    /// The caller broke a rule of the interface.
    Invalid,
    /// What was to be replaced is no longer there: retention or another merge came first.
    Conflict,
    /// Another process owns the directory.
    Locked,
    /// The operating system refused; the message carries path and reason.
    Io,
    /// Stored bytes fail their checksum or contradict each other.
    Corrupt,
}

#[derive(Debug, Clone)]
pub struct KernelError {
    pub kind: KernelErrorKind,
    pub message: String,
}

impl KernelError {
    pub fn new(kind: KernelErrorKind, message: impl Into<String>) -> KernelError {
        KernelError { kind, message: message.into() }
    }

    pub fn corrupt(message: impl Into<String>) -> KernelError {
        KernelError::new(KernelErrorKind::Corrupt, message)
    }

    pub(crate) fn io(path: &Path, error: &io::Error) -> KernelError {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => KernelErrorKind::NoSpace,
            _ => KernelErrorKind::Io,
        };
        KernelError::new(kind, format!("{}: {error}", path.display()))
    }

    /// The same error, told from one step further out.
    pub(crate) fn context(self, what: impl fmt::Display) -> KernelError {
        KernelError { kind: self.kind, message: format!("{what}: {}", self.message) }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for KernelError {}

/// Adds the path to an operating system error.
pub(crate) trait AtPath<T> {
    fn at(self, path: &Path) -> Result<T, KernelError>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, KernelError> {
        self.map_err(|error| KernelError::io(path, &error))
    }
}
