//! What the store must answer, worked out the slow and obvious way.

use std::collections::{BTreeMap, BTreeSet};

use model::span::{Span, TraceId};
use storage::traces::{Operation, ServiceEdge, TraceQuery};

use crate::criteria::Criteria;

#[derive(Default)]
pub(crate) struct Oracle {
    pub spans: Vec<Span>,
}

impl Oracle {
    pub fn trace(&self, id: TraceId) -> Vec<Span> {
        let mut spans: Vec<Span> = self.spans.iter().filter(|span| span.trace_id == id).cloned().collect();
        spans.sort_by(|a, b| (a.start, a.span_id, &a.name).cmp(&(b.start, b.span_id, &b.name)));
        spans
    }

    pub fn find(&self, query: &TraceQuery) -> Vec<TraceId> {
        let criteria = Criteria::new(query);
        let mut newest: BTreeMap<TraceId, i64> = BTreeMap::new();
        for span in self.spans.iter().filter(|span| criteria.matches(span)) {
            let start = newest.entry(span.trace_id).or_insert(span.start);
            *start = span.start.max(*start);
        }
        let mut order: Vec<(i64, TraceId)> = newest.into_iter().map(|(id, start)| (-start, id)).collect();
        order.sort();
        order.into_iter().map(|(_, id)| id).take(query.limit).collect()
    }

    pub fn services(&self) -> Vec<String> {
        let services: BTreeSet<String> =
            self.spans.iter().map(|span| span.resource.service.clone()).collect();
        services.into_iter().collect()
    }

    pub fn operations(&self, service: &str) -> Vec<Operation> {
        let own = self.spans.iter().filter(|span| span.resource.service == service);
        let operations: BTreeSet<Operation> =
            own.map(|span| Operation { name: span.name.clone(), kind_number: span.kind.number() }).collect();
        operations.into_iter().collect()
    }

    /// Span ids are unique within a trace here.
    pub fn edges(&self, start_min: i64, start_max: i64) -> Vec<ServiceEdge> {
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for child in self.spans.iter().filter(|span| start_min <= span.start && span.start <= start_max) {
            let parent = self
                .spans
                .iter()
                .find(|span| span.trace_id == child.trace_id && span.span_id == child.parent_span_id);
            if let Some(parent) = parent.filter(|_| !child.parent_span_id.is_zero()) {
                *counts.entry((&parent.resource.service, &child.resource.service)).or_default() += 1;
            }
        }
        let edge = |((parent, child), calls): ((&str, &str), u64)| ServiceEdge {
            parent: parent.to_string(),
            child: child.to_string(),
            calls,
        };
        counts.into_iter().map(edge).collect()
    }
}
