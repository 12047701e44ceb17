//! Users.

use rusqlite::{OptionalExtension, Row, params};

use super::{Database, now_ms};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: i64,
    pub login: String,
    pub email: String,
    pub name: String,
    pub password_hash: String,
    /// `Viewer`, `Editor` or `Admin`.
    pub role: String,
    /// `dark`, `light` or empty for the system's.
    pub theme: String,
}

const COLUMNS: &str = "id, login, email, name, password, role, theme";

fn read(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        login: row.get(1)?,
        email: row.get(2)?,
        name: row.get(3)?,
        password_hash: row.get(4)?,
        role: row.get(5)?,
        theme: row.get(6)?,
    })
}

impl Database {
    pub fn has_users(&self) -> rusqlite::Result<bool> {
        self.lock().query_row("SELECT EXISTS (SELECT 1 FROM user)", [], |row| row.get(0))
    }

    pub fn add_user(&self, login: &str, password_hash: &str, role: &str) -> rusqlite::Result<i64> {
        let db = self.lock();
        db.execute(
            "INSERT INTO user (login, email, name, password, role, created) VALUES (?1, ?2, ?1, ?3, ?4, ?5)",
            params![login, format!("{login}@localhost"), password_hash, role, now_ms()],
        )?;
        Ok(db.last_insert_rowid())
    }

    /// By login or email, as the login form accepts both.
    pub fn user_by_login(&self, login: &str) -> rusqlite::Result<Option<User>> {
        let sql = format!("SELECT {COLUMNS} FROM user WHERE login = ?1 OR email = ?1");
        self.lock().query_row(&sql, [login], read).optional()
    }

    pub fn set_password(&self, user_id: i64, password_hash: &str) -> rusqlite::Result<()> {
        let db = self.lock();
        db.execute("UPDATE user SET password = ?2 WHERE id = ?1", params![user_id, password_hash])?;
        Ok(())
    }

    pub fn set_theme(&self, user_id: i64, theme: &str) -> rusqlite::Result<()> {
        self.lock().execute("UPDATE user SET theme = ?2 WHERE id = ?1", params![user_id, theme])?;
        Ok(())
    }

    /// The user of a session token's hash, if the session is still good; notes that it was seen.
    pub fn user_by_session(
        &self,
        token_hash: &[u8],
        idle_ms: i64,
        age_ms: i64,
    ) -> rusqlite::Result<Option<User>> {
        let now = now_ms();
        let db = self.lock();
        let sql = format!(
            "SELECT {}, s.seen FROM session s JOIN user u ON u.id = s.user_id \
             WHERE s.token = ?1 AND s.seen > ?2 AND s.created > ?3",
            COLUMNS.split(", ").map(|c| format!("u.{c}")).collect::<Vec<_>>().join(", ")
        );
        let found = db
            .query_row(&sql, params![token_hash, now - idle_ms, now - age_ms], |row| {
                Ok((read(row)?, row.get::<_, i64>(7)?))
            })
            .optional()?;
        let Some((user, seen)) = found else { return Ok(None) };
        // Once a minute is enough, and spares a write per request.
        if now - seen > 60_000 {
            db.execute("UPDATE session SET seen = ?2 WHERE token = ?1", params![token_hash, now])?;
        }
        Ok(Some(user))
    }
}
