//! Why the outbox could not take or give something.

use std::fmt;

use kernel::{KernelError, KernelErrorKind};

#[derive(Debug, Clone)]
pub struct OutboxError(pub KernelError);

impl OutboxError {
    pub(crate) fn corrupt(what: &str) -> OutboxError {
        OutboxError(KernelError::corrupt(format!("remote storage log: {what}")))
    }

    pub fn kind(&self) -> KernelErrorKind {
        self.0.kind
    }
}

impl From<KernelError> for OutboxError {
    fn from(error: KernelError) -> OutboxError {
        OutboxError(error)
    }
}

impl From<codec::CodecError> for OutboxError {
    fn from(error: codec::CodecError) -> OutboxError {
        OutboxError::corrupt(error.0)
    }
}

impl fmt::Display for OutboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for OutboxError {}
