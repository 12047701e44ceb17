//! What receivers of every kind take from the global section: how HTTP is spoken, and where files are.

use std::path::{Path, PathBuf};

use notify::HttpSettings;

use crate::config::Global;

pub(super) fn complete_http(own: Option<HttpSettings>, global: &Global, dir: &Path) -> Option<HttpSettings> {
    let mut http = own.or_else(|| global.http_config.clone()).unwrap_or_default();
    http.client.set_directory(dir);
    Some(http)
}

/// Relative paths belong to the configuration file's directory.
pub(super) fn resolve(path: Option<PathBuf>, dir: &Path) -> Option<PathBuf> {
    path.filter(|p| !p.as_os_str().is_empty()).map(|p| dir.join(p))
}
