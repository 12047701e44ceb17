//! Traces: pushing spans, finding traces.

use std::time::Duration;

use model::TimestampNs;
use model::span::{AttributeValue, Span, SpanKind, TraceId};

use crate::StoreError;

/// What to search for; every given field must hold for one and the same span of a trace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceQuery {
    pub service: Option<String>,
    pub operation: Option<String>,
    /// Compared with span, resource, scope and event attributes by their text form.
    pub tags: Vec<(String, String)>,
    pub start_min: TimestampNs,
    pub start_max: TimestampNs,
    pub duration_min: Option<Duration>,
    pub duration_max: Option<Duration>,
    /// At most this many traces, newest first. Zero means the store's own default.
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    pub name: String,
    pub kind_number: i32,
}

/// How often one service called another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceEdge {
    pub parent: String,
    pub child: String,
    pub calls: u64,
}

/// The trace store as others see it.
pub trait TraceStore: Send + Sync {
    /// Stores all spans or none. When this returns, they survive the death of the process.
    fn push(&self, spans: Vec<Span>) -> Result<(), StoreError>;

    /// All spans of a trace ordered by start; empty when it is unknown. The times, when given, narrow the search.
    fn trace(
        &self,
        id: TraceId,
        start_min: Option<TimestampNs>,
        start_max: Option<TimestampNs>,
    ) -> Result<Vec<Span>, StoreError>;

    /// Ids of the traces with a matching span, newest first (by the matching span's start, then id).
    fn find(&self, query: &TraceQuery) -> Result<Vec<TraceId>, StoreError>;

    /// Service names, sorted.
    fn services(&self) -> Result<Vec<String>, StoreError>;

    /// Operations of `service`, sorted by name then kind; of one kind when given.
    fn operations(&self, service: &str, kind: Option<SpanKind>) -> Result<Vec<Operation>, StoreError>;

    /// Calls between services by spans that start in `start_min..=start_max`, sorted.
    fn edges(&self, start_min: TimestampNs, start_max: TimestampNs) -> Result<Vec<ServiceEdge>, StoreError>;
}

/// The text a tag search compares with.
pub fn attribute_text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::String(s) => s.clone(),
        AttributeValue::Bool(b) => b.to_string(),
        AttributeValue::Int(n) => n.to_string(),
        AttributeValue::Double(v) => model::float::format_g(*v),
        AttributeValue::Bytes(b) => b.iter().map(|b| format!("{b:02x}")).collect(),
        AttributeValue::Empty => String::new(),
        AttributeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(attribute_text).collect();
            format!("[{}]", items.join(","))
        }
        AttributeValue::Map(pairs) => {
            let pairs: Vec<String> =
                pairs.iter().map(|(name, value)| format!("{name}:{}", attribute_text(value))).collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}
