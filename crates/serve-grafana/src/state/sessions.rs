//! Login sessions. Only the token's hash is stored, so the file alone opens no session.

use rusqlite::params;

use super::{Database, now_ms};

impl Database {
    pub fn add_session(&self, token_hash: &[u8], user_id: i64, age_ms: i64) -> rusqlite::Result<()> {
        let (db, now) = (self.lock(), now_ms());
        db.execute("DELETE FROM session WHERE created < ?1", [now - age_ms])?;
        db.execute(
            "INSERT INTO session (token, user_id, created, seen) VALUES (?1, ?2, ?3, ?3)",
            params![token_hash, user_id, now],
        )?;
        Ok(())
    }

    pub fn remove_session(&self, token_hash: &[u8]) -> rusqlite::Result<()> {
        self.lock().execute("DELETE FROM session WHERE token = ?1", [token_hash])?;
        Ok(())
    }

    /// Ends every session of a user, but for the one given: after a password change.
    pub fn remove_other_sessions(&self, user_id: i64, keep: &[u8]) -> rusqlite::Result<()> {
        self.lock()
            .execute("DELETE FROM session WHERE user_id = ?1 AND token != ?2", params![user_id, keep])?;
        Ok(())
    }
}
