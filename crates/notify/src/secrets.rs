//! Secrets and other values that are written in the configuration or read from a file at each use.

use std::io;
use std::path::{Path, PathBuf};

use alerting::NotifyError;
use config::{Secret, SecretSource};

use crate::address::check_url;

/// What a secret is shown as. Read back, it stands for one that is not known.
pub(crate) const HIDDEN: &str = "<secret>";

/// Files with secrets larger than this are somebody's mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

pub(crate) fn is_set(secret: &Option<Secret>) -> bool {
    secret.as_ref().is_some_and(|s| !s.is_empty())
}

pub(crate) fn has_path(path: &Option<PathBuf>) -> bool {
    path.as_ref().is_some_and(|p| !p.as_os_str().is_empty())
}

/// Not both of `x` and `x_file`.
pub(crate) fn exclusive(secret: &Option<Secret>, file: &Option<PathBuf>, name: &str) -> Result<(), String> {
    if is_set(secret) && has_path(file) {
        return Err(format!("at most one of {name} & {name}_file must be configured"));
    }
    Ok(())
}

/// Exactly one of `x` and `x_file`.
pub(crate) fn exactly_one(secret: &Option<Secret>, file: &Option<PathBuf>, name: &str) -> Result<(), String> {
    if !is_set(secret) && !has_path(file) {
        return Err(format!("one of {name} or {name}_file must be configured"));
    }
    exclusive(secret, file, name)
}

/// A secret that must be a URL, when it is given.
pub(crate) fn secret_url(secret: &Option<Secret>) -> Result<(), String> {
    match secret {
        Some(url) if !url.is_empty() && url.reveal() != HIDDEN => check_url(url.reveal()),
        _ => Ok(()),
    }
}

/// Reads the secret now; white space around a file's text is dropped. The error starts with `what`.
pub(crate) fn read(source: &SecretSource, what: &str) -> Result<Secret, NotifyError> {
    match source {
        SecretSource::Inline(secret) => Ok(secret.clone()),
        SecretSource::File(path) => {
            let text = read_file(path).map_err(|e| NotifyError::permanent(format!("{what}: {e}")))?;
            Ok(Secret::new(text.trim()))
        }
    }
}

/// A small file's text. The error is the original's: `open PATH: no such file or directory`.
pub(crate) fn read_file(path: &Path) -> Result<String, String> {
    let text = match std::fs::metadata(path) {
        Ok(file) if file.len() > FILE_BYTES_MAX => {
            return Err(format!("read {}: more than {FILE_BYTES_MAX} bytes", path.display()));
        }
        Ok(_) => std::fs::read_to_string(path),
        Err(e) => Err(e),
    };
    text.map_err(|e| format!("open {}: {}", path.display(), reason(&e)))
}

/// The system's reason without Rust's number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect()
}
