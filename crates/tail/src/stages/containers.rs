//! What container runtimes wrap around a line.

use std::collections::BTreeMap;

use serde_json::Value;

use super::timestamp::parse_rfc3339;
use super::{Context, Transform};
use crate::config::CriConfig;
use crate::entry::Entry;

/// Docker's json-file driver: `{"log":"line\n","stream":"stdout","time":"…"}`.
pub(super) struct Docker;

impl Transform for Docker {
    fn apply(&mut self, entry: &mut Entry, _: &Context<'_>) -> bool {
        let Ok(value) = serde_json::from_str::<Value>(&entry.line) else { return true };
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        if let Some(stream) = text("stream") {
            entry.labels.insert("stream".into(), stream.into());
            entry.extracted.insert("stream".into(), stream.into());
        }
        if let Some(time) = text("time") {
            entry.extracted.insert("timestamp".into(), time.into());
            if let Some(ts) = parse_rfc3339(time) {
                entry.ts = ts;
            }
        }
        if let Some(line) = text("log") {
            entry.extracted.insert("output".into(), line.into());
            entry.line = line.strip_suffix('\n').unwrap_or(line).to_string();
        }
        true
    }
}

/// The Container Runtime Interface: `time stream flags line`, flag P for a line that goes on.
pub(super) struct Cri {
    config: CriConfig,
    /// By stream: stdout and stderr are written to one file.
    partial: BTreeMap<String, Entry>,
    partial_lines: usize,
}

impl Cri {
    pub fn new(config: CriConfig) -> Cri {
        Cri { config, partial: BTreeMap::new(), partial_lines: 0 }
    }

    pub fn held(&self) -> Option<u64> {
        self.partial.values().map(|entry| entry.origin).min()
    }

    pub fn apply(&mut self, mut entry: Entry) -> Option<Entry> {
        let mut fields = entry.line.splitn(4, ' ');
        let (Some(time), Some(stream), Some(flags)) = (fields.next(), fields.next(), fields.next()) else {
            return Some(entry);
        };
        if !matches!(stream, "stdout" | "stderr") {
            return Some(entry);
        }
        let content = fields.next().unwrap_or_default().to_string();
        let (stream, flags, ts) = (stream.to_string(), flags.to_string(), parse_rfc3339(time));
        for (name, value) in [("stream", &stream), ("flags", &flags), ("content", &content)] {
            entry.extracted.insert(name.into(), value.clone());
        }
        entry.extracted.insert("time".into(), time.to_string());
        entry.ts = ts.unwrap_or(entry.ts);
        entry.labels.insert("stream".into(), stream.clone());
        entry.line = content;
        let goes_on = flags.split(':').any(|flag| flag == "P");
        if let Some(mut begun) = self.partial.remove(&stream) {
            begun.line.push_str(&entry.line);
            self.limit(&mut begun.line);
            entry = Entry { line: begun.line, origin: begun.origin, ..entry };
        } else {
            self.limit(&mut entry.line);
        }
        if goes_on && self.partial_lines < self.config.max_partial_lines {
            self.partial_lines += 1;
            self.partial.insert(stream, entry);
            return None;
        }
        self.partial_lines = 0;
        Some(entry)
    }

    /// Gives out what has been put together so far.
    pub fn release(&mut self) -> Vec<Entry> {
        self.partial_lines = 0;
        std::mem::take(&mut self.partial).into_values().collect()
    }

    fn limit(&self, line: &mut String) {
        let max = match usize::try_from(self.config.max_partial_line_size.0) {
            Ok(max) if max > 0 && self.config.max_partial_line_size_truncate => max,
            _ => crate::LINE_BYTES_MAX,
        };
        crate::source::truncate(line, max);
    }
}
