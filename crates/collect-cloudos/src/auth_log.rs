//! Counting authentication attempts as the system writes them to `auth.log` or `secure`.
//!
//! Each log is followed from its end at start-up. Rotation keeps every line: the old file is read to its end
//! through the handle that is still open, then the new one from its beginning. A file cut to zero in place
//! (`copytruncate`) is read from its beginning again. A line counts once it ends with a newline.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use collect_node::Sink;

/// At most this much of one log is read in one collection; the rest waits for the next.
const READ_BYTES_MAX: usize = 8 << 20;

/// A line longer than this is no login message; its middle is dropped.
const LINE_BYTES_MAX: usize = 16 << 10;

/// Attempts behind one `message repeated N times`; more are not believed.
const REPEATS_MAX: u64 = 1_000_000;

pub struct AuthLogs {
    logs: Vec<Follow>,
    success: u64,
    failure: u64,
}

impl AuthLogs {
    pub fn open(paths: &[PathBuf]) -> AuthLogs {
        AuthLogs { logs: paths.iter().map(|p| Follow::from_end(p)).collect(), success: 0, failure: 0 }
    }

    /// Reads what was written since the last call and emits the counts; nothing where there is no log.
    pub fn emit(&mut self, out: &mut Sink) {
        for log in &mut self.logs {
            let (success, failure) = (&mut self.success, &mut self.failure);
            log.read(&mut |line| match attempts(line) {
                Attempt::Success(n) => *success += n,
                Attempt::Failure(n) => *failure += n,
                Attempt::None => {}
            });
        }
        if self.logs.iter().all(|log| log.file.is_none()) {
            return;
        }
        for (result, count) in [("success", self.success), ("failure", self.failure)] {
            let help = "Authentication attempts seen since the exporter started.";
            out.counter("cloudos_auth_attempts_total", help, &[("result", result)], count as f64);
        }
    }
}

struct Follow {
    path: PathBuf,
    file: Option<File>,
    inode: (u64, u64),
    position: u64,
    /// The beginning of a line whose end is not written yet.
    partial: Vec<u8>,
}

impl Follow {
    fn from_end(path: &Path) -> Follow {
        let mut follow =
            Follow { path: path.to_owned(), file: None, inode: (0, 0), position: 0, partial: Vec::new() };
        if follow.reopen() {
            follow.position = follow.file.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |m| m.len());
        }
        follow
    }

    /// Opens the path anew, to be read from its beginning.
    fn reopen(&mut self) -> bool {
        let Ok(file) = File::open(&self.path) else { return false };
        let Ok(meta) = file.metadata() else { return false };
        if !meta.is_file() {
            return false;
        }
        self.inode = (meta.dev(), meta.ino());
        (self.file, self.position) = (Some(file), 0);
        self.partial.clear();
        true
    }

    fn read(&mut self, line: &mut dyn FnMut(&str)) {
        let mut budget = READ_BYTES_MAX;
        self.drain(&mut budget, line);
        let replaced = std::fs::metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) != self.inode);
        // The old file is left only when it was read to its end.
        if (self.file.is_none() || replaced) && budget > 0 && self.reopen() {
            self.drain(&mut budget, line);
        }
    }

    fn drain(&mut self, budget: &mut usize, line: &mut dyn FnMut(&str)) {
        let Some(file) = &mut self.file else { return };
        if file.metadata().is_ok_and(|m| m.len() < self.position) {
            self.position = 0;
            self.partial.clear();
        }
        if file.seek(SeekFrom::Start(self.position)).is_err() {
            return;
        }
        let mut chunk = [0; 64 << 10];
        while *budget > 0 {
            let want = chunk.len().min(*budget);
            let Ok(n) = file.read(&mut chunk[..want]) else { return };
            if n == 0 {
                return;
            }
            *budget -= n;
            self.position += n as u64;
            let mut rest = &chunk[..n];
            while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                extend(&mut self.partial, &rest[..end]);
                line(&String::from_utf8_lossy(&self.partial));
                self.partial.clear();
                rest = &rest[end + 1..];
            }
            extend(&mut self.partial, rest);
        }
    }
}

fn extend(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LINE_BYTES_MAX.saturating_sub(line.len());
    line.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    Success(u64),
    Failure(u64),
    None,
}

/// What a line says. sshd writes its own verdicts, and PAM's line beside them would count twice; of other
/// programs PAM's verdict is the only one. Sessions that nobody authenticated for (cron, systemd's user
/// manager) do not count.
fn attempts(line: &str) -> Attempt {
    let Some((program, message)) = split(line) else { return Attempt::None };
    let (times, message) = repeated(message);
    if program == "sshd" || program == "sshd-session" || program == "dropbear" {
        let starts = |texts: &[&str]| texts.iter().any(|t| message.starts_with(t));
        return if starts(&["Accepted ", "Password auth succeeded", "Pubkey auth succeeded"]) {
            Attempt::Success(times)
        } else if starts(&[
            "Failed password",
            "Failed keyboard-interactive",
            "Failed none",
            "Bad password attempt",
        ]) {
            Attempt::Failure(times)
        } else {
            Attempt::None
        };
    }
    let pam = message.starts_with("pam_");
    if pam && message.contains("authentication failure") || message.starts_with("FAILED LOGIN") {
        return Attempt::Failure(times);
    }
    let unattended = ["cron", "CRON", "crond", "systemd", "systemd-logind", "sudo"].contains(&program);
    if pam && message.contains("session opened for user") && !unattended {
        return Attempt::Success(times);
    }
    // sudo logs the command only after its user was allowed to run it.
    if program == "sudo" && message.contains("COMMAND=") && !message.contains("incorrect password") {
        return Attempt::Success(times);
    }
    Attempt::None
}

/// Program and message of a syslog line in the traditional or the ISO 8601 form:
/// `Nov 23 01:02:03 host sshd[42]: message`, `2026-11-23T01:02:03.4+00:00 host sshd[42]: message`.
fn split(line: &str) -> Option<(&str, &str)> {
    let skip = if line.starts_with(|c: char| c.is_ascii_digit()) { 2 } else { 4 };
    let mut rest = line;
    for _ in 0..skip {
        rest = rest.trim_start().split_once(' ')?.1;
    }
    let (tag, message) = rest.trim_start().split_once(": ")?;
    let program = tag.split('[').next()?;
    Some((program.rsplit('/').next()?, message.trim_start()))
}

/// rsyslog folds repetitions: `message repeated 2 times: [ Failed password ...]`.
fn repeated(message: &str) -> (u64, &str) {
    let folded = message.strip_prefix("message repeated ").and_then(|rest| {
        let (count, rest) = rest.split_once(" times: [")?;
        Some((count.parse::<u64>().ok()?.min(REPEATS_MAX), rest.trim_start()))
    });
    folded.unwrap_or((1, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines() {
        let check = |message: &str, expected: Attempt| {
            for head in ["Nov  3 01:02:03 host ", "2026-11-23T01:02:03.456789+00:00 host "] {
                assert_eq!(attempts(&format!("{head}{message}")), expected, "{head}{message}");
            }
        };
        use Attempt::{Failure, None, Success};
        check(
            "sshd[42]: Accepted publickey for root from 10.0.0.1 port 4 ssh2: ED25519 SHA256:x",
            Success(1),
        );
        check("sshd-session[42]: Accepted password for root from 10.0.0.1 port 4 ssh2", Success(1));
        check("sshd[42]: pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)", None);
        check("sshd[42]: Failed password for invalid user admin from 10.0.0.1 port 4 ssh2", Failure(1));
        check("sshd[42]: pam_unix(sshd:auth): authentication failure; logname= uid=0", None);
        check(
            "sshd[42]: message repeated 3 times: [ Failed password for root from 10.0.0.1 port 4 ssh2]",
            Failure(3),
        );
        check("sshd[42]: Invalid user admin from 10.0.0.1 port 4", None);
        check("su[7]: pam_unix(su:auth): authentication failure; logname=a uid=1000", Failure(1));
        check(
            "su[7]: pam_unix(su-l:session): session opened for user root(uid=0) by a(uid=1000)",
            Success(1),
        );
        check("sudo:   ada : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id", Success(1));
        check("sudo: pam_unix(sudo:session): session opened for user root(uid=0) by ada(uid=1000)", None);
        check(
            "sudo:   ada : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
            None,
        );
        check("login[9]: FAILED LOGIN (1) on '/dev/tty1' FOR 'root', Authentication failure", Failure(1));
        check("CRON[9]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)", None);
        check("systemd: pam_unix(systemd-user:session): session opened for user ada(uid=1000)", None);
        check("kernel: nothing", None);
        assert_eq!(attempts(""), None);
        assert_eq!(attempts("one two"), None);
    }

    const FAILED: &str =
        "Nov  3 01:02:03 host sshd[42]: Failed password for root from 10.0.0.1 port 4 ssh2\n";

    fn failures(logs: &mut AuthLogs) -> f64 {
        let mut sink = Sink::with_capacity(1);
        logs.emit(&mut sink);
        let mut text = String::new();
        expfmt::encode(&sink.finish(), expfmt::Format::Text, &mut text);
        let line = text.lines().find(|l| l.contains("result=\"failure\""));
        line.and_then(|l| l.rsplit(' ').next()?.parse().ok()).unwrap_or(-1.0)
    }

    #[test]
    fn counts_from_now_on_and_through_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.log");
        std::fs::write(&path, FAILED.repeat(5)).unwrap();
        let mut logs = AuthLogs::open(&[path.clone(), dir.path().join("absent")]);
        assert_eq!(failures(&mut logs), 0.0, "what was there before does not count");

        let append = |text: &str| {
            let mut file = File::options().append(true).create(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        append(FAILED);
        assert_eq!(failures(&mut logs), 1.0);
        // Half a line counts when its other half is there.
        append(&FAILED[..40]);
        assert_eq!(failures(&mut logs), 1.0);
        append(&FAILED[40..]);
        assert_eq!(failures(&mut logs), 2.0);
        // Written to the old file just before it was moved away, and to the new one just after.
        append(FAILED);
        std::fs::rename(&path, dir.path().join("auth.log.1")).unwrap();
        append(&FAILED.repeat(2));
        assert_eq!(failures(&mut logs), 5.0);
        // Cut in place.
        std::fs::write(&path, "").unwrap();
        assert_eq!(failures(&mut logs), 5.0);
        append(FAILED);
        assert_eq!(failures(&mut logs), 6.0);
    }

    #[test]
    fn a_log_that_appears_later_is_read_from_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secure");
        let mut logs = AuthLogs::open(std::slice::from_ref(&path));
        assert_eq!(failures(&mut logs), -1.0, "no source, no metric");
        std::fs::write(&path, FAILED).unwrap();
        assert_eq!(failures(&mut logs), 1.0);
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let mut line = Vec::new();
        extend(&mut line, &vec![b'x'; LINE_BYTES_MAX]);
        extend(&mut line, b"y");
        assert_eq!(line.len(), LINE_BYTES_MAX);
    }
}
