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
            "{{\"time_ms\":{now_ms},\"level\":\"ERROR\",\"msg\":{},\"job_name\":{},\"target\":{}}}\n",
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
