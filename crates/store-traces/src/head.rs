//! The head: spans that are not in parts yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use model::TimestampNs;
use model::span::{AttributeValue, Attributes, Span, SpanId, TraceId};

use crate::criteria::{Criteria, Newest};
use crate::edges::EdgeCounts;

/// Operations by service: (name, kind number).
pub(crate) type Operations = BTreeMap<String, BTreeSet<(String, i32)>>;

#[derive(Default)]
pub(crate) struct Head {
    spans: Vec<Arc<Span>>,
    by_trace: HashMap<TraceId, Vec<u32>>,
    operations: Operations,
    bytes: usize,
    /// When the first span came, on the monotonic clock.
    since: Option<Duration>,
    start_max: Option<TimestampNs>,
}

impl Head {
    pub fn insert(&mut self, span: Arc<Span>, now: Duration) {
        self.since.get_or_insert(now);
        self.bytes += span_bytes(&span);
        self.start_max = self.start_max.max(Some(span.start));
        // The head's memory limit is reached long before 2^32 spans.
        let index = self.spans.len() as u32;
        self.by_trace.entry(span.trace_id).or_default().push(index);
        let service = &span.resource.service;
        let operation = (span.name.clone(), span.kind.number());
        match self.operations.get_mut(service) {
            Some(operations) => drop(operations.insert(operation)),
            None => drop(self.operations.insert(service.clone(), BTreeSet::from([operation]))),
        }
        self.spans.push(span);
    }

    pub fn spans(&self) -> &[Arc<Span>] {
        &self.spans
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    pub fn since(&self) -> Option<Duration> {
        self.since
    }

    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    pub fn trace(&self, id: TraceId) -> impl Iterator<Item = &Arc<Span>> {
        let indexes = self.by_trace.get(&id).map(Vec::as_slice).unwrap_or_default();
        indexes.iter().filter_map(|index| self.spans.get(*index as usize))
    }

    pub fn find(&self, criteria: &Criteria, newest: &mut Newest) {
        if let Some(service) = &criteria.service
            && !self.operations.contains_key(service)
        {
            return;
        }
        if self.start_max.is_none_or(|start| !newest.cares_for(start)) {
            return;
        }
        for span in &self.spans {
            if newest.cares_for(span.start) && criteria.matches(span) {
                newest.add(span.trace_id, span.start);
            }
        }
    }

    /// The service of a span of this trace.
    pub fn service_of(&self, trace: TraceId, span: SpanId) -> Option<&str> {
        let mut spans = self.trace(trace);
        spans.find(|candidate| candidate.span_id == span).map(|span| span.resource.service.as_str())
    }

    pub fn edges(&self, start_min: TimestampNs, start_max: TimestampNs, counts: &mut EdgeCounts) {
        for span in &self.spans {
            if span.parent_span_id.is_zero() || span.start < start_min || span.start > start_max {
                continue;
            }
            let child = &span.resource.service;
            match self.service_of(span.trace_id, span.parent_span_id) {
                Some(parent) => counts.add(parent, child, 1),
                None => counts.missing(span.trace_id, span.parent_span_id, child),
            }
        }
    }
}

/// What a string costs beside its bytes.
const STRING_BYTES: usize = 24;

/// An estimate of a span's memory. Resource and scope are shared and counted by a fraction.
pub(crate) fn span_bytes(span: &Span) -> usize {
    let events: usize =
        span.events.iter().map(|event| 64 + event.name.len() + attributes_bytes(&event.attributes)).sum();
    let links: usize =
        span.links.iter().map(|link| 88 + link.trace_state.len() + attributes_bytes(&link.attributes)).sum();
    size_of::<Span>()
        + span.name.len()
        + span.trace_state.len()
        + span.status_message.len()
        + attributes_bytes(&span.attributes)
        + events
        + links
        + 64
}

pub(crate) fn attributes_bytes(attributes: &Attributes) -> usize {
    attributes.iter().map(|(key, value)| STRING_BYTES + key.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &AttributeValue) -> usize {
    let own = size_of::<AttributeValue>();
    own + match value {
        AttributeValue::String(text) => text.len(),
        AttributeValue::Bytes(bytes) => bytes.len(),
        AttributeValue::Array(items) => items.iter().map(value_bytes).sum(),
        AttributeValue::Map(pairs) => attributes_bytes(pairs),
        AttributeValue::Bool(_) | AttributeValue::Int(_) | AttributeValue::Double(_) => 0,
        AttributeValue::Empty => 0,
    }
}

/// Attributes of the span, its events and its links.
pub(crate) fn attribute_count(span: &Span) -> usize {
    span.attributes.len()
        + span.events.iter().map(|event| event.attributes.len()).sum::<usize>()
        + span.links.iter().map(|link| link.attributes.len()).sum::<usize>()
}

/// Levels of values in values; 1 for a plain one.
pub(crate) fn value_depth(value: &AttributeValue) -> usize {
    // An explicit stack: the depth is what is in question.
    let mut deepest = 0;
    let mut stack = vec![(value, 1)];
    while let Some((value, depth)) = stack.pop() {
        deepest = deepest.max(depth);
        match value {
            AttributeValue::Array(items) => stack.extend(items.iter().map(|item| (item, depth + 1))),
            AttributeValue::Map(pairs) => stack.extend(pairs.iter().map(|(_, item)| (item, depth + 1))),
            _ => {}
        }
    }
    deepest
}
