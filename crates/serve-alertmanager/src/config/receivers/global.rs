//! What entries of each kind take from the global section, and where their files are.

use std::path::{Path, PathBuf};

use ::config::Secret;
use notify::{Address, HttpSettings};

use crate::config::Global;

/// An entry of one kind of receiver that is completed in place.
pub(super) trait Complete {
    /// Fills in what the entry leaves to `global` and places relative paths in `dir`. Fails with the original's
    /// texts when something is given nowhere.
    fn complete(&mut self, global: &Global, dir: &Path) -> Result<(), String>;
}

/// The entry's own HTTP settings, or the global ones.
pub(super) fn http(own: &mut Option<HttpSettings>, global: &Global, dir: &Path) {
    let mut settings = own.take().or_else(|| global.http_config.clone()).unwrap_or_default();
    settings.set_directory(dir);
    *own = Some(settings);
}

/// Relative paths belong to the configuration file's directory.
pub(super) fn place(path: &mut Option<PathBuf>, dir: &Path) {
    *path = path.take().filter(|path| !path.as_os_str().is_empty()).map(|path| dir.join(path));
}

/// The entry's own address, the global one, or the service's.
pub(super) fn address(
    own: &mut Option<Address>,
    global: &Option<String>,
    service: &str,
) -> Result<(), String> {
    if own.is_none() {
        let address = global.as_deref().filter(|url| !url.is_empty()).unwrap_or(service);
        *own = Some(Address::new(address)?);
    }
    Ok(())
}

/// A secret and its file, both from the global section when neither is given.
pub(super) fn secret(
    own: (&mut Option<Secret>, &mut Option<PathBuf>),
    global: (&Option<Secret>, &Option<PathBuf>),
    dir: &Path,
) {
    let (inline, file) = own;
    if !is_set(inline) && !is_path(file) {
        inline.clone_from(global.0);
        file.clone_from(global.1);
    }
    place(file, dir);
}

pub(super) fn is_set(secret: &Option<Secret>) -> bool {
    secret.as_ref().is_some_and(|secret| !secret.is_empty())
}

pub(super) fn is_path(path: &Option<PathBuf>) -> bool {
    path.as_ref().is_some_and(|path| !path.as_os_str().is_empty())
}
