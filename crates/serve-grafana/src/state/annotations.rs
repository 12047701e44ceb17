//! Annotations: notes on a moment or a range.

use rusqlite::{Row, params};

use super::{Database, now_ms};

/// Annotations returned by one call, as in the original.
pub const LIMIT_DEFAULT: i64 = 100;

/// The most one call may ask for.
const LIMIT_MAX: i64 = 10_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    pub id: i64,
    pub dashboard_uid: String,
    pub panel_id: i64,
    pub time_ms: i64,
    pub time_end_ms: i64,
    pub text: String,
    pub tags: Vec<String>,
    pub login: String,
    pub created_ms: i64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Annotation> {
    let tags: String = row.get(6)?;
    Ok(Annotation {
        id: row.get(0)?,
        dashboard_uid: row.get(1)?,
        panel_id: row.get(2)?,
        time_ms: row.get(3)?,
        time_end_ms: row.get(4)?,
        text: row.get(5)?,
        tags: serde_json::from_str(&tags).unwrap_or_default(),
        login: row.get(7)?,
        created_ms: row.get(8)?,
    })
}

impl Database {
    /// Stores `a` (its id and creation time are given here); returns the id.
    pub fn add_annotation(&self, a: &Annotation) -> rusqlite::Result<i64> {
        let tags = serde_json::to_string(&a.tags).unwrap_or_else(|_| "[]".into());
        let db = self.lock();
        db.execute(
            "INSERT INTO annotation (dashboard_uid, panel_id, time, time_end, text, tags, login, created) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![a.dashboard_uid, a.panel_id, a.time_ms, a.time_end_ms, a.text, tags, a.login, now_ms()],
        )?;
        Ok(db.last_insert_rowid())
    }

    /// Annotations that touch `from..=to`, newest first; of one dashboard when `dashboard_uid` is not empty.
    pub fn annotations(
        &self,
        dashboard_uid: &str,
        from_ms: i64,
        to_ms: i64,
        limit: i64,
    ) -> rusqlite::Result<Vec<Annotation>> {
        let db = self.lock();
        let mut statement = db.prepare(
            "SELECT id, dashboard_uid, panel_id, time, time_end, text, tags, login, created FROM annotation \
             WHERE time <= ?2 AND time_end >= ?1 AND (?3 = '' OR dashboard_uid = ?3) \
             ORDER BY time_end DESC, id DESC LIMIT ?4",
        )?;
        let limit = if limit > 0 { limit.min(LIMIT_MAX) } else { LIMIT_DEFAULT };
        statement.query_map(params![from_ms, to_ms, dashboard_uid, limit], read)?.collect()
    }

    pub fn delete_annotation(&self, id: i64) -> rusqlite::Result<bool> {
        Ok(self.lock().execute("DELETE FROM annotation WHERE id = ?1", [id])? > 0)
    }
}
