//! Store errors: coarse kinds, rich messages.

use std::fmt;

/// Why a store refused or failed. A kind exists because a caller would act on it differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The sample is older than the newest one of its series and out of the accepted window.
    OutOfOrder,
    /// The sample is too old for the store at all.
    OutOfBounds,
    /// Another value is stored for this very timestamp.
    DuplicateTimestamp,
    /// The data breaks a rule of the data model (label order, bucket layout, empty id).
    Invalid,
    /// A configured limit says no; the message names it.
    LimitExceeded,
    /// The disk is full or nearly so: writing will resume by itself when there is room.
    NoSpace,
    /// The store is shutting down or was closed.
    Closed,
    /// The caller's deadline or cancellation came first.
    Cancelled,
    /// The operating system refused; the message carries path and reason.
    Io,
    /// Stored bytes fail their checksum or contradict each other.
    Corrupt,
}

#[derive(Debug, Clone)]
pub struct StoreError {
    pub kind: ErrorKind,
    pub message: String,
}

impl StoreError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> StoreError {
        StoreError { kind, message: message.into() }
    }

    /// An operating system error on `path`.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> StoreError {
        let kind =
            if error.kind() == std::io::ErrorKind::StorageFull { ErrorKind::NoSpace } else { ErrorKind::Io };
        StoreError::new(kind, format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {}
