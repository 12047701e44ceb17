//! How many alerts one alertname may have.
//!
//! A rule that goes wild fires with thousands of label sets; a quota lets it spoil its own name only. An
//! alert that is over makes room, the one whose end is longest ago first.

use std::collections::{BTreeSet, HashMap};

use model::TimestampNs;

#[derive(Debug, Default)]
pub(crate) struct Quota {
    /// Alerts of one name; zero means no limit, and nothing is kept then.
    limit: usize,
    names: HashMap<String, Name>,
}

#[derive(Debug, Default)]
struct Name {
    by_end: BTreeSet<(TimestampNs, u64)>,
    ends: HashMap<u64, TimestampNs>,
}

impl Quota {
    pub fn new(limit: usize) -> Quota {
        Quota { limit, names: HashMap::new() }
    }

    /// Whether an alert may be held; takes note of it and of its end if so.
    pub fn admit(&mut self, name: &str, fingerprint: u64, ends_at: TimestampNs, now: TimestampNs) -> bool {
        if self.limit == 0 {
            return true;
        }
        if !self.names.contains_key(name) {
            self.names.insert(name.to_owned(), Name::default());
        }
        let Some(held) = self.names.get_mut(name) else { return true };
        if let Some(old) = held.ends.get(&fingerprint) {
            held.by_end.remove(&(*old, fingerprint));
        } else if held.ends.len() >= self.limit {
            match held.by_end.first().copied() {
                Some((end, oldest)) if end < now => {
                    held.by_end.remove(&(end, oldest));
                    held.ends.remove(&oldest);
                }
                _ => return false,
            }
        }
        held.ends.insert(fingerprint, ends_at);
        held.by_end.insert((ends_at, fingerprint));
        true
    }

    /// An alert is no longer held.
    pub fn forget(&mut self, name: &str, fingerprint: u64) {
        let Some(held) = self.names.get_mut(name) else { return };
        if let Some(end) = held.ends.remove(&fingerprint) {
            held.by_end.remove(&(end, fingerprint));
        }
        if held.ends.is_empty() {
            self.names.remove(name);
        }
    }
}
