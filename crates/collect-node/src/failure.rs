//! Why a collector reports no success.

use std::fmt;
use std::path::Path;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The host has nothing for this collector: told at debug level only.
    NoData(String),
    /// Something is there and cannot be read or parsed.
    Broken(String),
}

pub(crate) type Outcome = Result<(), Failure>;

impl Failure {
    pub fn no_data(message: impl Into<String>) -> Failure {
        Failure::NoData(message.into())
    }

    pub fn broken(message: impl Into<String>) -> Failure {
        Failure::Broken(message.into())
    }

    /// An I/O error with its path. An absent file is no data, anything else is broken.
    pub fn io(path: &Path, e: &std::io::Error) -> Failure {
        let message = format!("{}: {e}", path.display());
        match e.kind() {
            std::io::ErrorKind::NotFound => Failure::NoData(message),
            _ => Failure::Broken(message),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NoData(message) | Failure::Broken(message) => f.write_str(message),
        }
    }
}
