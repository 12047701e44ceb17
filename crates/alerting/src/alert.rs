//! One alert: a label set, what is said about it, and its life span.

use std::cmp::Ordering;

use model::{Labels, TimestampNs};
use xxhash_rust::xxh64::Xxh64;

use crate::annotations::Annotations;
use crate::matchers::{MatcherMode, is_label_name};

#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub labels: Labels,
    pub annotations: Annotations,
    pub starts_at: TimestampNs,
    pub ends_at: TimestampNs,
    pub updated_at: TimestampNs,
    pub generator_url: String,
    /// `ends_at` was not sent but follows from the resolve timeout.
    pub timeout: bool,
    /// It was known to the process before this one, which may have told of it without living to note so.
    pub inherited: bool,
}

impl Alert {
    pub fn fingerprint(&self) -> u64 {
        fingerprint(&self.labels)
    }

    /// Its name in the notification log: xxHash64 over the same bytes as the fingerprint. Members of a
    /// cluster compare these, so the choice of hash is the original's.
    pub(crate) fn log_hash(&self) -> u64 {
        let mut hash = Xxh64::new(0);
        for (name, value) in self.labels.iter() {
            for part in [name.as_bytes(), &[0xff], value.as_bytes(), &[0xff]] {
                hash.update(part);
            }
        }
        hash.digest()
    }

    pub fn resolved_at(&self, now: TimestampNs) -> bool {
        self.ends_at <= now
    }

    /// Combines two reports of one alert whose life spans overlap.
    pub(crate) fn merge(&self, other: &Alert, now: TimestampNs) -> Alert {
        if other.updated_at < self.updated_at {
            return other.merge(self, now);
        }
        // `other` is the younger report.
        let mut merged = other.clone();
        merged.starts_at = self.starts_at.min(other.starts_at);
        merged.inherited |= self.inherited;
        if other.resolved_at(now) {
            // The latest explicit end wins when both are over.
            if self.resolved_at(now) {
                merged.ends_at = self.ends_at.max(other.ends_at);
            }
        } else if self.ends_at > other.ends_at && !self.timeout {
            // An explicit end beats one that a timeout made up.
            merged.ends_at = self.ends_at;
        }
        merged
    }

    /// Why this alert cannot be accepted; the original's texts.
    pub fn validate(&self, mode: MatcherMode) -> Result<(), String> {
        if self.ends_at < self.starts_at {
            return Err("start time must be before end time".into());
        }
        if self.labels.is_empty() {
            return Err("at least one label pair required".into());
        }
        let bad = |name: &str| (!is_label_name(name, mode)).then(|| format!("invalid name {name:?}"));
        if let Some(problem) = self.labels.iter().find_map(|(name, _)| bad(name)) {
            return Err(format!("invalid label set: {problem}"));
        }
        match self.annotations.iter().find_map(|(name, _)| bad(name)) {
            Some(problem) => Err(format!("invalid annotations: {problem}")),
            None => Ok(()),
        }
    }

    /// The order of alerts in a notification: by job, by instance, then by labels.
    pub(crate) fn order(&self, other: &Alert) -> Ordering {
        for name in ["job", "instance"] {
            let (a, b) = (self.labels.get(name), other.labels.get(name));
            // Alerts without the label come last.
            let order = a.is_empty().cmp(&b.is_empty()).then_with(|| a.cmp(b));
            if order != Ordering::Equal {
                return order;
            }
        }
        order_labels(&self.labels, &other.labels)
    }
}

/// The order of label sets in the original's lists: the smaller set first, then name by name over both; the
/// set that lacks a name comes before the one that has it.
pub(crate) fn order_labels(a: &Labels, b: &Labels) -> Ordering {
    let by_size = a.len().cmp(&b.len());
    if by_size != Ordering::Equal {
        return by_size;
    }
    for ((name_a, value_a), (name_b, value_b)) in a.iter().zip(b.iter()) {
        // The first name that differs is missing in the other set.
        let order = name_b.cmp(name_a).then_with(|| value_a.cmp(value_b));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// FNV-1a over names and values, the identity of a label set in APIs and logs.
pub fn fingerprint(labels: &Labels) -> u64 {
    const OFFSET: u64 = 14_695_981_039_346_656_037;
    const PRIME: u64 = 1_099_511_628_211;
    let mut hash = OFFSET;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    };
    for (name, value) in labels.iter() {
        add(name.as_bytes());
        add(&[0xff]);
        add(value.as_bytes());
        add(&[0xff]);
    }
    hash
}

/// Sixteen hexadecimal digits.
pub fn fingerprint_text(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}
