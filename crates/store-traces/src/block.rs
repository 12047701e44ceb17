//! A block: some thousand spans as columns, in five pages that are read one by one as needed.
//!
//! | page | columns | needed for |
//! |---|---|---|
//! | core | trace, start, duration, kind, status, service, name, parent's service | every search |
//! | ids | span id, parent id, flags, trace state, status message | traces, edges |
//! | context | resources and scopes, once each, and every row's codes | tags, traces |
//! | attributes | span attributes | tags, traces |
//! | events | events and links | tags, traces |
//!
//! The trace column holds numbers; what they stand for is the owner's business: in a part the n-th id of
//! its trace index, in a log record the n-th id of the record.

use std::collections::HashMap;
use std::sync::Arc;

use codec::{CodecError, Cursor, StringColumn, strings, u64s, write_uvarint};
use model::TimestampNs;
use model::span::{Resource, Scope, Span, SpanEvent, SpanId, SpanKind, SpanLink, StatusCode, TraceId};

use crate::attributes::{self, AttributeTable};
use crate::head::{attribute_count, span_bytes};

/// Enough rows for columns to pay, few enough that one trace's spans are read quickly: they are scattered
/// over as many blocks as the trace has operations.
pub(crate) const BLOCK_SPANS_MAX: usize = 1024;

/// A block of large spans ends early: its pages stay far below the kernel's page limit.
const BLOCK_BYTES_MAX: usize = 16 << 20;

/// Columns stay below the codec's limit of values.
const BLOCK_ATTRIBUTES_MAX: usize = 1 << 20;

/// A span and, if it has a parent whose service is known, that service.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub span: Arc<Span>,
    pub parent_service: Option<Arc<str>>,
}

/// Decides where a block ends.
#[derive(Default)]
pub(crate) struct BlockBudget {
    spans: usize,
    bytes: usize,
    attributes: usize,
}

impl BlockBudget {
    /// Whether `span` still belongs to the block; counts it if so. The first one always does.
    pub fn admit(&mut self, span: &Span) -> bool {
        let next = BlockBudget {
            spans: self.spans + 1,
            bytes: self.bytes + span_bytes(span),
            attributes: self.attributes + attribute_count(span) + span.events.len() + span.links.len(),
        };
        let fits = next.spans <= BLOCK_SPANS_MAX
            && next.bytes <= BLOCK_BYTES_MAX
            && next.attributes <= BLOCK_ATTRIBUTES_MAX;
        if self.spans > 0 && !fits {
            return false;
        }
        *self = next;
        true
    }
}

/// The pages of one block.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct BlockPages {
    pub core: Vec<u8>,
    pub ids: Vec<u8>,
    pub context: Vec<u8>,
    pub attributes: Vec<u8>,
    pub events: Vec<u8>,
}

/// What is known of a row's parent.
const PARENT_NONE: u64 = 0;
const PARENT_SERVICE_KNOWN: u64 = 1;
const PARENT_SERVICE_UNKNOWN: u64 = 2;

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

fn status_from_number(number: u64) -> StatusCode {
    match number {
        1 => StatusCode::Ok,
        2 => StatusCode::Error,
        _ => StatusCode::Unset,
    }
}

const RAGGED: CodecError = CodecError("block: columns differ in length");

/// Numbers, all `rows` of them.
fn u64_column(cursor: &mut Cursor<'_>, rows: usize) -> Result<Vec<u64>, CodecError> {
    let mut column = Vec::new();
    u64s::decode(cursor, &mut column)?;
    if column.len() == rows { Ok(column) } else { Err(RAGGED) }
}

fn text_column(cursor: &mut Cursor<'_>, rows: usize) -> Result<StringColumn, CodecError> {
    let column = strings::decode(cursor)?;
    if column.len() == rows { Ok(column) } else { Err(RAGGED) }
}

/// The decoded core page.
pub(crate) struct Core {
    pub traces: Vec<u64>,
    starts: Vec<u64>,
    pub durations: Vec<u64>,
    kinds: Vec<u64>,
    statuses: Vec<u64>,
    pub services: StringColumn,
    pub names: StringColumn,
    parents: Vec<u64>,
    parent_services: StringColumn,
}

impl Core {
    pub fn decode(bytes: &[u8]) -> Result<Core, CodecError> {
        let mut cursor = Cursor::new(bytes);
        let mut traces = Vec::new();
        u64s::decode(&mut cursor, &mut traces)?;
        let rows = traces.len();
        Ok(Core {
            traces,
            starts: u64_column(&mut cursor, rows)?,
            durations: u64_column(&mut cursor, rows)?,
            kinds: u64_column(&mut cursor, rows)?,
            statuses: u64_column(&mut cursor, rows)?,
            services: text_column(&mut cursor, rows)?,
            names: text_column(&mut cursor, rows)?,
            parents: u64_column(&mut cursor, rows)?,
            parent_services: text_column(&mut cursor, rows)?,
        })
    }

    pub fn rows(&self) -> usize {
        self.traces.len()
    }

    pub fn start(&self, row: usize) -> TimestampNs {
        self.starts[row] as TimestampNs
    }

    pub fn kind(&self, row: usize) -> SpanKind {
        SpanKind::from_number(i32::try_from(self.kinds[row]).unwrap_or(0))
    }

    pub fn status(&self, row: usize) -> StatusCode {
        status_from_number(self.statuses[row])
    }

    pub fn service(&self, row: usize) -> &str {
        self.services.get(row).unwrap_or_default()
    }

    pub fn name(&self, row: usize) -> &str {
        self.names.get(row).unwrap_or_default()
    }

    pub fn parent_service(&self, row: usize) -> Option<&str> {
        if self.parents[row] == PARENT_SERVICE_KNOWN { self.parent_services.get(row) } else { None }
    }
}

/// The decoded ids page.
pub(crate) struct Ids {
    span_ids: Vec<u64>,
    parent_ids: Vec<u64>,
    flags: Vec<u64>,
    trace_states: StringColumn,
    status_messages: StringColumn,
}

impl Ids {
    pub fn decode(bytes: &[u8], rows: usize) -> Result<Ids, CodecError> {
        let mut cursor = Cursor::new(bytes);
        Ok(Ids {
            span_ids: u64_column(&mut cursor, rows)?,
            parent_ids: u64_column(&mut cursor, rows)?,
            flags: u64_column(&mut cursor, rows)?,
            trace_states: text_column(&mut cursor, rows)?,
            status_messages: text_column(&mut cursor, rows)?,
        })
    }

    pub fn span_id(&self, row: usize) -> SpanId {
        SpanId(self.span_ids[row].to_be_bytes())
    }

    pub fn parent_id(&self, row: usize) -> SpanId {
        SpanId(self.parent_ids[row].to_be_bytes())
    }
}

/// The decoded context page.
pub(crate) struct Context<'a> {
    pub resource_codes: Vec<u64>,
    pub scope_codes: Vec<u64>,
    services: StringColumn,
    pub resources: AttributeTable<'a>,
    pub scope_names: StringColumn,
    pub scope_versions: StringColumn,
    pub scopes: AttributeTable<'a>,
}

impl<'a> Context<'a> {
    pub fn decode(bytes: &'a [u8], rows: usize) -> Result<Context<'a>, CodecError> {
        let mut cursor = Cursor::new(bytes);
        let resource_codes = u64_column(&mut cursor, rows)?;
        let scope_codes = u64_column(&mut cursor, rows)?;
        let services = strings::decode(&mut cursor)?;
        let resources = AttributeTable::decode(&mut cursor)?;
        let scope_names = strings::decode(&mut cursor)?;
        let scope_versions = text_column(&mut cursor, scope_names.len())?;
        let scopes = AttributeTable::decode(&mut cursor)?;
        let inside = |codes: &[u64], len: usize| codes.iter().all(|code| *code < len as u64);
        if resources.rows() != services.len()
            || scopes.rows() != scope_names.len()
            || !inside(&resource_codes, services.len())
            || !inside(&scope_codes, scope_names.len())
        {
            return Err(RAGGED);
        }
        Ok(Context { resource_codes, scope_codes, services, resources, scope_names, scope_versions, scopes })
    }

    fn all_resources(&self) -> Result<Vec<Arc<Resource>>, CodecError> {
        let attributes = self.resources.read(|_| true)?.into_iter();
        let named = self.services.iter().zip(attributes);
        Ok(named
            .map(|(service, attributes)| Arc::new(Resource { service: service.to_string(), attributes }))
            .collect())
    }

    fn all_scopes(&self) -> Result<Vec<Arc<Scope>>, CodecError> {
        let attributes = self.scopes.read(|_| true)?;
        let named = self.scope_names.iter().zip(self.scope_versions.iter()).zip(attributes);
        Ok(named
            .map(|((name, version), attributes)| {
                Arc::new(Scope { name: name.to_string(), version: version.to_string(), attributes })
            })
            .collect())
    }
}

/// The decoded events page.
pub(crate) struct Events<'a> {
    event_counts: Vec<u64>,
    times: Vec<u64>,
    names: StringColumn,
    pub events: AttributeTable<'a>,
    link_counts: Vec<u64>,
    link_ids: Vec<(TraceId, SpanId)>,
    link_states: StringColumn,
    pub links: AttributeTable<'a>,
}

impl<'a> Events<'a> {
    pub fn decode(bytes: &'a [u8], rows: usize) -> Result<Events<'a>, CodecError> {
        let mut cursor = Cursor::new(bytes);
        let event_counts = u64_column(&mut cursor, rows)?;
        let mut times = Vec::new();
        u64s::decode(&mut cursor, &mut times)?;
        let names = text_column(&mut cursor, times.len())?;
        let events = AttributeTable::decode(&mut cursor)?;
        let link_counts = u64_column(&mut cursor, rows)?;
        let links_len = cursor.count(24)?;
        let mut link_ids = Vec::with_capacity(links_len);
        for _ in 0..links_len {
            link_ids.push((TraceId(cursor.array()?), SpanId(cursor.array()?)));
        }
        let link_states = text_column(&mut cursor, links_len)?;
        let links = AttributeTable::decode(&mut cursor)?;
        let sums_to = |counts: &[u64], len: usize| {
            counts.iter().try_fold(0u64, |sum, count| sum.checked_add(*count)) == Some(len as u64)
        };
        if events.rows() != times.len()
            || links.rows() != links_len
            || !sums_to(&event_counts, times.len())
            || !sums_to(&link_counts, links_len)
        {
            return Err(RAGGED);
        }
        Ok(Events { event_counts, times, names, events, link_counts, link_ids, link_states, links })
    }

    /// The span row of every event.
    pub fn event_rows(&self) -> Vec<usize> {
        owners(&self.event_counts)
    }

    /// The span row of every link.
    pub fn link_rows(&self) -> Vec<usize> {
        owners(&self.link_counts)
    }
}

/// `[2, 0, 1]` to `[0, 0, 2]`. Bounded by what the counts were checked against.
fn owners(counts: &[u64]) -> Vec<usize> {
    let repeat = |(row, count): (usize, &u64)| std::iter::repeat_n(row, *count as usize);
    counts.iter().enumerate().flat_map(repeat).collect()
}

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
