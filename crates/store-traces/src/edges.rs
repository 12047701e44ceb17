//! Counting calls between services, and parents that are not where their children are.

use std::collections::{BTreeMap, HashMap};

use model::span::{SpanId, TraceId};
use storage::traces::ServiceEdge;

use crate::settings::EDGE_LOOKUPS_MAX;

#[derive(Default)]
pub(crate) struct EdgeCounts {
    /// parent → child → calls
    calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// Spans whose parent was not found beside them: by trace, the parent's id and the child's service.
    missing: HashMap<TraceId, Vec<(SpanId, String)>>,
    /// Spans that were not even noted, for there were too many.
    pub skipped: usize,
}

impl EdgeCounts {
    pub fn add(&mut self, parent: &str, child: &str, calls: u64) {
        // Looked up twice rather than cloned for every span.
        if !self.calls.contains_key(parent) {
            self.calls.insert(parent.to_string(), BTreeMap::new());
        }
        if let Some(children) = self.calls.get_mut(parent) {
            match children.get_mut(child) {
                Some(count) => *count += calls,
                None => drop(children.insert(child.to_string(), calls)),
            }
        }
    }

    pub fn missing(&mut self, trace: TraceId, parent: SpanId, child: &str) {
        if self.missing.len() >= EDGE_LOOKUPS_MAX && !self.missing.contains_key(&trace) {
            self.skipped += 1;
            return;
        }
        self.missing.entry(trace).or_default().push((parent, child.to_string()));
    }

    pub fn take_missing(&mut self) -> HashMap<TraceId, Vec<(SpanId, String)>> {
        std::mem::take(&mut self.missing)
    }

    pub fn into_edges(self) -> Vec<ServiceEdge> {
        let mut edges = Vec::new();
        for (parent, children) in self.calls {
            for (child, calls) in children {
                edges.push(ServiceEdge { parent: parent.clone(), child, calls });
            }
        }
        edges
    }
}
