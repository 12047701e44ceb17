//! `scrape_failure_log_file`: one JSON line for each failed scrape.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Opened for each line, so that log rotation needs no signal.
#[derive(Debug)]
pub(crate) struct FailureLog {
    path: String,
    lock: Mutex<()>,
}

impl FailureLog {
    pub(crate) fn new(path: &str) -> Option<FailureLog> {
        (!path.is_empty()).then(|| FailureLog { path: path.to_owned(), lock: Mutex::new(()) })
    }

    pub(crate) fn write(&self, now_ms: i64, job: &str, target: &str, error: &str) {
        let line = format!(
            "{{\"time\":\"{}\",\"level\":\"ERROR\",\"msg\":{},\"job_name\":{},\"target\":{}}}\n",
            rfc3339(now_ms),
            json(error),
            json(job),
            json(target)
        );
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = OpenOptions::new().create(true).append(true).open(&self.path);
        if let Err(e) = opened.and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::warn!("cannot write the scrape failure log {}: {e}", self.path);
        }
    }
}

fn rfc3339(ms: i64) -> String {
    let (seconds, ms) = (ms.div_euclid(1000), ms.rem_euclid(1000));
    let c = model::civil::Civil::of_unix(seconds);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{ms:03}Z",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

fn json(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
