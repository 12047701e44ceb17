//! Protobuf export requests. Field numbers are those of the `.proto` files.

use std::sync::Arc;

use model::span::{
    AttributeValue, Attributes, Resource, Scope, Span, SpanEvent, SpanId, SpanKind, SpanLink, StatusCode,
    TraceId,
};

use super::reader::Reader;
use super::{DEPTH_MAX, ExportTraces, OtlpError, finish, nanos, resource};

/// Reads an `ExportTraceServiceRequest`.
pub fn decode_traces(bytes: &[u8]) -> Result<ExportTraces, OtlpError> {
    let mut out = ExportTraces::default();
    let mut request = Reader::new(bytes);
    while let Some(field) = request.next()? {
        if field.number == 1 {
            resource_spans(field.value.bytes(), &mut out)?;
        }
    }
    Ok(out)
}

fn resource_spans(bytes: &[u8], out: &mut ExportTraces) -> Result<(), OtlpError> {
    // The resource may come after its spans, so it is looked for first.
    let mut attributes = Vec::new();
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        if field.number == 1 {
            let mut resource = Reader::new(field.value.bytes());
            while let Some(field) = resource.next()? {
                if field.number == 1 {
                    attributes.push(key_value(field.value.bytes(), 0)?);
                }
            }
        }
    }
    let resource = resource(attributes);
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        if field.number == 2 {
            scope_spans(field.value.bytes(), &resource, out)?;
        }
    }
    Ok(())
}

fn scope_spans(bytes: &[u8], resource: &Arc<Resource>, out: &mut ExportTraces) -> Result<(), OtlpError> {
    let mut scope = Scope::default();
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        if field.number == 1 {
            let mut inner = Reader::new(field.value.bytes());
            while let Some(field) = inner.next()? {
                match field.number {
                    1 => scope.name = field.value.text(),
                    2 => scope.version = field.value.text(),
                    3 => scope.attributes.push(key_value(field.value.bytes(), 0)?),
                    _ => {}
                }
            }
        }
    }
    let scope = Arc::new(scope);
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        if field.number == 2 {
            match span(field.value.bytes(), resource, &scope)? {
                Some(span) => out.spans.push(span),
                None => out.rejected += 1,
            }
        }
    }
    Ok(())
}

fn span(bytes: &[u8], resource: &Arc<Resource>, scope: &Arc<Scope>) -> Result<Option<Span>, OtlpError> {
    let mut span = Span { resource: resource.clone(), scope: scope.clone(), ..Span::default() };
    let mut end = 0;
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        let value = field.value;
        match field.number {
            1 => span.trace_id = trace_id(value.bytes()),
            2 => span.span_id = span_id(value.bytes()),
            3 => span.trace_state = value.text(),
            4 => span.parent_span_id = span_id(value.bytes()),
            5 => span.name = value.text(),
            6 => span.kind = SpanKind::from_number(value.number() as i32),
            7 => span.start = nanos(value.number()),
            8 => end = value.number(),
            9 => span.attributes.push(key_value(value.bytes(), 0)?),
            11 => span.events.push(event(value.bytes())?),
            13 => span.links.push(link(value.bytes())?),
            15 => {
                let mut status = Reader::new(value.bytes());
                while let Some(field) = status.next()? {
                    match field.number {
                        2 => span.status_message = field.value.text(),
                        3 => span.status = status_code(field.value.number()),
                        _ => {}
                    }
                }
            }
            16 => span.flags = value.number() as u32,
            _ => {}
        }
    }
    Ok(finish(span, end))
}

pub(super) fn status_code(number: u64) -> StatusCode {
    match number {
        1 => StatusCode::Ok,
        2 => StatusCode::Error,
        _ => StatusCode::Unset,
    }
}

fn event(bytes: &[u8]) -> Result<SpanEvent, OtlpError> {
    let mut event = SpanEvent::default();
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => event.time = nanos(field.value.number()),
            2 => event.name = field.value.text(),
            3 => event.attributes.push(key_value(field.value.bytes(), 0)?),
            _ => {}
        }
    }
    Ok(event)
}

fn link(bytes: &[u8]) -> Result<SpanLink, OtlpError> {
    let mut link = SpanLink::default();
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => link.trace_id = trace_id(field.value.bytes()),
            2 => link.span_id = span_id(field.value.bytes()),
            3 => link.trace_state = field.value.text(),
            4 => link.attributes.push(key_value(field.value.bytes(), 0)?),
            _ => {}
        }
    }
    Ok(link)
}

/// Ids of another length count as absent.
fn trace_id(bytes: &[u8]) -> TraceId {
    TraceId(bytes.try_into().unwrap_or_default())
}

fn span_id(bytes: &[u8]) -> SpanId {
    SpanId(bytes.try_into().unwrap_or_default())
}

pub(super) fn key_value(bytes: &[u8], depth: usize) -> Result<(String, AttributeValue), OtlpError> {
    let (mut key, mut value) = (String::new(), AttributeValue::Empty);
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => key = field.value.text(),
            2 => value = any_value(field.value.bytes(), depth)?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn any_value(bytes: &[u8], depth: usize) -> Result<AttributeValue, OtlpError> {
    if depth > DEPTH_MAX {
        return Err(OtlpError::new(format!("attribute values are nested deeper than {DEPTH_MAX}")));
    }
    let mut value = AttributeValue::Empty;
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        value = match field.number {
            1 => AttributeValue::String(field.value.text()),
            2 => AttributeValue::Bool(field.value.number() != 0),
            3 => AttributeValue::Int(field.value.number() as i64),
            4 => AttributeValue::Double(f64::from_bits(field.value.number())),
            5 => AttributeValue::Array(array(field.value.bytes(), depth)?),
            6 => AttributeValue::Map(map(field.value.bytes(), depth)?),
            7 => AttributeValue::Bytes(field.value.bytes().to_vec()),
            _ => continue,
        };
    }
    Ok(value)
}

fn array(bytes: &[u8], depth: usize) -> Result<Vec<AttributeValue>, OtlpError> {
    let mut items = Vec::new();
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        if field.number == 1 {
            items.push(any_value(field.value.bytes(), depth + 1)?);
        }
    }
    Ok(items)
}

fn map(bytes: &[u8], depth: usize) -> Result<Attributes, OtlpError> {
    let mut pairs = Vec::new();
    let mut fields = Reader::new(bytes);
    while let Some(field) = fields.next()? {
        if field.number == 1 {
            pairs.push(key_value(field.value.bytes(), depth + 1)?);
        }
    }
    Ok(pairs)
}
