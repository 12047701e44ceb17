//! What outlives the process: users, sessions, saved dashboards, annotations, preferences; in SQLite.
//!
//! One connection behind a lock: statements are sub-millisecond and rare. Callers come from a blocking
//! pool, never from the event loop.

mod annotations;
mod dashboards;
mod password;
mod sessions;
mod users;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

pub use annotations::Annotation;
pub use dashboards::SaveError;
pub use password::{hash_password, verify_password};
pub use users::User;

/// Each entry brings the schema from its index to the next version (`PRAGMA user_version`).
const MIGRATIONS: &[&str] = &["
    CREATE TABLE user (
        id INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE, email TEXT NOT NULL, name TEXT NOT NULL,
        password TEXT NOT NULL, role TEXT NOT NULL, theme TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL
    );
    CREATE TABLE session (
        token BLOB PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES user(id) ON DELETE CASCADE,
        created INTEGER NOT NULL, seen INTEGER NOT NULL
    );
    CREATE TABLE dashboard (
        uid TEXT PRIMARY KEY, title TEXT NOT NULL, folder_uid TEXT NOT NULL, version INTEGER NOT NULL,
        json TEXT NOT NULL, message TEXT NOT NULL, updated INTEGER NOT NULL
    );
    CREATE TABLE annotation (
        id INTEGER PRIMARY KEY, dashboard_uid TEXT NOT NULL, panel_id INTEGER NOT NULL,
        time INTEGER NOT NULL, time_end INTEGER NOT NULL, text TEXT NOT NULL, tags TEXT NOT NULL,
        login TEXT NOT NULL, created INTEGER NOT NULL
    );
    CREATE INDEX annotation_time ON annotation(time);
"];

pub struct Database {
    connection: Mutex<Connection>,
}

impl Database {
    /// Opens `<dir>/grafana.db`, bringing its schema up to date.
    pub fn open(dir: &Path) -> Result<Database, String> {
        std::fs::create_dir_all(dir).map_err(|e| format!("cannot create {}: {e}", dir.display()))?;
        let path = dir.join("grafana.db");
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(&path)?;
            // Small cache: the whole state is a few hundred kilobytes.
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA cache_size = -512; PRAGMA busy_timeout = 2000;",
            )?;
            migrate(&connection)?;
            Ok(connection)
        };
        let connection = open().map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Database { connection: Mutex::new(connection) })
    }

    #[cfg(test)]
    pub fn in_memory() -> Database {
        let connection = Connection::open_in_memory().expect("an in-memory database");
        migrate(&connection).expect("a fresh schema");
        Database { connection: Mutex::new(connection) }
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn migrate(connection: &Connection) -> rusqlite::Result<()> {
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (i, step) in MIGRATIONS.iter().enumerate().skip(version as usize) {
        connection.execute_batch(&format!("BEGIN; {step} PRAGMA user_version = {}; COMMIT;", i + 1))?;
    }
    Ok(())
}

/// Milliseconds since the epoch.
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| d.as_millis() as i64)
}
