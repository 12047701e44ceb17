//! The notification log: what each receiver was last told about each group, kept on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use model::TimestampNs;
use platform::{Clock, Disk};
use serde::{Deserialize, Serialize};

use crate::cluster::{Seat, StateKey};
use crate::journal::{Commit, Journal};
use crate::manager::lock;
use crate::mesh::entry_part;
use crate::metrics::StateMetrics;
use crate::notification::{Memory, Reason};
use crate::silences::nanos;

/// What was told last. Alerts are named by their hash, see [`crate::Alert::log_hash`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub group_key: String,
    /// `receiver/kind/index`
    pub receiver: String,
    pub firing: BTreeSet<u64>,
    pub resolved: BTreeSet<u64>,
    /// What the integration asked to be kept.
    #[serde(default)]
    pub memory: Memory,
    pub at: TimestampNs,
    pub expires_at: TimestampNs,
}

pub(crate) struct NotificationLog {
    clock: Arc<dyn Clock>,
    retention: Duration,
    seat: Seat,
    state: Mutex<State>,
    commit: Commit,
    metrics: StateMetrics,
}

struct State {
    entries: BTreeMap<(String, String), Entry>,
    journal: Journal,
}

impl NotificationLog {
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        clock: Arc<dyn Clock>,
        retention: Duration,
        metrics: StateMetrics,
    ) -> io::Result<NotificationLog> {
        let (journal, recovered) = Journal::open(disk, path.to_owned())?;
        let mut entries = BTreeMap::new();
        let mut damaged = recovered.damaged;
        for record in recovered.records {
            match serde_json::from_slice::<Entry>(&record) {
                Ok(entry) => {
                    entries.insert((entry.group_key.clone(), entry.receiver.clone()), entry);
                }
                Err(_) => damaged += 1,
            }
        }
        if damaged > 0 || recovered.torn_bytes > 0 {
            tracing::warn!(
                damaged,
                torn_bytes = recovered.torn_bytes,
                "{}: some notifications may be sent again",
                path.display()
            );
        }
        let state = Mutex::new(State { entries, journal });
        Ok(NotificationLog {
            clock,
            retention,
            seat: Seat::default(),
            state,
            commit: Commit::default(),
            metrics,
        })
    }

    /// Shares changes from this seat.
    pub fn seated(self, seat: Seat) -> NotificationLog {
        NotificationLog { seat, ..self }
    }

    pub fn get(&self, group_key: &str, receiver: &str) -> Option<Entry> {
        let (now, started) = (self.clock.now_ns(), Instant::now());
        self.metrics.queries.inc();
        let state = lock(&self.state);
        let entry = state.entries.get(&(group_key.to_owned(), receiver.to_owned()));
        let entry = entry.filter(|entry| entry.expires_at > now).cloned();
        self.metrics.query_duration.observe(started.elapsed().as_secs_f64());
        entry
    }

    /// Remembers a notification; durable when this returns.
    pub fn record(
        &self,
        group_key: &str,
        receiver: &str,
        firing: BTreeSet<u64>,
        resolved: BTreeSet<u64>,
        memory: Memory,
        repeat_interval: Duration,
    ) -> io::Result<()> {
        let now = self.clock.now_ns();
        // An entry outlives the time at which it would cause a repetition, within the retention.
        let keep = nanos(repeat_interval).saturating_mul(2).min(nanos(self.retention));
        let entry = Entry {
            group_key: group_key.to_owned(),
            receiver: receiver.to_owned(),
            firing,
            resolved,
            memory,
            at: now,
            expires_at: now.saturating_add(keep),
        };
        let bytes = serde_json::to_vec(&entry)?;
        let mut state = lock(&self.state);
        let key = (entry.group_key.clone(), entry.receiver.clone());
        if state.entries.get(&key).is_some_and(|known| known.at > now) {
            // Clocks of members differ: somebody told later by their own.
            return Ok(());
        }
        state.journal.write(&bytes)?;
        self.tell(&entry);
        state.entries.insert(key, entry);
        self.commit(state)
    }

    /// Waits until everything written so far is durable.
    fn commit(&self, state: MutexGuard<'_, State>) -> io::Result<()> {
        let ticket = state.journal.written();
        drop(state);
        self.commit.wait(ticket, || {
            let state = lock(&self.state);
            (state.journal.file(), state.journal.written())
        })
    }

    /// Tells the other members.
    pub fn tell(&self, entry: &Entry) {
        if self.seat.is_shared() {
            self.seat.broadcast(StateKey::NotificationLog, entry_part(entry));
        }
    }

    /// Tells the other members what one of them told us.
    pub fn tell_on(&self, entry: &Entry) {
        self.metrics.propagated.inc();
        self.tell(entry);
    }

    /// Takes in what other members told, where it is news; returns the news, which is durable by then.
    pub fn absorb(&self, received: Vec<Entry>) -> io::Result<Vec<Entry>> {
        let now = self.clock.now_ns();
        let mut state = lock(&self.state);
        let mut fresh: BTreeMap<(String, String), Entry> = BTreeMap::new();
        for entry in received {
            let key = (entry.group_key.clone(), entry.receiver.clone());
            let known = fresh.get(&key).or_else(|| state.entries.get(&key));
            if entry.expires_at >= now && known.is_none_or(|known| known.at < entry.at) {
                fresh.insert(key, entry);
            }
        }
        let mut records = Vec::with_capacity(fresh.len());
        for entry in fresh.values() {
            records.push(serde_json::to_vec(entry)?);
        }
        state.journal.write_all(&records)?;
        state.entries.extend(fresh.clone());
        self.commit(state)?;
        Ok(fresh.into_values().collect())
    }

    pub fn list(&self) -> Vec<Entry> {
        lock(&self.state).entries.values().cloned().collect()
    }

    pub fn bytes(&self) -> u64 {
        lock(&self.state).journal.bytes()
    }

    /// Forgets expired entries and tidies the file.
    pub fn collect(&self) -> io::Result<()> {
        self.metrics.maintenance.inc();
        self.tidy().inspect_err(|_| self.metrics.maintenance_errors.inc())
    }

    fn tidy(&self) -> io::Result<()> {
        let (now, started) = (self.clock.now_ns(), Instant::now());
        let mut state = lock(&self.state);
        let before = state.entries.len();
        state.entries.retain(|_, entry| entry.expires_at > now);
        self.metrics.gc_duration.observe(started.elapsed());
        let started = Instant::now();
        if state.entries.len() < before || state.journal.is_wasteful(state.entries.len()) {
            let records: Vec<Vec<u8>> =
                state.entries.values().filter_map(|entry| serde_json::to_vec(entry).ok()).collect();
            state.journal.rewrite(&records)?;
        }
        self.metrics.snapshot_duration.observe(started.elapsed());
        Ok(())
    }
}

/// Whether and why a group in this state is to be told, given what was told before.
pub(crate) fn decide(
    last: Option<&Entry>,
    firing: &BTreeSet<u64>,
    resolved: &BTreeSet<u64>,
    perhaps_told: bool,
    sends_resolved: bool,
    repeat_interval: Duration,
    now: TimestampNs,
) -> Option<Reason> {
    let Some(last) = last else {
        // A process that died between telling and noting left no trace here: better a needless end than
        // one that never comes.
        if firing.is_empty() && perhaps_told {
            return Some(Reason::AllResolved);
        }
        // Nobody needs to hear of the end of something they never heard of.
        return (!firing.is_empty()).then_some(Reason::FirstNotification);
    };
    if !firing.is_subset(&last.firing) {
        let known = !last.firing.is_empty();
        return Some(if known { Reason::NewAlerts } else { Reason::FirstNotification });
    }
    if firing.is_empty() {
        // Told even where resolved alerts are not sent, so that the log forgets the firing ones.
        return (!last.firing.is_empty()).then_some(Reason::AllResolved);
    }
    if sends_resolved && !resolved.is_subset(&last.resolved) {
        return Some(Reason::SomeResolved);
    }
    (last.at < now.saturating_sub(nanos(repeat_interval))).then_some(Reason::RepeatInterval)
}
