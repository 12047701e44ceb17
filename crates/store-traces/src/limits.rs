//! What a span may be at most. Refused spans name the limit they broke.

use model::span::Span;
use storage::{ErrorKind, StoreError};

use crate::head::{attribute_count, span_bytes, value_depth};

/// The largest span, as estimated in memory: a block page must hold at least one.
pub const SPAN_BYTES_MAX: usize = 16 << 20;

/// Attributes of one span with those of its events and links.
pub const SPAN_ATTRIBUTES_MAX: usize = 1 << 16;

/// Events and links of one span.
pub const SPAN_EVENTS_MAX: usize = 1 << 16;

/// Attribute values in attribute values.
pub const ATTRIBUTE_DEPTH_MAX: usize = 64;

pub(crate) fn check_span(span: &Span) -> Result<(), StoreError> {
    if span.trace_id.is_zero() {
        return Err(StoreError::new(ErrorKind::Invalid, "span without a trace id"));
    }
    let limit = |name: &str, limit: usize, got: usize| {
        let message = format!("span {}: {got} exceeds the limit {name}={limit}", span.span_id);
        Err(StoreError::new(ErrorKind::LimitExceeded, message))
    };
    let (bytes, attributes) = (span_bytes(span), attribute_count(span));
    let events = span.events.len().max(span.links.len());
    if bytes > SPAN_BYTES_MAX {
        return limit("span_bytes_max", SPAN_BYTES_MAX, bytes);
    }
    if attributes > SPAN_ATTRIBUTES_MAX {
        return limit("span_attributes_max", SPAN_ATTRIBUTES_MAX, attributes);
    }
    if events > SPAN_EVENTS_MAX {
        return limit("span_events_max", SPAN_EVENTS_MAX, events);
    }
    let own = span.attributes.iter();
    let events = span.events.iter().flat_map(|event| &event.attributes);
    let links = span.links.iter().flat_map(|link| &link.attributes);
    let context = span.resource.attributes.iter().chain(&span.scope.attributes);
    let depth = own.chain(events).chain(links).chain(context).map(|(_, value)| value_depth(value)).max();
    match depth {
        Some(depth) if depth > ATTRIBUTE_DEPTH_MAX => {
            limit("attribute_depth_max", ATTRIBUTE_DEPTH_MAX, depth)
        }
        _ => Ok(()),
    }
}
