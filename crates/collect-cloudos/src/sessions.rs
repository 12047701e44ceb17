//! Who is logged in: systemd-logind's session files where they are, else the login records of `utmp`.

use std::io::Read;
use std::path::Path;

/// Record type of a logged-in user in utmp(5).
const USER_PROCESS: i16 = 7;

/// More login records than this are not read.
const UTMP_BYTES_MAX: u64 = 16 << 20;

/// Sessions at most that logind is believed to have.
const SESSIONS_MAX: usize = 100_000;

pub fn count(logind: &Path, utmp: &Path) -> usize {
    if let Ok(entries) = std::fs::read_dir(logind) {
        let sessions = entries.flatten().take(SESSIONS_MAX);
        return sessions
            .filter(|e| std::fs::read_to_string(e.path()).is_ok_and(|t| is_user_session(&t)))
            .count();
    }
    let mut records = Vec::new();
    let Ok(file) = std::fs::File::open(utmp) else { return 0 };
    match file.take(UTMP_BYTES_MAX).read_to_end(&mut records) {
        Ok(_) => count_records(&records, size_of::<libc::utmpx>()),
        Err(_) => 0,
    }
}

/// A session of a person that has not ended. Greeters and background managers are sessions too.
fn is_user_session(text: &str) -> bool {
    let value = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('=')).unwrap_or("");
    matches!(value("CLASS"), "user" | "user-early" | "user-light" | "user-incomplete")
        && matches!(value("STATE"), "active" | "online" | "opening")
}

/// Records begin with their type and, four bytes on, the process id.
fn count_records(bytes: &[u8], size: usize) -> usize {
    let is_user = |record: &&[u8]| record.get(..2).is_some_and(|t| t == USER_PROCESS.to_ne_bytes());
    bytes.chunks_exact(size).filter(is_user).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let size = size_of::<libc::utmpx>();
        let record = |kind: i16| {
            let mut record = vec![0; size];
            record[..2].copy_from_slice(&kind.to_ne_bytes());
            record
        };
        let bytes = [record(2), record(7), record(8), record(7), vec![7, 0]].concat();
        assert_eq!(count_records(&bytes, size), 2);
    }

    #[test]
    fn session_files_win_over_login_records() {
        let dir = tempfile::tempdir().unwrap();
        let sessions = dir.path().join("sessions");
        assert_eq!(count(&sessions, &dir.path().join("utmp")), 0);
        std::fs::create_dir(&sessions).unwrap();
        for (name, text) in [
            ("1", "UID=0\nCLASS=user\nSTATE=active\n"),
            ("2", "CLASS=user\nSTATE=online\n"),
            ("3", "CLASS=user\nSTATE=closing\n"),
            ("c1", "CLASS=greeter\nSTATE=active\n"),
            ("4.ref", ""),
        ] {
            std::fs::write(sessions.join(name), text).unwrap();
        }
        assert_eq!(count(&sessions, &dir.path().join("utmp")), 2);
    }
}
