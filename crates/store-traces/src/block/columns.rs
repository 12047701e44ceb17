//! Pages to columns.

use std::sync::Arc;

use codec::{CodecError, Cursor, StringColumn, strings, u64s};
use model::TimestampNs;
use model::span::{Resource, Scope, SpanId, SpanKind, StatusCode, TraceId};

use super::PARENT_SERVICE_KNOWN;
use crate::attributes::AttributeTable;

pub(super) const RAGGED: CodecError = CodecError("block: columns differ in length");

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
    pub flags: Vec<u64>,
    pub trace_states: StringColumn,
    pub status_messages: StringColumn,
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

    pub fn all_resources(&self) -> Result<Vec<Arc<Resource>>, CodecError> {
        let attributes = self.resources.read(|_| true)?.into_iter();
        let named = self.services.iter().zip(attributes);
        Ok(named
            .map(|(service, attributes)| Arc::new(Resource { service: service.to_string(), attributes }))
            .collect())
    }

    pub fn all_scopes(&self) -> Result<Vec<Arc<Scope>>, CodecError> {
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
    pub event_counts: Vec<u64>,
    pub times: Vec<u64>,
    pub names: StringColumn,
    pub events: AttributeTable<'a>,
    pub link_counts: Vec<u64>,
    pub link_ids: Vec<(TraceId, SpanId)>,
    pub link_states: StringColumn,
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

fn status_from_number(number: u64) -> StatusCode {
    match number {
        1 => StatusCode::Ok,
        2 => StatusCode::Error,
        _ => StatusCode::Unset,
    }
}
