//! What a backfill needs to know of rule files: the recording rules, and the moments a server would have
//! evaluated them at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use config::ConfigError;
use model::{Labels, TimestampMs};

use crate::file::{Reading, load_file};
use crate::phase::Phase;
use crate::recording_rule::recorded_labels;

/// A group with recording rules.
#[derive(Debug, Clone)]
pub struct RecordingGroup {
    /// `file;name`
    pub key: String,
    pub interval_ms: i64,
    pub rules: Vec<Recording>,
    phase: Phase,
}

/// A recording rule.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its place in the group.
    pub at: usize,
    pub name: String,
    /// As the parser prints it.
    pub expr: String,
    pub labels: BTreeMap<String, String>,
}

impl RecordingGroup {
    /// The groups of all files; `interval_ms` is for those that have none of their own.
    pub fn load(
        files: &[PathBuf],
        reading: &Reading,
        interval_ms: i64,
    ) -> Result<Vec<RecordingGroup>, Vec<ConfigError>> {
        let mut groups = Vec::new();
        for path in files {
            let file = path.display().to_string();
            for spec in load_file(path, reading)? {
                let rules = spec.rules.iter().enumerate().filter(|(_, rule)| !rule.record.is_empty());
                let rules = rules.map(|(at, rule)| Recording {
                    at,
                    name: rule.record.clone(),
                    expr: promql_syntax::parse_with(&rule.expr, reading.options)
                        .map_or_else(|_| rule.expr.clone(), |expr| expr.to_string()),
                    labels: rule.all_labels(&spec),
                });
                let interval_ms = spec.interval.map_or(interval_ms, config::Duration::as_ms).max(1);
                groups.push(RecordingGroup {
                    key: format!("{file};{}", spec.name),
                    interval_ms,
                    rules: rules.collect(),
                    phase: Phase::new(&file, &spec.name, interval_ms),
                });
            }
        }
        Ok(groups)
    }

    /// The first evaluation at or after `time`.
    pub fn first_at(&self, time: TimestampMs) -> TimestampMs {
        let slot = self.phase.slot_ms(time);
        if slot < time { slot.saturating_add(self.interval_ms) } else { slot }
    }
}

impl Recording {
    /// The labels under which a result is recorded.
    pub fn labels_of(&self, result: &Labels) -> Labels {
        recorded_labels(&self.name, &self.labels, result)
    }
}
