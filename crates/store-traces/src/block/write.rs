//! Rows to pages.

use std::collections::HashMap;
use std::sync::Arc;

use codec::{strings, u64s, write_uvarint};
use model::span::{Resource, Scope, Span, SpanLink, StatusCode};

use super::{BlockPages, PARENT_NONE, PARENT_SERVICE_KNOWN, PARENT_SERVICE_UNKNOWN, Row};
use crate::attributes;

/// Encodes `rows`, whose traces have the numbers `traces`.
pub(crate) fn encode(rows: &[Row], traces: &[u64]) -> BlockPages {
    assert_eq!(rows.len(), traces.len(), "one trace number a row");
    let mut pages = BlockPages::default();
    encode_core(rows, traces, &mut pages.core);
    encode_ids(rows, &mut pages.ids);
    encode_context(rows, &mut pages.context);
    attributes::encode(rows.iter().map(|row| &row.span.attributes), &mut pages.attributes);
    encode_events(rows, &mut pages.events);
    pages
}

fn numbers(rows: &[Row], column: impl Fn(&Span) -> u64, out: &mut Vec<u8>) {
    let values: Vec<u64> = rows.iter().map(|row| column(&row.span)).collect();
    u64s::encode(&values, out);
}

fn texts<'a>(rows: &'a [Row], column: impl Fn(&'a Span) -> &'a str, out: &mut Vec<u8>) {
    let values: Vec<&str> = rows.iter().map(|row| column(&row.span)).collect();
    strings::encode(&values, out);
}

fn encode_core(rows: &[Row], traces: &[u64], out: &mut Vec<u8>) {
    u64s::encode(traces, out);
    numbers(rows, |span| span.start as u64, out);
    numbers(rows, |span| span.duration_ns, out);
    numbers(rows, |span| span.kind.number() as u64, out);
    numbers(rows, |span| status_number(span.status), out);
    texts(rows, |span| &span.resource.service, out);
    texts(rows, |span| &span.name, out);
    let parents: Vec<u64> = rows
        .iter()
        .map(|row| match &row.parent_service {
            _ if row.span.parent_span_id.is_zero() => PARENT_NONE,
            Some(_) => PARENT_SERVICE_KNOWN,
            None => PARENT_SERVICE_UNKNOWN,
        })
        .collect();
    u64s::encode(&parents, out);
    let services: Vec<&str> =
        rows.iter().map(|row| row.parent_service.as_deref().unwrap_or_default()).collect();
    strings::encode(&services, out);
}

fn encode_ids(rows: &[Row], out: &mut Vec<u8>) {
    numbers(rows, |span| u64::from_be_bytes(span.span_id.0), out);
    numbers(rows, |span| u64::from_be_bytes(span.parent_span_id.0), out);
    numbers(rows, |span| u64::from(span.flags), out);
    texts(rows, |span| &span.trace_state, out);
    texts(rows, |span| &span.status_message, out);
}

/// Distinct values in order of first use. Spans of one request share theirs, so identity is asked first.
struct Distinct<'a, T> {
    by_identity: HashMap<*const T, u64>,
    values: Vec<&'a T>,
}

impl<'a, T: PartialEq> Distinct<'a, T> {
    /// How many of the latest values are compared when identity does not tell.
    const COMPARED_MAX: usize = 64;

    fn new() -> Distinct<'a, T> {
        Distinct { by_identity: HashMap::new(), values: Vec::new() }
    }

    fn code(&mut self, value: &'a Arc<T>) -> u64 {
        if let Some(code) = self.by_identity.get(&Arc::as_ptr(value)) {
            return *code;
        }
        let recent = self.values.iter().enumerate().rev().take(Self::COMPARED_MAX);
        let known = recent.filter(|(_, known)| **known == value.as_ref()).map(|(code, _)| code as u64).next();
        let code = known.unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() as u64 - 1
        });
        self.by_identity.insert(Arc::as_ptr(value), code);
        code
    }
}

fn encode_context(rows: &[Row], out: &mut Vec<u8>) {
    let (mut resources, mut scopes) = (Distinct::<Resource>::new(), Distinct::<Scope>::new());
    let resource_codes: Vec<u64> = rows.iter().map(|row| resources.code(&row.span.resource)).collect();
    let scope_codes: Vec<u64> = rows.iter().map(|row| scopes.code(&row.span.scope)).collect();
    u64s::encode(&resource_codes, out);
    u64s::encode(&scope_codes, out);
    let services: Vec<&str> = resources.values.iter().map(|resource| resource.service.as_str()).collect();
    strings::encode(&services, out);
    attributes::encode(resources.values.iter().map(|resource| &resource.attributes), out);
    let names: Vec<&str> = scopes.values.iter().map(|scope| scope.name.as_str()).collect();
    strings::encode(&names, out);
    let versions: Vec<&str> = scopes.values.iter().map(|scope| scope.version.as_str()).collect();
    strings::encode(&versions, out);
    attributes::encode(scopes.values.iter().map(|scope| &scope.attributes), out);
}

fn encode_events(rows: &[Row], out: &mut Vec<u8>) {
    numbers(rows, |span| span.events.len() as u64, out);
    let mut times = Vec::new();
    let mut names = Vec::new();
    let mut events = Vec::new();
    for row in rows {
        for event in &row.span.events {
            times.push(event.time.wrapping_sub(row.span.start) as u64);
            names.push(event.name.as_str());
            events.push(&event.attributes);
        }
    }
    u64s::encode(&times, out);
    strings::encode(&names, out);
    attributes::encode(events.into_iter(), out);

    numbers(rows, |span| span.links.len() as u64, out);
    let links: Vec<&SpanLink> = rows.iter().flat_map(|row| &row.span.links).collect();
    write_uvarint(out, links.len() as u64);
    for link in &links {
        out.extend_from_slice(&link.trace_id.0);
        out.extend_from_slice(&link.span_id.0);
    }
    let states: Vec<&str> = links.iter().map(|link| link.trace_state.as_str()).collect();
    strings::encode(&states, out);
    attributes::encode(links.iter().map(|link| &link.attributes), out);
}

fn status_number(status: StatusCode) -> u64 {
    match status {
        StatusCode::Unset => 0,
        StatusCode::Ok => 1,
        StatusCode::Error => 2,
    }
}
