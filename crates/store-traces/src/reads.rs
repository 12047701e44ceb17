//! Answers: each takes one look at the store's state (heads and parts of the same moment) and reads parts
//! without holding anything.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::TimestampNs;
use model::span::{Span, SpanId, TraceId};
use storage::traces::{ServiceEdge, TraceQuery};
use storage::{ErrorKind, StoreError};

use crate::criteria::{Criteria, Newest};
use crate::edges::EdgeCounts;
use crate::head::Operations;
use crate::metrics::add;
use crate::store::Inner;

/// A trace looked up with a time range may reach this far beyond it.
const TRACE_MARGIN_NS: i64 = 3600 * 1_000_000_000;

impl Inner {
    pub fn find(&self, query: &TraceQuery) -> Result<Vec<TraceId>, StoreError> {
        let limit = match query.limit {
            0 => self.settings.search_limit_default,
            limit if limit <= self.settings.search_limit_max => limit,
            limit => {
                let max = self.settings.search_limit_max;
                let message = format!("search limit {limit} exceeds search_limit_max={max}");
                return Err(StoreError::new(ErrorKind::LimitExceeded, message));
            }
        };
        add(&self.metrics.searches, 1);
        let criteria = Criteria::new(query);
        let mut newest = Newest::new(limit);
        let parts = {
            let state = self.state();
            state.heads().for_each(|head| head.find(&criteria, &mut newest));
            state.parts.clone()
        };
        newest.prune();
        for part in parts.iter() {
            if !newest.cares_for(part.start_max()) {
                break;
            }
            if part.overlaps(criteria.start_min, criteria.start_max) {
                part.find(&criteria, &mut newest)?;
            }
        }
        Ok(newest.into_ids())
    }

    pub fn trace(
        &self,
        id: TraceId,
        start_min: Option<TimestampNs>,
        start_max: Option<TimestampNs>,
    ) -> Result<Vec<Span>, StoreError> {
        let start_min = start_min.map_or(i64::MIN, |start| start.saturating_sub(TRACE_MARGIN_NS));
        let start_max = start_max.map_or(i64::MAX, |start| start.saturating_add(TRACE_MARGIN_NS));
        let (mut spans, parts) = {
            let state = self.state();
            let spans: Vec<Arc<Span>> = state.heads().flat_map(|head| head.trace(id)).cloned().collect();
            (spans, state.parts.clone())
        };
        for part in parts.iter().filter(|part| part.overlaps(start_min, start_max)) {
            spans.extend(part.trace(id)?.into_iter().map(|row| row.span));
        }
        spans.retain(|span| start_min <= span.start && span.start <= start_max);
        spans.sort_by(|a, b| (a.start, a.span_id, &a.name).cmp(&(b.start, b.span_id, &b.name)));
        Ok(spans.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    pub fn services(&self) -> Vec<String> {
        let state = self.state();
        let mut services: BTreeSet<&str> = BTreeSet::new();
        for head in state.heads() {
            services.extend(head.operations().keys().map(String::as_str));
        }
        for part in state.parts.iter() {
            services.extend(part.services());
        }
        // A span without a service belongs to none that could be listed.
        services.into_iter().filter(|service| !service.is_empty()).map(str::to_string).collect()
    }

    pub fn operations(&self, service: &str) -> Result<Operations, StoreError> {
        let mut operations = Operations::new();
        let parts = {
            let state = self.state();
            for head in state.heads() {
                if let Some(own) = head.operations().get(service) {
                    operations.entry(service.to_string()).or_default().extend(own.iter().cloned());
                }
            }
            state.parts.clone()
        };
        for part in parts.iter() {
            part.operations(service, &mut operations)?;
        }
        Ok(operations)
    }

    pub fn edges(
        &self,
        start_min: TimestampNs,
        start_max: TimestampNs,
    ) -> Result<Vec<ServiceEdge>, StoreError> {
        let mut counts = EdgeCounts::default();
        let parts = {
            let state = self.state();
            state.heads().for_each(|head| head.edges(start_min, start_max, &mut counts));
            state.parts.clone()
        };
        for part in parts.iter().filter(|part| part.overlaps(start_min, start_max)) {
            part.edges(start_min, start_max, &mut counts)?;
        }
        self.find_missing_parents(&mut counts)?;
        add(&self.metrics.edge_lookups_skipped, counts.skipped);
        Ok(counts.into_edges())
    }

    /// Looks everywhere for the parents that were not beside their children.
    fn find_missing_parents(&self, counts: &mut EdgeCounts) -> Result<(), StoreError> {
        let mut missing = counts.take_missing();
        if missing.is_empty() {
            return Ok(());
        }
        let mut wanted: Vec<TraceId> = missing.keys().copied().collect();
        wanted.sort_unstable();
        // Each child is counted once, whoever else claims to be its parent.
        let mut found = |trace: TraceId, span: SpanId, service: &str| {
            let Some(children) = missing.get_mut(&trace) else { return };
            children.retain(|(parent, child)| {
                let hit = *parent == span;
                if hit {
                    counts.add(service, child, 1);
                }
                !hit
            });
        };
        let parts = {
            let state = self.state();
            for head in state.heads() {
                for trace in &wanted {
                    head.trace(*trace).for_each(|span| found(*trace, span.span_id, &span.resource.service));
                }
            }
            // Parts of the same moment: a flush meanwhile must not hide what it moved.
            state.parts.clone()
        };
        for part in parts.iter() {
            part.visit_traces(&wanted, &mut found)?;
        }
        Ok(())
    }
}
