//! All known alerts, by fingerprint, in memory and in a journal.
//!
//! The original forgets its alerts when it stops and waits for their senders to repeat them; what was
//! resolved in between is then never told. Here they are written down as they come in: handed to the
//! operating system before the sender is answered, so that they survive the end of the process, and made
//! durable within a tenth of a second. A disk that does not take them is logged and counted, and the alerts
//! are held in memory as the original does.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::TimestampNs;
use platform::Disk;

use crate::alert::Alert;
use crate::alert_record::{Entry, entries, is_again, put_again, put_alert, put_alive};
use crate::journal::Journal;
use crate::manager::{Limits, lock};
use crate::quota::Quota;
use crate::silences::nanos;

/// A journal record is written when the entries of a batch have grown to this many bytes.
const RECORD_BYTES: usize = 1 << 20;

/// The journal is rewritten when it is this much larger than twice what is alive.
const REWRITE_SLACK_BYTES: u64 = 8 << 20;

/// The store keeps what was received until it is resolved, told and collected.
#[derive(Debug)]
pub(crate) struct AlertStore {
    limits: Limits,
    state: Mutex<State>,
    /// Something was written that is not durable yet.
    pub written: tokio::sync::Notify,
}

#[derive(Debug)]
struct State {
    alerts: BTreeMap<u64, Arc<Alert>>,
    quota: Quota,
    journal: Journal,
    /// Bytes a fresh journal would have, roughly: what the last rewrite had and what was new since.
    live_bytes: u64,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// As they are now, after merging.
    pub alerts: Vec<Arc<Alert>>,
    /// Too many alerts altogether: the refusals.
    pub refused: Vec<String>,
    /// Names of alerts that went over their name's limit and were dropped.
    pub limited: Vec<String>,
    /// The journal did not take them.
    pub unwritten: Option<io::Error>,
}

impl AlertStore {
    /// Reads back what was held. What was firing when it was last reported, and came to its end while no
    /// process was there to hear otherwise, is given `grace` for its sender to report it again.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        limits: Limits,
        now: TimestampNs,
        grace: Duration,
    ) -> io::Result<AlertStore> {
        let (journal, recovered) = Journal::open(disk, path.to_owned())?;
        let mut alerts: BTreeMap<u64, Alert> = BTreeMap::new();
        let (mut damaged, mut last_alive) = (recovered.damaged, TimestampNs::MIN);
        for entry in recovered.records.iter().flat_map(|record| entries(record)) {
            match entry {
                Some(Entry::Alert(alert)) => {
                    last_alive = last_alive.max(alert.updated_at);
                    alerts.insert(alert.fingerprint(), *alert);
                }
                Some(Entry::Again { fingerprint, ends_at, updated_at, timeout }) => {
                    last_alive = last_alive.max(updated_at);
                    match alerts.get_mut(&fingerprint) {
                        Some(alert) => {
                            (alert.ends_at, alert.updated_at, alert.timeout) = (ends_at, updated_at, timeout);
                        }
                        None => damaged += 1,
                    }
                }
                Some(Entry::Alive { now }) => last_alive = last_alive.max(now),
                None => damaged += 1,
            }
        }
        if damaged > 0 || recovered.torn_bytes > 0 {
            tracing::warn!(
                damaged,
                torn_bytes = recovered.torn_bytes,
                "{}: some alerts could not be read back; their senders will repeat them",
                path.display()
            );
        }
        let mut quota = Quota::new(limits.per_alertname);
        for (fingerprint, alert) in &mut alerts {
            alert.inherited = true;
            let was_firing = alert.ends_at > alert.updated_at && alert.ends_at > last_alive;
            if was_firing && alert.resolved_at(now) {
                alert.ends_at = now.saturating_add(nanos(grace));
            }
            quota.admit(alert.labels.get("alertname"), *fingerprint, alert.ends_at, now);
        }
        let alerts = alerts.into_iter().map(|(fingerprint, alert)| (fingerprint, Arc::new(alert))).collect();
        let live_bytes = journal.bytes();
        let mut state = State { alerts, quota, journal, live_bytes };
        // Starts from a clean file, and finds out early whether the disk takes anything.
        state.rewrite(now)?;
        Ok(AlertStore { limits, state: Mutex::new(state), written: tokio::sync::Notify::new() })
    }

    /// Adds or merges alerts that were found valid.
    pub fn put(&self, alerts: Vec<Alert>, now: TimestampNs) -> Stored {
        let mut out = Stored { alerts: Vec::with_capacity(alerts.len()), ..Stored::default() };
        let mut record = Vec::new();
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        for alert in alerts {
            let fingerprint = alert.fingerprint();
            let old = state.alerts.get(&fingerprint);
            let merged = match old {
                Some(old) if overlap(old, &alert) => old.merge(&alert, now),
                Some(_) => alert,
                None if self.limits.alerts > 0 && state.alerts.len() >= self.limits.alerts => {
                    let limit = self.limits.alerts;
                    out.refused.push(format!("too many alerts: the limit of {limit} is reached"));
                    continue;
                }
                None => alert,
            };
            let name = merged.labels.get("alertname");
            if !state.quota.admit(name, fingerprint, merged.ends_at, now) {
                out.limited.push(name.to_owned());
                continue;
            }
            if old.is_some_and(|old| is_again(old, &merged)) {
                put_again(&mut record, fingerprint, &merged);
            } else {
                let before = record.len();
                put_alert(&mut record, &merged);
                state.live_bytes += (record.len() - before) as u64;
            }
            let merged = Arc::new(merged);
            state.alerts.insert(fingerprint, merged.clone());
            out.alerts.push(merged);
            if record.len() >= RECORD_BYTES {
                out.unwritten = out.unwritten.or(state.journal.write(&record).err());
                record.clear();
            }
        }
        if !record.is_empty() {
            out.unwritten = out.unwritten.or(state.journal.write(&record).err());
        }
        drop(guard);
        self.written.notify_one();
        out
    }

    /// Every alert, by fingerprint.
    pub fn list(&self) -> Vec<Arc<Alert>> {
        lock(&self.state).alerts.values().cloned().collect()
    }

    pub fn get(&self, fingerprint: u64) -> Option<Arc<Alert>> {
        lock(&self.state).alerts.get(&fingerprint).cloned()
    }

    pub fn len(&self) -> usize {
        lock(&self.state).alerts.len()
    }

    pub fn journal_bytes(&self) -> u64 {
        lock(&self.state).journal.bytes()
    }

    /// Forgets resolved alerts that nobody has to be told of any more; returns their fingerprints.
    pub fn collect(&self, now: TimestampNs, is_untold: impl Fn(u64) -> bool) -> Vec<u64> {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let gone: Vec<u64> = state
            .alerts
            .iter()
            .filter(|(fingerprint, alert)| alert.resolved_at(now) && !is_untold(**fingerprint))
            .map(|(fingerprint, _)| *fingerprint)
            .collect();
        for fingerprint in &gone {
            if let Some(alert) = state.alerts.remove(fingerprint) {
                state.quota.forget(alert.labels.get("alertname"), *fingerprint);
            }
        }
        gone
    }

    /// Notes that the process is alive, and tidies the journal when most of it is outdated.
    pub fn tidy(&self, now: TimestampNs) -> io::Result<()> {
        let mut state = lock(&self.state);
        if state.journal.bytes() > 2 * state.live_bytes + REWRITE_SLACK_BYTES {
            return state.rewrite(now);
        }
        if state.alerts.is_empty() {
            return Ok(());
        }
        let mut record = Vec::new();
        put_alive(&mut record, now);
        state.journal.write(&record)
    }

    /// Writes the journal anew, without what was forgotten.
    pub fn rewrite(&self, now: TimestampNs) -> io::Result<()> {
        lock(&self.state).rewrite(now)
    }

    /// Makes durable what was written so far.
    pub fn sync(&self) -> io::Result<()> {
        let file = lock(&self.state).journal.file();
        file.sync()
    }
}

impl State {
    fn rewrite(&mut self, now: TimestampNs) -> io::Result<()> {
        let (mut records, mut record) = (Vec::new(), Vec::new());
        put_alive(&mut record, now);
        for alert in self.alerts.values() {
            put_alert(&mut record, alert);
            if record.len() >= RECORD_BYTES {
                records.push(std::mem::take(&mut record));
            }
        }
        records.push(record);
        self.journal.rewrite(&records)?;
        self.live_bytes = self.journal.bytes();
        Ok(())
    }
}

fn overlap(old: &Alert, new: &Alert) -> bool {
    (new.ends_at > old.starts_at && new.ends_at < old.ends_at)
        || (new.starts_at > old.starts_at && new.starts_at < old.ends_at)
}
