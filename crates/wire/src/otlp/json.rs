//! JSON export requests: protobuf's JSON mapping, with hexadecimal ids as OTLP wants them. 64-bit integers
//! come as strings or numbers, enums as numbers or names, keys in camel case (or snake case, which parsers
//! must accept too).

use std::sync::Arc;

use model::span::{
    AttributeValue, Attributes, Resource, Scope, Span, SpanEvent, SpanId, SpanKind, SpanLink, TraceId,
};
use serde_json::Value;

use super::protobuf::status_code;
use super::{DEPTH_MAX, ExportTraces, OtlpError, finish, nanos, resource};

/// Reads an `ExportTraceServiceRequest`; also accepts stored `TracesData`, which looks the same.
pub fn decode_traces_json(bytes: &[u8]) -> Result<ExportTraces, OtlpError> {
    let request: Value =
        serde_json::from_slice(bytes).map_err(|e| OtlpError::new(format!("malformed JSON: {e}")))?;
    if !request.is_object() {
        return Err(OtlpError::new("the request is not a JSON object"));
    }
    let mut out = ExportTraces::default();
    for resource_spans in items(&request, "resourceSpans")? {
        let resource = resource(attributes(&resource_spans["resource"], 0)?);
        for scope_spans in items(resource_spans, "scopeSpans")? {
            let given = &scope_spans["scope"];
            let scope = Arc::new(Scope {
                name: text(given, "name")?,
                version: text(given, "version")?,
                attributes: attributes(given, 0)?,
            });
            for value in items(scope_spans, "spans")? {
                match span(value, &resource, &scope)? {
                    Some(span) => out.spans.push(span),
                    None => out.rejected += 1,
                }
            }
        }
    }
    Ok(out)
}

fn span(value: &Value, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Result<Option<Span>, OtlpError> {
    let status = get(value, "status");
    let span = Span {
        trace_id: trace_id(value)?,
        span_id: span_id(value, "spanId")?,
        parent_span_id: span_id(value, "parentSpanId")?,
        trace_state: text(value, "traceState")?,
        flags: integer(value, "flags")? as u32,
        name: text(value, "name")?,
        kind: kind(get(value, "kind"))?,
        start: nanos(integer(value, "startTimeUnixNano")?),
        duration_ns: 0,
        status: match get(status, "code") {
            Value::String(name) if name == "STATUS_CODE_OK" => status_code(1),
            Value::String(name) if name == "STATUS_CODE_ERROR" => status_code(2),
            Value::String(_) => status_code(0),
            _ => status_code(integer(status, "code")?),
        },
        status_message: text(status, "message")?,
        attributes: attributes(value, 0)?,
        events: items(value, "events")?.iter().map(event).collect::<Result<_, _>>()?,
        links: items(value, "links")?.iter().map(link).collect::<Result<_, _>>()?,
        resource: resource.clone(),
        scope: scope.clone(),
    };
    Ok(finish(span, integer(value, "endTimeUnixNano")?))
}

fn event(value: &Value) -> Result<SpanEvent, OtlpError> {
    Ok(SpanEvent {
        time: nanos(integer(value, "timeUnixNano")?),
        name: text(value, "name")?,
        attributes: attributes(value, 0)?,
    })
}

fn link(value: &Value) -> Result<SpanLink, OtlpError> {
    Ok(SpanLink {
        trace_id: trace_id(value)?,
        span_id: span_id(value, "spanId")?,
        trace_state: text(value, "traceState")?,
        attributes: attributes(value, 0)?,
    })
}

fn kind(value: &Value) -> Result<SpanKind, OtlpError> {
    Ok(match value {
        Value::String(name) => match name.strip_prefix("SPAN_KIND_").unwrap_or(name) {
            "INTERNAL" => SpanKind::Internal,
            "SERVER" => SpanKind::Server,
            "CLIENT" => SpanKind::Client,
            "PRODUCER" => SpanKind::Producer,
            "CONSUMER" => SpanKind::Consumer,
            _ => SpanKind::Unspecified,
        },
        Value::Number(n) => SpanKind::from_number(n.as_i64().unwrap_or(0) as i32),
        Value::Null => SpanKind::Unspecified,
        other => return Err(OtlpError::new(format!("kind: expected a number or a name, got {other}"))),
    })
}

fn trace_id(value: &Value) -> Result<TraceId, OtlpError> {
    let hex = text(value, "traceId")?;
    match hex.len() {
        32 => TraceId::from_hex(&hex)
            .ok_or_else(|| OtlpError::new(format!("traceId {hex:?} is not hexadecimal"))),
        _ => Ok(TraceId::default()),
    }
}

fn span_id(value: &Value, key: &str) -> Result<SpanId, OtlpError> {
    let hex = text(value, key)?;
    match hex.len() {
        16 => {
            SpanId::from_hex(&hex).ok_or_else(|| OtlpError::new(format!("{key} {hex:?} is not hexadecimal")))
        }
        _ => Ok(SpanId::default()),
    }
}

pub(super) fn attributes(value: &Value, depth: usize) -> Result<Attributes, OtlpError> {
    items(value, "attributes")?.iter().map(|pair| key_value(pair, depth)).collect()
}

pub(super) fn key_value(pair: &Value, depth: usize) -> Result<(String, AttributeValue), OtlpError> {
    Ok((text(pair, "key")?, any_value(get(pair, "value"), depth)?))
}

fn any_value(value: &Value, depth: usize) -> Result<AttributeValue, OtlpError> {
    if depth > DEPTH_MAX {
        return Err(OtlpError::new(format!("attribute values are nested deeper than {DEPTH_MAX}")));
    }
    let Value::Object(object) = value else { return Ok(AttributeValue::Empty) };
    let Some((key, inner)) = object.iter().next() else { return Ok(AttributeValue::Empty) };
    let wrong = || OtlpError::new(format!("{key}: unexpected {inner}"));
    Ok(match key.as_str() {
        "stringValue" | "string_value" => {
            AttributeValue::String(inner.as_str().ok_or_else(wrong)?.to_owned())
        }
        "boolValue" | "bool_value" => AttributeValue::Bool(inner.as_bool().ok_or_else(wrong)?),
        "intValue" | "int_value" => AttributeValue::Int(match inner {
            Value::String(text) => text.parse().map_err(|_| wrong())?,
            inner => inner.as_i64().ok_or_else(wrong)?,
        }),
        "doubleValue" | "double_value" => AttributeValue::Double(match inner {
            Value::String(text) => text.parse().map_err(|_| wrong())?,
            inner => inner.as_f64().ok_or_else(wrong)?,
        }),
        "bytesValue" | "bytes_value" => {
            AttributeValue::Bytes(base64(inner.as_str().ok_or_else(wrong)?).ok_or_else(wrong)?)
        }
        "arrayValue" | "array_value" => {
            let values = items(inner, "values")?.iter().map(|item| any_value(item, depth + 1));
            AttributeValue::Array(values.collect::<Result<_, _>>()?)
        }
        "kvlistValue" | "kvlist_value" => {
            let pairs = items(inner, "values")?.iter().map(|pair| key_value(pair, depth + 1));
            AttributeValue::Map(pairs.collect::<Result<_, _>>()?)
        }
        _ => AttributeValue::Empty,
    })
}

/// The value under a camel-case key or its snake-case form; null when absent.
pub(super) fn get<'v>(value: &'v Value, key: &str) -> &'v Value {
    match value.get(key) {
        Some(found) => found,
        None => value.get(snake(key)).unwrap_or(&Value::Null),
    }
}

fn snake(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 4);
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

pub(super) fn items<'v>(value: &'v Value, key: &str) -> Result<&'v [Value], OtlpError> {
    match get(value, key) {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        other => Err(OtlpError::new(format!("{key}: expected a list, got {other}"))),
    }
}

pub(super) fn text(value: &Value, key: &str) -> Result<String, OtlpError> {
    match get(value, key) {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        other => Err(OtlpError::new(format!("{key}: expected a string, got {other}"))),
    }
}

pub(super) fn integer(value: &Value, key: &str) -> Result<u64, OtlpError> {
    let found = get(value, key);
    let number = match found {
        Value::Null => Some(0),
        Value::String(text) => text.parse().ok(),
        found => found.as_u64(),
    };
    number.ok_or_else(|| OtlpError::new(format!("{key}: expected an unsigned integer, got {found}")))
}

/// Standard or URL-safe alphabet, padding optional.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut held) = (Vec::with_capacity(text.len() * 3 / 4), 0u32, 0u32);
    for c in text.trim_end_matches('=').bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}
