//! Silences and notification log entries as members of a cluster exchange them.
//!
//! Both states are maps whose entries carry the time of their last change; the younger entry wins, so it
//! does not matter in which order, how often or on which way entries arrive. What was new here is told on,
//! which makes every update reach every member without anybody keeping account of who knows what. Updates
//! too large for a packet were sent to every member by whoever made them, and are not told on.
//!
//! Invariant: wire types are known in this file only.

use std::collections::{BTreeMap, HashMap};
use std::io;

use model::{MatchOp, Matcher, TimestampNs};
use wire::alertmanager as wire;

use crate::cluster::StateKey;
use crate::manager::Alertmanager;
use crate::nflog::{Entry, NotificationLog};
use crate::notification::{Datum, Memory};
use crate::silences::{Silence, Silences, nanos};

/// A part larger than this, in the frame it travels in, goes to every member over a connection of its own.
/// Half of what a packet holds, as in the original.
pub const GOSSIP_PART_BYTES_MAX: usize = 700;

/// Why another member's state was not taken in.
#[derive(Debug)]
pub enum MergeError {
    /// It is not what this key's state looks like.
    Malformed(wire::StateError),
    /// The disk did not take it. It comes again with the next exchange of full states.
    Storage(io::Error),
}

impl std::fmt::Display for MergeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MergeError::Malformed(e) => e.fmt(f),
            MergeError::Storage(e) => write!(f, "cannot store what a peer sent: {e}"),
        }
    }
}

impl std::error::Error for MergeError {}

impl Alertmanager {
    /// Takes in what another member says of a state: a change or everything. Last write wins, expired
    /// entries are ignored, what is new is durable when this returns and is told on. Blocks on the disk.
    pub fn merge(&self, key: StateKey, bytes: &[u8]) -> Result<(), MergeError> {
        match key {
            StateKey::NotificationLog => self.nflog.merge(bytes),
            StateKey::Silences => self.silences.merge(bytes),
        }
    }

    /// Everything this member knows of a state.
    pub fn full_state(&self, key: StateKey) -> Vec<u8> {
        match key {
            StateKey::NotificationLog => self.nflog.encoded(),
            StateKey::Silences => self.silences.encoded(),
        }
    }
}

impl NotificationLog {
    fn merge(&self, bytes: &[u8]) -> Result<(), MergeError> {
        let received = wire::read_notification_log(bytes).map_err(MergeError::Malformed)?;
        let received = received.into_iter().filter_map(entry_from_wire).collect();
        let fresh = self.absorb(received).map_err(MergeError::Storage)?;
        if bytes.len() <= GOSSIP_PART_BYTES_MAX {
            fresh.iter().for_each(|entry| self.tell_on(entry));
        }
        Ok(())
    }

    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.list().iter().for_each(|entry| wire::write_delimited(&mut out, &entry_to_wire(entry)));
        out
    }
}

impl Silences {
    fn merge(&self, bytes: &[u8]) -> Result<(), MergeError> {
        let received = wire::read_silences(bytes).map_err(MergeError::Malformed)?;
        let received = received.into_iter().filter_map(silence_from_wire).collect();
        let fresh = self.absorb(received).map_err(MergeError::Storage)?;
        if bytes.len() <= GOSSIP_PART_BYTES_MAX {
            fresh.iter().for_each(|silence| self.tell_on(silence));
        }
        Ok(())
    }

    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for silence in self.list() {
            wire::write_delimited(&mut out, &silence_to_wire(&silence, nanos(self.retention())));
        }
        out
    }
}

/// A part that says one entry.
pub(crate) fn entry_part(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    wire::write_delimited(&mut out, &entry_to_wire(entry));
    out
}

/// A part that says one silence.
pub(crate) fn silence_part(silence: &Silence, retention_ns: i64) -> Vec<u8> {
    let mut out = Vec::new();
    wire::write_delimited(&mut out, &silence_to_wire(silence, retention_ns));
    out
}

fn entry_to_wire(entry: &Entry) -> wire::MeshEntry {
    // `receiver/kind/index`, where the receiver's name may have slashes of its own.
    let mut parts = entry.receiver.rsplitn(3, '/');
    let idx = parts.next().and_then(|index| index.parse().ok()).unwrap_or(0);
    let integration = parts.next().unwrap_or("").to_owned();
    let group_name = parts.next().unwrap_or("").to_owned();
    wire::MeshEntry {
        entry: Some(wire::Entry {
            group_key: entry.group_key.clone().into_bytes(),
            receiver: Some(wire::Receiver { group_name, integration, idx }),
            timestamp: moment(entry.at),
            firing_alerts: entry.firing.iter().copied().collect(),
            resolved_alerts: entry.resolved.iter().copied().collect(),
            receiver_data: entry.memory.iter().map(|(k, v)| (k.clone(), datum_to_wire(v))).collect(),
        }),
        expires_at: moment(entry.expires_at),
    }
}

/// `None` for an entry that can belong to no group of ours: its key is not text.
pub(crate) fn entry_from_wire(mesh: wire::MeshEntry) -> Option<Entry> {
    let entry = mesh.entry?;
    let receiver = entry.receiver?;
    Some(Entry {
        group_key: String::from_utf8(entry.group_key).ok()?,
        receiver: format!("{}/{}/{}", receiver.group_name, receiver.integration, receiver.idx),
        firing: entry.firing_alerts.into_iter().collect(),
        resolved: entry.resolved_alerts.into_iter().collect(),
        memory: memory_from_wire(entry.receiver_data),
        at: wire::ns_of(entry.timestamp),
        expires_at: wire::ns_of(mesh.expires_at),
    })
}

fn datum_to_wire(datum: &Datum) -> wire::ReceiverData {
    let value = match datum {
        Datum::Text(text) => wire::Datum::Text(text.clone()),
        Datum::Int(n) => wire::Datum::Int(*n),
        Datum::Float(n) => wire::Datum::Float(*n),
    };
    wire::ReceiverData { value: Some(value) }
}

fn memory_from_wire(data: HashMap<String, wire::ReceiverData>) -> Memory {
    let mut memory: Memory = BTreeMap::new();
    for (name, datum) in data {
        let datum = match datum.value {
            Some(wire::Datum::Text(text)) => Datum::Text(text),
            Some(wire::Datum::Int(n)) => Datum::Int(n),
            Some(wire::Datum::Float(n)) => Datum::Float(n),
            None => continue,
        };
        memory.insert(name, datum);
    }
    memory
}

fn silence_to_wire(silence: &Silence, retention_ns: i64) -> wire::MeshSilence {
    let matchers: Vec<wire::Matcher> = silence.matchers.iter().map(matcher_to_wire).collect();
    wire::MeshSilence {
        silence: Some(wire::Silence {
            id: silence.id.clone(),
            matchers: matchers.clone(),
            starts_at: moment(silence.starts_at),
            ends_at: moment(silence.ends_at),
            updated_at: moment(silence.updated_at),
            comments: Vec::new(),
            created_by: silence.created_by.clone(),
            comment: silence.comment.clone(),
            annotations: silence.annotations.clone(),
            matcher_sets: vec![wire::MatcherSet { matchers }],
        }),
        expires_at: moment(silence.ends_at.saturating_add(retention_ns)),
    }
}

/// A silence and when it may be forgotten; `None`, and a line in the log, for one that cannot be meant or
/// cannot be represented: without matchers, with a broken regular expression, or with several sets of
/// matchers, of which one would have to match.
pub(crate) fn silence_from_wire(mesh: wire::MeshSilence) -> Option<(Silence, TimestampNs)> {
    let silence = mesh.silence?;
    let id = silence.id;
    let [set] = <[wire::MatcherSet; 1]>::try_from(silence.matcher_sets)
        .inspect_err(|sets| {
            tracing::warn!(
                id,
                sets = sets.len(),
                "a peer's silence is ignored: one set of matchers expected"
            );
        })
        .ok()?;
    let matchers: Option<Vec<Matcher>> = set.matchers.into_iter().map(matcher_from_wire).collect();
    let Some(matchers) = matchers else {
        tracing::warn!(id, "a peer's silence is ignored: a matcher is not valid");
        return None;
    };
    let silence = Silence {
        id,
        matchers,
        starts_at: wire::ns_of(silence.starts_at),
        ends_at: wire::ns_of(silence.ends_at),
        updated_at: wire::ns_of(silence.updated_at),
        created_by: silence.created_by,
        comment: silence.comment,
        annotations: silence.annotations,
    };
    Some((silence, wire::ns_of(mesh.expires_at)))
}

fn matcher_to_wire(matcher: &Matcher) -> wire::Matcher {
    let kind = match matcher.op {
        MatchOp::Equal => wire::MatcherType::Equal,
        MatchOp::Regex => wire::MatcherType::Regexp,
        MatchOp::NotEqual => wire::MatcherType::NotEqual,
        MatchOp::NotRegex => wire::MatcherType::NotRegexp,
    };
    wire::Matcher { kind: kind.into(), name: matcher.name.clone(), pattern: matcher.value.clone() }
}

fn matcher_from_wire(matcher: wire::Matcher) -> Option<Matcher> {
    let op = match wire::MatcherType::try_from(matcher.kind).ok()? {
        wire::MatcherType::Equal => MatchOp::Equal,
        wire::MatcherType::Regexp => MatchOp::Regex,
        wire::MatcherType::NotEqual => MatchOp::NotEqual,
        wire::MatcherType::NotRegexp => MatchOp::NotRegex,
    };
    Matcher::new(op, matcher.name, matcher.pattern).ok()
}

fn moment(ns: TimestampNs) -> Option<wire::Timestamp> {
    Some(wire::Timestamp::from_ns(ns))
}
