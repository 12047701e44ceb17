//! Columns to spans.

use std::collections::HashMap;
use std::sync::Arc;

use codec::{CodecError, Cursor};
use model::span::{Span, SpanEvent, SpanLink, TraceId};

use super::Row;
use super::columns::{Context, Core, Events, Ids, RAGGED};
use crate::attributes::AttributeTable;

/// Puts the spans of the `wanted` rows together again. `trace` names a row's trace.
pub(crate) fn read_rows(
    pages: &BlockBytes<'_>,
    core: &Core,
    wanted: &[bool],
    trace: impl Fn(usize) -> TraceId,
) -> Result<Vec<Row>, CodecError> {
    let rows = core.rows();
    let is_wanted = |row: usize| wanted.get(row).copied().unwrap_or(false);
    let ids = Ids::decode(pages.ids, rows)?;
    let context = Context::decode(pages.context, rows)?;
    let (resources, scopes) = (context.all_resources()?, context.all_scopes()?);
    let table = AttributeTable::decode(&mut Cursor::new(pages.attributes))?;
    if table.rows() != rows {
        return Err(RAGGED);
    }
    let mut attributes = table.read(is_wanted)?.into_iter();
    let events = Events::decode(pages.events, rows)?;
    let (event_rows, link_rows) = (events.event_rows(), events.link_rows());
    let mut event_attributes = events.events.read(|event| is_wanted(event_rows[event]))?.into_iter();
    let mut link_attributes = events.links.read(|link| is_wanted(link_rows[link]))?.into_iter();

    let (mut next_event, mut next_link) = (0, 0);
    let mut found = Vec::new();
    let mut parent_services: HashMap<&str, Arc<str>> = HashMap::new();
    for row in 0..rows {
        let (event_count, link_count) = (events.event_counts[row] as usize, events.link_counts[row] as usize);
        let (event_range, link_range) =
            (next_event..next_event + event_count, next_link..next_link + link_count);
        (next_event, next_link) = (event_range.end, link_range.end);
        if !is_wanted(row) {
            continue;
        }
        let start = core.start(row);
        let span_events = event_range.map(|event| SpanEvent {
            time: start.wrapping_add(events.times[event] as i64),
            name: events.names.get(event).unwrap_or_default().to_string(),
            attributes: event_attributes.next().unwrap_or_default(),
        });
        let span_links = link_range.map(|link| SpanLink {
            trace_id: events.link_ids[link].0,
            span_id: events.link_ids[link].1,
            trace_state: events.link_states.get(link).unwrap_or_default().to_string(),
            attributes: link_attributes.next().unwrap_or_default(),
        });
        let span = Span {
            trace_id: trace(row),
            span_id: ids.span_id(row),
            parent_span_id: ids.parent_id(row),
            trace_state: ids.trace_states.get(row).unwrap_or_default().to_string(),
            flags: ids.flags[row] as u32,
            name: core.name(row).to_string(),
            kind: core.kind(row),
            start,
            duration_ns: core.durations[row],
            status: core.status(row),
            status_message: ids.status_messages.get(row).unwrap_or_default().to_string(),
            attributes: attributes.next().unwrap_or_default(),
            events: span_events.collect(),
            links: span_links.collect(),
            resource: resources[context.resource_codes[row] as usize].clone(),
            scope: scopes[context.scope_codes[row] as usize].clone(),
        };
        let parent_service = core
            .parent_service(row)
            .map(|service| parent_services.entry(service).or_insert_with(|| Arc::from(service)).clone());
        found.push(Row { span: Arc::new(span), parent_service });
    }
    Ok(found)
}

/// The pages of a block as read.
pub(crate) struct BlockBytes<'a> {
    pub ids: &'a [u8],
    pub context: &'a [u8],
    pub attributes: &'a [u8],
    pub events: &'a [u8],
}
