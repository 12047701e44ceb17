//! Kernel and codec errors in the words of the storage traits.

use kernel::{KernelError, KernelErrorKind};
use storage::{ErrorKind, StoreError};

pub(crate) fn from_kernel(error: KernelError) -> StoreError {
    let kind = match error.kind {
        KernelErrorKind::NoSpace => ErrorKind::NoSpace,
        KernelErrorKind::Closed => ErrorKind::Closed,
        KernelErrorKind::LimitExceeded => ErrorKind::LimitExceeded,
        KernelErrorKind::Invalid => ErrorKind::Invalid,
        KernelErrorKind::Conflict | KernelErrorKind::Locked | KernelErrorKind::Io => ErrorKind::Io,
        KernelErrorKind::Corrupt => ErrorKind::Corrupt,
    };
    StoreError::new(kind, error.message)
}

/// Bytes that passed their checksum and still make no sense.
pub(crate) fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, what.to_string())
}

pub(crate) fn limit(what: impl std::fmt::Display, name: &str, limit: usize) -> StoreError {
    StoreError::new(ErrorKind::LimitExceeded, format!("{what} exceeds the limit {name}={limit}"))
}
