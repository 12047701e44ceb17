//! The query log: `global.query_log_file`, one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::json;

use super::Finished;
use crate::render::timings_json;

/// Where a query comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Request {
        client: String,
        method: String,
        path: String,
    },
    RuleGroup {
        file: String,
        name: String,
    },
    /// Somewhere inside.
    Unknown,
}

#[derive(Default)]
pub struct QueryLog {
    file: Mutex<Option<(String, File)>>,
    enabled: AtomicBool,
    pub failures: AtomicU64,
}

impl QueryLog {
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    pub fn set_file(&self, path: &str) -> Result<(), String> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if path.is_empty() {
            *file = None;
        } else {
            // Opened anew at every reload: that is how a rotated log is let go.
            let opened = OpenOptions::new().append(true).create(true).open(path);
            *file = Some((path.to_owned(), opened.map_err(|e| format!("query log file {path}: {e}"))?));
        }
        self.enabled.store(file.is_some(), Ordering::Relaxed);
        Ok(())
    }

    pub fn write(&self, finished: &Finished<'_>) {
        if !self.is_enabled() {
            return;
        }
        let line = line(finished);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = file.as_mut()
            && file.write_all(line.as_bytes()).is_err()
        {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn line(finished: &Finished<'_>) -> String {
    let info = finished.info;
    let date = |ms: i64| {
        Timestamp::from_millisecond(ms)
            .map_or_else(|_| ms.to_string(), |t| t.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
    };
    let mut entry = json!({
        "time": Timestamp::now().to_string(),
        "level": "INFO",
        "msg": "promql query logged",
        "params": {
            "end": date(info.end),
            "query": info.query,
            "start": date(info.start),
            "step": info.step / 1000,
        },
    });
    if let Some(entry) = entry.as_object_mut() {
        match finished.outcome {
            Ok(result) => {
                let timings = timings_json(&result.timings, finished.queued);
                let samples = json!({
                    "totalQueryableSamples": result.stats.total_queryable_samples,
                    "samplesRead": result.stats.samples_read,
                    "peakSamples": result.stats.peak_samples,
                });
                entry.insert("stats".into(), json!({ "timings": timings, "samples": samples }));
            }
            Err(error) => {
                entry.insert("error".into(), json!(error.message));
            }
        }
        match finished.origin {
            Origin::Request { client, method, path } => {
                let request = json!({ "clientIP": client, "method": method, "path": path });
                entry.insert("httpRequest".into(), request);
            }
            Origin::RuleGroup { file, name } => {
                entry.insert("ruleGroup".into(), json!({ "file": file, "name": name }));
            }
            Origin::Unknown => {}
        }
    }
    let mut line = entry.to_string();
    line.push('\n');
    line
}
