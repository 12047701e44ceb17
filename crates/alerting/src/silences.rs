//! Silences: matchers that mute alerts for a while, kept on disk.
//!
//! Which silences match an alert is remembered per alert, together with the version of the set it was found
//! for. Every change makes a new version, and only what changed since is looked at the next time: thousands
//! of silences cost nothing as long as they stay as they are.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use model::{Labels, MatchOp, Matcher, TimestampNs};
use platform::{Clock, Disk};
use serde::{Deserialize, Serialize};

use crate::cluster::{Seat, StateKey};
use crate::journal::{Commit, Journal};
use crate::manager::lock;
use crate::matchers::{MatcherMode, is_label_name};
use crate::mesh::silence_part;
use crate::metrics::SilenceMetrics;

/// A silence. `id` is empty for one that is to be created.
#[derive(Debug, Clone)]
pub struct Silence {
    pub id: String,
    pub matchers: Vec<Matcher>,
    pub starts_at: TimestampNs,
    pub ends_at: TimestampNs,
    pub updated_at: TimestampNs,
    pub created_by: String,
    pub comment: String,
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceState {
    Active,
    Pending,
    Expired,
}

impl SilenceState {
    pub fn as_str(self) -> &'static str {
        match self {
            SilenceState::Active => "active",
            SilenceState::Pending => "pending",
            SilenceState::Expired => "expired",
        }
    }
}

impl Silence {
    pub fn state(&self, now: TimestampNs) -> SilenceState {
        if now < self.starts_at {
            SilenceState::Pending
        } else if now > self.ends_at {
            SilenceState::Expired
        } else {
            SilenceState::Active
        }
    }

    fn validate(&self, mode: MatcherMode) -> Result<(), String> {
        if self.matchers.is_empty() {
            return Err("at least one matcher set required".into());
        }
        for (i, matcher) in self.matchers.iter().enumerate() {
            if !is_label_name(&matcher.name, mode) {
                let name = format!("{:?}", matcher.name);
                return Err(format!("invalid label matcher {i} in set 0: invalid label name {name}"));
            }
        }
        if self.matchers.iter().all(Matcher::matches_empty) {
            return Err("matcher set 0: at least one matcher must not match the empty string".into());
        }
        if self.ends_at < self.starts_at {
            return Err("end time must not be before start time".into());
        }
        Ok(())
    }
}

/// Why a silence was refused.
#[derive(Debug)]
pub enum SilenceError {
    NotFound,
    Invalid(String),
    /// The disk did not take it; nothing has changed.
    Storage(String),
}

impl fmt::Display for SilenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SilenceError::NotFound => f.write_str("silence not found"),
            SilenceError::Invalid(message) => f.write_str(message),
            SilenceError::Storage(message) => write!(f, "cannot store the silence: {message}"),
        }
    }
}

impl std::error::Error for SilenceError {}

/// Limits on silences; zero means none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SilenceLimits {
    pub count: usize,
    pub bytes: usize,
}

/// Changes that are remembered beyond twice the number of silences; after that all is looked at anew.
const CHANGES_SLACK: usize = 1_000;

pub(crate) struct Silences {
    clock: Arc<dyn Clock>,
    retention: Duration,
    limits: SilenceLimits,
    mode: MatcherMode,
    seat: Seat,
    state: Mutex<State>,
    commit: Commit,
    metrics: SilenceMetrics,
}

struct State {
    by_id: BTreeMap<String, Arc<Silence>>,
    journal: Journal,
    /// Grows with every change.
    version: u64,
    /// Silences as they were set, by the version that made them so.
    changes: Vec<(u64, Arc<Silence>)>,
    /// By fingerprint of an alert's labels.
    matching: HashMap<u64, Matching>,
}

/// The silences that match one alert and were not over when they were looked for.
#[derive(Default)]
struct Matching {
    version: u64,
    silences: Vec<Arc<Silence>>,
}

/// The stored form.
#[derive(Serialize, Deserialize)]
struct Record {
    id: String,
    matchers: Vec<(String, String, String)>,
    starts_at: i64,
    ends_at: i64,
    updated_at: i64,
    created_by: String,
    comment: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Silences {
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        clock: Arc<dyn Clock>,
        retention: Duration,
        limits: SilenceLimits,
        mode: MatcherMode,
        metrics: SilenceMetrics,
    ) -> io::Result<Silences> {
        let (journal, recovered) = Journal::open(disk, path.to_owned())?;
        let mut by_id = BTreeMap::new();
        let mut damaged = recovered.damaged;
        for record in recovered.records {
            // Later records of one id replace earlier ones.
            match decode(&record) {
                Some(silence) => {
                    by_id.insert(silence.id.clone(), Arc::new(silence));
                }
                None => damaged += 1,
            }
        }
        if damaged > 0 || recovered.torn_bytes > 0 {
            tracing::warn!(
                damaged,
                torn_bytes = recovered.torn_bytes,
                "{}: some silences could not be read back",
                path.display()
            );
        }
        let state = State { by_id, journal, version: 1, changes: Vec::new(), matching: HashMap::new() };
        Ok(Silences {
            clock,
            retention,
            limits,
            mode,
            seat: Seat::default(),
            state: Mutex::new(state),
            commit: Commit::default(),
            metrics,
        })
    }

    /// Shares changes from this seat.
    pub fn seated(self, seat: Seat) -> Silences {
        Silences { seat, ..self }
    }

    pub fn retention(&self) -> Duration {
        self.retention
    }

    /// Creates or updates a silence; returns its id. A change that would rewrite history expires the old
    /// silence and creates a new one.
    pub fn set(&self, mut silence: Silence) -> Result<String, SilenceError> {
        silence
            .validate(self.mode)
            .map_err(|message| SilenceError::Invalid(format!("invalid silence: {message}")))?;
        let now = self.clock.now_ns();
        silence.updated_at = now;
        let mut state = lock(&self.state);
        let previous = match silence.id.as_str() {
            "" => None,
            id => Some(state.by_id.get(id).cloned().ok_or(SilenceError::NotFound)?),
        };
        if let Some(previous) = &previous
            && can_update(previous, &silence, now)
        {
            self.check_size(&silence)?;
            let id = self.store(&mut state, silence)?;
            return self.commit(state).map(|()| id);
        }
        if self.limits.count > 0 && state.by_id.len() >= self.limits.count {
            let message = format!(
                "exceeded maximum number of silences: {} (limit: {})",
                state.by_id.len(),
                self.limits.count
            );
            return Err(SilenceError::Invalid(message));
        }
        silence.id = new_id();
        silence.starts_at = silence.starts_at.max(now);
        self.check_size(&silence)?;
        if let Some(previous) = previous
            && previous.state(now) != SilenceState::Expired
        {
            self.store(&mut state, expired(&previous, now))?;
        }
        let id = self.store(&mut state, silence)?;
        self.commit(state).map(|()| id)
    }

    fn check_size(&self, silence: &Silence) -> Result<(), SilenceError> {
        let size = encode(silence).len();
        if self.limits.bytes > 0 && size > self.limits.bytes {
            let message =
                format!("silence exceeded maximum size: {size} bytes (limit: {} bytes)", self.limits.bytes);
            return Err(SilenceError::Invalid(message));
        }
        Ok(())
    }

    /// Written first, told second, visible third.
    fn store(&self, state: &mut State, silence: Silence) -> Result<String, SilenceError> {
        state.journal.write(&encode(&silence)).map_err(|e| SilenceError::Storage(e.to_string()))?;
        self.tell(&silence);
        let id = silence.id.clone();
        state.insert(silence);
        Ok(id)
    }

    /// Waits until everything stored so far is durable.
    fn commit(&self, state: MutexGuard<'_, State>) -> Result<(), SilenceError> {
        self.synced(state).map_err(|e| SilenceError::Storage(e.to_string()))
    }

    fn synced(&self, state: MutexGuard<'_, State>) -> io::Result<()> {
        let ticket = state.journal.written();
        drop(state);
        self.commit.wait(ticket, || {
            let state = lock(&self.state);
            (state.journal.file(), state.journal.written())
        })
    }

    /// Tells the other members.
    pub fn tell(&self, silence: &Silence) {
        if self.seat.is_shared() {
            self.seat.broadcast(StateKey::Silences, silence_part(silence, nanos(self.retention)));
        }
    }

    /// Tells the other members what one of them told us.
    pub fn tell_on(&self, silence: &Silence) {
        self.metrics.state.propagated.inc();
        self.tell(silence);
    }

    /// Takes in what other members told (silences, each with the time at which it may be forgotten), where
    /// it is news; returns the news, which is durable by then.
    pub fn absorb(&self, received: Vec<(Silence, TimestampNs)>) -> io::Result<Vec<Silence>> {
        let now = self.clock.now_ns();
        let mut state = lock(&self.state);
        let mut fresh: BTreeMap<String, Silence> = BTreeMap::new();
        for (silence, expires_at) in received {
            let known = state.by_id.get(&silence.id).map(|silence| &**silence);
            let known = fresh.get(&silence.id).or(known);
            if expires_at >= now && known.is_none_or(|known| known.updated_at < silence.updated_at) {
                fresh.insert(silence.id.clone(), silence);
            }
        }
        let records: Vec<Vec<u8>> = fresh.values().map(encode).collect();
        state.journal.write_all(&records)?;
        fresh.values().for_each(|silence| state.insert(silence.clone()));
        self.synced(state)?;
        Ok(fresh.into_values().collect())
    }

    /// Ends a silence now. Expiring an expired one changes nothing.
    pub fn expire(&self, id: &str) -> Result<(), SilenceError> {
        let now = self.clock.now_ns();
        let mut state = lock(&self.state);
        let silence = state.by_id.get(id).cloned().ok_or(SilenceError::NotFound)?;
        if silence.state(now) != SilenceState::Expired {
            self.store(&mut state, expired(&silence, now))?;
        }
        self.commit(state)
    }

    pub fn get(&self, id: &str) -> Option<Arc<Silence>> {
        lock(&self.state).by_id.get(id).cloned()
    }

    /// All silences, by id.
    pub fn list(&self) -> Vec<Arc<Silence>> {
        lock(&self.state).by_id.values().cloned().collect()
    }

    /// Answers for many alerts at once which silences mute them. Nobody else gets at the silences meanwhile.
    pub fn muter(&self, now: TimestampNs) -> Muter<'_> {
        self.metrics.state.queries.inc();
        Muter { state: lock(&self.state), now, started: Instant::now(), metrics: &self.metrics }
    }

    /// Forgets what it remembered about alerts that are gone.
    pub fn forget(&self, fingerprints: &[u64]) {
        let mut state = lock(&self.state);
        for fingerprint in fingerprints {
            state.matching.remove(fingerprint);
        }
    }

    /// Silences held, and changes remembered.
    pub fn sizes(&self) -> [usize; 2] {
        let state = lock(&self.state);
        [state.by_id.len(), state.changes.len()]
    }

    /// How many silences are in each state: active, pending, expired.
    pub fn counts(&self) -> [usize; 3] {
        let now = self.clock.now_ns();
        let mut counts = [0; 3];
        for silence in lock(&self.state).by_id.values() {
            let slot = match silence.state(now) {
                SilenceState::Active => 0,
                SilenceState::Pending => 1,
                SilenceState::Expired => 2,
            };
            counts[slot] += 1;
        }
        counts
    }

    pub fn bytes(&self) -> u64 {
        lock(&self.state).journal.bytes()
    }

    /// Forgets silences that expired longer ago than the retention, and tidies the file.
    pub fn collect(&self) -> io::Result<()> {
        self.metrics.state.maintenance.inc();
        self.tidy().inspect_err(|_| self.metrics.state.maintenance_errors.inc())
    }

    fn tidy(&self) -> io::Result<()> {
        let started = Instant::now();
        let horizon = self.clock.now_ns().saturating_sub(nanos(self.retention));
        let mut state = lock(&self.state);
        let before = state.by_id.len();
        state.by_id.retain(|_, silence| silence.ends_at > horizon);
        let gone = before - state.by_id.len();
        if gone > 0 {
            state.look_anew();
        }
        self.metrics.state.gc_duration.observe(started.elapsed());
        let started = Instant::now();
        if gone > 0 || state.journal.is_wasteful(state.by_id.len()) {
            let records: Vec<Vec<u8>> = state.by_id.values().map(|silence| encode(silence)).collect();
            state.journal.rewrite(&records)?;
        }
        self.metrics.state.snapshot_duration.observe(started.elapsed());
        Ok(())
    }
}

impl State {
    fn insert(&mut self, silence: Silence) {
        let silence = Arc::new(silence);
        self.by_id.insert(silence.id.clone(), silence.clone());
        self.version += 1;
        self.changes.push((self.version, silence));
        if self.changes.len() > 2 * self.by_id.len() + CHANGES_SLACK {
            self.look_anew();
        }
    }

    /// Forgets which silences match which alerts.
    fn look_anew(&mut self) {
        self.changes.clear();
        self.matching.clear();
    }
}

/// See [`Silences::muter`].
pub(crate) struct Muter<'a> {
    state: MutexGuard<'a, State>,
    now: TimestampNs,
    started: Instant,
    metrics: &'a SilenceMetrics,
}

impl Muter<'_> {
    /// Ids of the active silences that match, sorted. `fingerprint` is that of the labels.
    pub fn muting(&mut self, fingerprint: u64, labels: &Labels) -> Vec<String> {
        let (state, now) = (&mut *self.state, self.now);
        if state.by_id.is_empty() {
            return Vec::new();
        }
        let applies =
            |s: &Silence| s.state(now) != SilenceState::Expired && Matcher::all_match(&s.matchers, labels);
        let known = state.matching.entry(fingerprint).or_default();
        if known.version == 0 {
            self.metrics.scanned.add(state.by_id.len() as u64);
            known.silences = state.by_id.values().filter(|s| applies(s)).cloned().collect();
        } else if known.version < state.version {
            let new = state.changes.partition_point(|(version, _)| *version <= known.version);
            let changes = state.changes.get(new..).unwrap_or_default();
            self.metrics.scanned.add(changes.len() as u64);
            self.metrics.skipped.add(state.by_id.len().saturating_sub(changes.len()) as u64);
            for (_, silence) in changes {
                known.silences.retain(|s| s.id != silence.id);
                if applies(silence) {
                    known.silences.push(silence.clone());
                }
            }
            known.silences.sort_by(|a, b| a.id.cmp(&b.id));
        } else {
            self.metrics.skipped.add(state.by_id.len() as u64);
        }
        known.version = state.version;
        known.silences.retain(|s| s.state(now) != SilenceState::Expired);
        let active = known.silences.iter().filter(|s| s.state(now) == SilenceState::Active);
        active.map(|s| s.id.clone()).collect()
    }
}

impl Drop for Muter<'_> {
    fn drop(&mut self) {
        self.metrics.state.query_duration.observe(self.started.elapsed().as_secs_f64());
    }
}

fn expired(silence: &Silence, now: TimestampNs) -> Silence {
    let mut silence = silence.clone();
    if silence.state(now) == SilenceState::Pending {
        silence.starts_at = now;
    }
    silence.ends_at = now;
    silence.updated_at = now;
    silence
}

/// Whether `new` may replace `old` under the same id.
fn can_update(old: &Silence, new: &Silence, now: TimestampNs) -> bool {
    let second = |ns: i64| ns.div_euclid(1_000_000_000);
    old.matchers == new.matchers
        && match old.state(now) {
            SilenceState::Active => second(old.starts_at) == second(new.starts_at) && new.ends_at >= now,
            SilenceState::Pending => new.starts_at >= now,
            SilenceState::Expired => false,
        }
}

pub(crate) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn encode(silence: &Silence) -> Vec<u8> {
    let record = Record {
        id: silence.id.clone(),
        matchers: silence
            .matchers
            .iter()
            .map(|m| (m.name.clone(), m.op.as_str().to_owned(), m.value.clone()))
            .collect(),
        starts_at: silence.starts_at,
        ends_at: silence.ends_at,
        updated_at: silence.updated_at,
        created_by: silence.created_by.clone(),
        comment: silence.comment.clone(),
        annotations: silence.annotations.clone(),
    };
    // Strings and numbers always serialise.
    serde_json::to_vec(&record).unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Option<Silence> {
    let record: Record = serde_json::from_slice(bytes).ok()?;
    let matchers = record
        .matchers
        .into_iter()
        .map(|(name, op, value)| {
            let op = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]
                .into_iter()
                .find(|known| known.as_str() == op)?;
            Matcher::new(op, name, value).ok()
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Silence {
        id: record.id,
        matchers,
        starts_at: record.starts_at,
        ends_at: record.ends_at,
        updated_at: record.updated_at,
        created_by: record.created_by,
        comment: record.comment,
        annotations: record.annotations,
    })
}

/// A random (version 4) UUID. The standard library seeds its hashers from the operating system, which is
/// all that uniqueness needs here: ids are names, not secrets.
fn new_id() -> String {
    let random = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    let (high, low) = (random(), random());
    let high = (high & 0xffff_ffff_ffff_0fff) | 0x4000;
    let low = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
