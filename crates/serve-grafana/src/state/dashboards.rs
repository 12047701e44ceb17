//! Dashboards saved by people. Provisioned ones live in their files.

use rusqlite::{OptionalExtension, Row, params};

use super::{Database, now_ms};

#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    pub uid: String,
    pub title: String,
    pub folder_uid: String,
    pub version: i64,
    pub json: String,
    pub updated_ms: i64,
}

#[derive(Debug)]
pub enum SaveError {
    /// Somebody else saved another version meanwhile.
    VersionMismatch,
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for SaveError {
    fn from(e: rusqlite::Error) -> SaveError {
        SaveError::Database(e)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Saved> {
    Ok(Saved {
        uid: row.get(0)?,
        title: row.get(1)?,
        folder_uid: row.get(2)?,
        version: row.get(3)?,
        json: row.get(4)?,
        updated_ms: row.get(5)?,
    })
}

const COLUMNS: &str = "uid, title, folder_uid, version, json, updated";

impl Database {
    pub fn dashboards(&self) -> rusqlite::Result<Vec<Saved>> {
        let db = self.lock();
        let mut statement = db.prepare(&format!("SELECT {COLUMNS} FROM dashboard ORDER BY title, uid"))?;
        statement.query_map([], read)?.collect()
    }

    pub fn dashboard(&self, uid: &str) -> rusqlite::Result<Option<Saved>> {
        let sql = format!("SELECT {COLUMNS} FROM dashboard WHERE uid = ?1");
        self.lock().query_row(&sql, [uid], read).optional()
    }

    /// Stores `json` as the next version. `base` is the version it was edited from; `None` overwrites.
    pub fn save_dashboard(
        &self,
        uid: &str,
        title: &str,
        folder_uid: &str,
        json: &str,
        message: &str,
        base: Option<i64>,
    ) -> Result<i64, SaveError> {
        let mut db = self.lock();
        let transaction = db.transaction()?;
        let sql = "SELECT version FROM dashboard WHERE uid = ?1";
        let current: Option<i64> = transaction.query_row(sql, [uid], |row| row.get(0)).optional()?;
        if let (Some(current), Some(base)) = (current, base)
            && current != base
        {
            return Err(SaveError::VersionMismatch);
        }
        let version = current.unwrap_or(0) + 1;
        transaction.execute(
            "INSERT INTO dashboard (uid, title, folder_uid, version, json, message, updated) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (uid) DO UPDATE SET title = ?2, folder_uid = ?3, \
             version = ?4, json = ?5, message = ?6, updated = ?7",
            params![uid, title, folder_uid, version, json, message, now_ms()],
        )?;
        transaction.commit()?;
        Ok(version)
    }

    /// Whether there was one.
    pub fn delete_dashboard(&self, uid: &str) -> rusqlite::Result<bool> {
        Ok(self.lock().execute("DELETE FROM dashboard WHERE uid = ?1", [uid])? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saving_counts_versions_and_refuses_stale_ones() {
        let db = Database::in_memory();
        let save = |base| db.save_dashboard("u", "T", "", "{}", "", base);
        assert_eq!(save(Some(0)).unwrap(), 1);
        assert_eq!(save(Some(1)).unwrap(), 2);
        assert!(matches!(save(Some(1)), Err(SaveError::VersionMismatch)));
        assert_eq!(save(None).unwrap(), 3);
        assert_eq!(db.dashboard("u").unwrap().unwrap().version, 3);
        assert!(db.delete_dashboard("u").unwrap() && !db.delete_dashboard("u").unwrap());
    }
}
