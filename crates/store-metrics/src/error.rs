//! Errors from below in the store's own kinds.

use kernel::{KernelError, KernelErrorKind};
use storage::{ErrorKind, StoreError};

pub fn from_kernel(error: KernelError) -> StoreError {
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

pub fn from_index(error: index::IndexError) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, error.to_string())
}
