//! Secrets: values that never show in logs, API replies or debug output.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

/// An inline secret. Prints and serialises as `<secret>`.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value itself; call it where it is used, not where it is carried.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str("<secret>")
    }
}

/// Where a secret comes from: written in the file, or read from another file at the time of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    Inline(Secret),
    File(PathBuf),
}

impl SecretSource {
    /// The usual pair of keys `x` and `x_file`; `None` when neither is given.
    pub fn from_pair(inline: Option<Secret>, file: Option<PathBuf>) -> Option<SecretSource> {
        match (inline, file) {
            (Some(secret), _) if !secret.is_empty() => Some(SecretSource::Inline(secret)),
            (_, Some(path)) => Some(SecretSource::File(path)),
            (_, None) => None,
        }
    }

    /// Reads the secret now; surrounding white space of a file is dropped.
    pub fn read(&self) -> Result<Secret, String> {
        match self {
            SecretSource::Inline(secret) => Ok(secret.clone()),
            SecretSource::File(path) => std::fs::read_to_string(path)
                .map(|text| Secret(text.trim().to_owned()))
                .map_err(|e| format!("unable to read file {}: {e}", path.display())),
        }
    }
}
