//! What guards a door: TLS, passwords and extra headers, as the `--web.config.file` of the Prometheus family
//! describes them.
//!
//! The file and the certificates it names are looked at again with every connection and every request; when
//! one of them has changed, everything is read anew. A file that turned bad is refused with a log line and
//! the last good one stays in force: a slip of the pen neither opens the door nor locks everybody out.

mod auth;
mod config;
mod gate;
#[cfg(test)]
mod tests;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::http::{HeaderName, HeaderValue};
use hashbrown::HashMap;
use rustls::ServerConfig;

pub(crate) use gate::guard;

pub use self::config::TlsServer;
pub use self::tls::server_config as tls_server_config;

use self::auth::Passwords;
use self::config::WebConfig;

/// A `--web.config.file` in force.
pub struct Web {
    path: PathBuf,
    loaded: Mutex<Loaded>,
    passwords: Passwords,
}

struct Loaded {
    stamps: Stamps,
    ready: Arc<Ready>,
}

/// What the file means.
pub(crate) struct Ready {
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Name to bcrypt hash.
    users: HashMap<String, String>,
    pub tls: Option<Arc<ServerConfig>>,
}

/// Which files were read, and how they looked.
type Stamps = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

impl Web {
    /// Reads the file and everything it names. The error text names the file.
    pub fn load(path: &Path) -> Result<Arc<Web>, String> {
        let loaded = read(path)?;
        Ok(Arc::new(Web {
            path: path.to_owned(),
            loaded: Mutex::new(loaded),
            passwords: Passwords::default(),
        }))
    }

    pub fn is_tls(&self) -> bool {
        self.current().tls.is_some()
    }

    /// What is in force now, read again if a file has changed.
    pub(crate) fn current(&self) -> Arc<Ready> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let now: Stamps = loaded.stamps.iter().map(|(path, _)| (path.clone(), stamp(path))).collect();
        if now != loaded.stamps {
            match read(&self.path) {
                Ok(new) => {
                    tracing::info!(file = %self.path.display(), "web configuration read again");
                    *loaded = new;
                }
                Err(e) => {
                    tracing::error!("web configuration refused, the one in force stays: {e}");
                    // Not again before something changes once more.
                    loaded.stamps = now;
                }
            }
        }
        loaded.ready.clone()
    }
}

fn read(path: &Path) -> Result<Loaded, String> {
    // Stamps first: a change while the files are read is then noticed by the next look.
    let mut stamps: Stamps = vec![(path.to_owned(), stamp(path))];
    let config: WebConfig = ::config::load(path).map_err(|e| e.to_string())?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let fail = |e: String| format!("{}: {e}", path.display());
    let server = config.tls_server_config.placed(directory);
    stamps.extend(server.files().map(|file| (file.clone(), stamp(file))));
    let tls = tls::server_config(&server, config.http_server_config.http2).map_err(fail)?;
    let headers = config.http_server_config.header_pairs().map_err(fail)?;
    let users = config.basic_auth_users.into_iter().map(|(name, hash)| (name, hash.reveal().to_owned()));
    let ready = Ready { headers, users: users.collect(), tls: tls.map(Arc::new) };
    Ok(Loaded { stamps, ready: Arc::new(ready) })
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}
