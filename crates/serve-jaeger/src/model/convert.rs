//! Stored spans to Jaeger's model.

use std::collections::BTreeMap;

use base64::Engine as _;
use model::span::{AttributeValue, Resource, Span as Stored, SpanLink, StatusCode, TraceId};
use serde_json::{Map, Value, json};

use super::{KeyValue, Log, Process, Reference, Span, Trace};

/// The largest integer a JSON number carries exactly; beyond it Jaeger sends a string.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// One trace from its spans, which must not be empty.
pub fn trace(id: TraceId, spans: &[Stored]) -> Trace {
    let mut processes: Vec<&Resource> = Vec::new();
    let mut out = Vec::with_capacity(spans.len());
    for span in spans {
        let at = match processes.iter().position(|p| **p == *span.resource) {
            Some(at) => at,
            None => {
                processes.push(&span.resource);
                processes.len() - 1
            }
        };
        out.push(convert(span, format!("p{}", at + 1)));
    }
    let named = processes.iter().enumerate().map(|(i, resource)| (format!("p{}", i + 1), process(resource)));
    Trace { trace_id: trace_id(id), spans: out, processes: named.collect::<BTreeMap<_, _>>(), warnings: None }
}

/// 16 digits when the high half is zero, else 32.
pub fn trace_id(id: TraceId) -> String {
    let text = id.to_string();
    match text.strip_prefix("0000000000000000") {
        Some(short) => short.to_owned(),
        None => text,
    }
}

fn process(resource: &Resource) -> Process {
    let tags = resource.attributes.iter().map(|(key, value)| key_value(key, value)).collect();
    Process { service_name: resource.service.clone(), tags }
}

fn convert(span: &Stored, process_id: String) -> Span {
    let mut references = Vec::new();
    if !span.parent_span_id.is_zero() {
        references.push(Reference {
            ref_type: "CHILD_OF",
            trace_id: trace_id(span.trace_id),
            span_id: span.parent_span_id.to_string(),
        });
    }
    references.extend(span.links.iter().map(reference));
    Span {
        trace_id: trace_id(span.trace_id),
        span_id: span.span_id.to_string(),
        flags: span.flags & 0xff,
        operation_name: span.name.clone(),
        references,
        start_time: span.start.div_euclid(1000),
        duration: span.duration_ns / 1000,
        tags: tags(span),
        logs: span.events.iter().map(log).collect(),
        process_id,
        warnings: None,
    }
}

fn reference(link: &SpanLink) -> Reference {
    let child = link.attributes.iter().any(|(key, value)| {
        key == "opentracing.ref_type" && *value == AttributeValue::String("child_of".into())
    });
    Reference {
        ref_type: if child { "CHILD_OF" } else { "FOLLOWS_FROM" },
        trace_id: trace_id(link.trace_id),
        span_id: link.span_id.to_string(),
    }
}

/// Scope first, then the span's own attributes, then what OpenTelemetry keeps outside of them.
fn tags(span: &Stored) -> Vec<KeyValue> {
    let mut tags = Vec::with_capacity(span.attributes.len() + 4);
    let mut text = |key: &str, value: &str| {
        if !value.is_empty() {
            tags.push(KeyValue { key: key.to_owned(), kind: "string", value: value.into() });
        }
    };
    text("otel.scope.name", &span.scope.name);
    text("otel.scope.version", &span.scope.version);
    tags.extend(span.attributes.iter().map(|(key, value)| key_value(key, value)));
    let mut text = |key: &str, value: &str| {
        if !value.is_empty() {
            tags.push(KeyValue { key: key.to_owned(), kind: "string", value: value.into() });
        }
    };
    text("span.kind", span.kind.as_str());
    match span.status {
        StatusCode::Unset => {}
        StatusCode::Ok => text("otel.status_code", "OK"),
        StatusCode::Error => text("otel.status_code", "ERROR"),
    }
    text("otel.status_description", &span.status_message);
    text("w3c.tracestate", &span.trace_state);
    if span.status == StatusCode::Error && !tags.iter().any(|tag| tag.key == "error") {
        tags.push(KeyValue { key: "error".into(), kind: "bool", value: true.into() });
    }
    tags
}

fn log(event: &model::span::SpanEvent) -> Log {
    let mut fields = Vec::with_capacity(event.attributes.len() + 1);
    if !event.name.is_empty() {
        fields.push(KeyValue { key: "event".into(), kind: "string", value: event.name.clone().into() });
    }
    fields.extend(event.attributes.iter().map(|(key, value)| key_value(key, value)));
    Log { timestamp: event.time.div_euclid(1000), fields }
}

fn key_value(key: &str, value: &AttributeValue) -> KeyValue {
    let (kind, value) = match value {
        AttributeValue::String(s) => ("string", json!(s)),
        AttributeValue::Bool(b) => ("bool", json!(b)),
        AttributeValue::Int(n) if n.unsigned_abs() > SAFE_INTEGER => ("int64", json!(n.to_string())),
        AttributeValue::Int(n) => ("int64", json!(n)),
        AttributeValue::Double(v) => ("float64", json!(v)),
        AttributeValue::Bytes(bytes) => {
            ("binary", json!(base64::engine::general_purpose::STANDARD.encode(bytes)))
        }
        AttributeValue::Empty => ("string", json!("")),
        nested => ("string", json!(plain(nested).to_string())),
    };
    KeyValue { key: key.to_owned(), kind, value }
}

/// Arrays and maps as plain JSON.
fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::String(s) => json!(s),
        AttributeValue::Bool(b) => json!(b),
        AttributeValue::Int(n) => json!(n),
        AttributeValue::Double(v) => json!(v),
        AttributeValue::Bytes(bytes) => json!(base64::engine::general_purpose::STANDARD.encode(bytes)),
        AttributeValue::Empty => Value::Null,
        AttributeValue::Array(items) => items.iter().map(plain).collect(),
        AttributeValue::Map(pairs) => {
            let map: Map<String, Value> = pairs.iter().map(|(k, v)| (k.clone(), plain(v))).collect();
            Value::Object(map)
        }
    }
}
