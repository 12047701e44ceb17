//! Entries that are pushed together.

use std::collections::BTreeMap;
use std::time::Instant;

use model::{Labels, LogEntry};

use crate::config::ClientConfig;
use crate::entry::Entry;
use crate::positions::Position;

/// What is collecting.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// By tenant, then by stream.
    tenants: BTreeMap<String, BTreeMap<Labels, Vec<LogEntry>>>,
    pub bytes: usize,
    pub since: Option<Instant>,
}

/// What goes to one client for one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Request {
    pub url: String,
    pub tenant: String,
    /// Snappy-compressed protobuf.
    pub body: Vec<u8>,
    pub entries: u64,
    /// Of lines.
    pub bytes: u64,
}

/// What is on its way: requests, and the positions that hold once all are acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outgoing {
    pub requests: Vec<Request>,
    pub positions: BTreeMap<String, Position>,
    /// Keys of sources that are gone.
    pub gone: Vec<String>,
}

impl Batch {
    pub fn add(&mut self, entry: Entry, now: Instant) {
        self.since.get_or_insert(now);
        self.bytes += entry.line.len();
        let sorted = |pairs: &BTreeMap<String, String>| {
            Labels::from_sorted(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        };
        let structured_metadata = sorted(&entry.metadata);
        let streams = self.tenants.entry(entry.tenant.unwrap_or_default()).or_default();
        let entries = streams.entry(sorted(&entry.labels)).or_default();
        entries.push(LogEntry { ts: entry.ts, line: entry.line, structured_metadata });
    }

    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// The requests for all clients.
    pub fn requests<'c>(
        &self,
        clients: impl Iterator<Item = &'c ClientConfig>,
    ) -> Result<Vec<Request>, String> {
        let mut requests = Vec::new();
        for client in clients {
            for (tenant, streams) in &self.tenants {
                let label_text = |labels: &Labels| with_external(labels, &client.external_labels).to_string();
                let streams_of =
                    streams.iter().map(|(labels, entries)| (label_text(labels), entries.as_slice()));
                let body = wire::loki::encode_proto(streams_of).map_err(|e| e.to_string())?;
                let entries = streams.values().map(Vec::len).sum::<usize>() as u64;
                let bytes = streams.values().flatten().map(|entry| entry.line.len()).sum::<usize>() as u64;
                let tenant = if tenant.is_empty() { &client.tenant_id } else { tenant };
                requests.push(Request {
                    url: client.url.trim().to_string(),
                    tenant: tenant.clone(),
                    body,
                    entries,
                    bytes,
                });
            }
        }
        Ok(requests)
    }
}

/// The entry's own labels win.
fn with_external(labels: &Labels, external: &BTreeMap<String, String>) -> Labels {
    if external.is_empty() {
        return labels.clone();
    }
    let mut all: BTreeMap<&str, &str> =
        external.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.extend(labels.iter());
    Labels::from_sorted(all)
}
