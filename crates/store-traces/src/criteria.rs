//! What a span must be like: a query made ready to be asked of memory spans and of blocks.
//!
//! Every criterion must hold for one and the same span. A tag may sit in any of the span's own, its
//! scope's, its resource's, its events' or its links' attributes and is compared as text. Some keys mean
//! fields of the span instead, as in Jaeger's own store: `error`, `span.status`, `span.kind`,
//! `scope.name`, `scope.version` and `resource.<key>`.

use std::collections::HashMap;

use codec::{CodecError, Cursor};
use model::TimestampNs;
use model::span::{Attributes, Span, SpanKind, StatusCode, TraceId};
use storage::traces::{TraceQuery, attribute_text};

use crate::attributes::AttributeTable;
use crate::block::{Context, Core, Events};

pub(crate) struct Criteria {
    pub service: Option<String>,
    pub operation: Option<String>,
    pub start_min: TimestampNs,
    pub start_max: TimestampNs,
    pub duration_min: u64,
    pub duration_max: u64,
    tags: Vec<Tag>,
}

enum Tag {
    /// `error=true`: status Error, or an attribute that says so (Zipkin's and OpenTracing's way).
    Error(bool),
    Status(StatusCode),
    Kind(SpanKind),
    ScopeName(String),
    ScopeVersion(String),
    Resource(String, String),
    Anywhere(String, String),
    /// A value that no span can have.
    Never,
}

impl Tag {
    fn parse(key: &str, value: &str) -> Tag {
        match key {
            "error" => match value {
                // What Go's ParseBool takes, since Jaeger asks it.
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Tag::Error(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Tag::Error(false),
                _ => Tag::Never,
            },
            "span.status" => Tag::Status(match value.to_ascii_uppercase().as_str() {
                "OK" => StatusCode::Ok,
                "ERROR" => StatusCode::Error,
                _ => StatusCode::Unset,
            }),
            "span.kind" => Tag::Kind(match value.to_ascii_uppercase().as_str() {
                "CLIENT" => SpanKind::Client,
                "SERVER" => SpanKind::Server,
                "PRODUCER" => SpanKind::Producer,
                "CONSUMER" => SpanKind::Consumer,
                "INTERNAL" => SpanKind::Internal,
                _ => SpanKind::Unspecified,
            }),
            "scope.name" => Tag::ScopeName(value.to_string()),
            "scope.version" => Tag::ScopeVersion(value.to_string()),
            _ => match key.strip_prefix("resource.") {
                Some(key) => Tag::Resource(key.to_string(), value.to_string()),
                None => Tag::Anywhere(key.to_string(), value.to_string()),
            },
        }
    }
}

/// The status that `error=…` asks for, and the text of the attribute that says the same.
fn error_forms(error: bool) -> (StatusCode, &'static str) {
    if error { (StatusCode::Error, "true") } else { (StatusCode::Ok, "false") }
}

impl Criteria {
    pub fn new(query: &TraceQuery) -> Criteria {
        let nanos =
            |d: Option<std::time::Duration>| d.map(|d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX));
        Criteria {
            service: query.service.clone(),
            operation: query.operation.clone(),
            start_min: query.start_min,
            start_max: query.start_max,
            duration_min: nanos(query.duration_min).unwrap_or(0),
            duration_max: nanos(query.duration_max).unwrap_or(u64::MAX),
            tags: query.tags.iter().map(|(key, value)| Tag::parse(key, value)).collect(),
        }
    }

    pub fn has_tags(&self) -> bool {
        !self.tags.is_empty()
    }

    fn fields_match(&self, service: &str, name: &str, start: TimestampNs, duration_ns: u64) -> bool {
        self.start_min <= start
            && start <= self.start_max
            && self.duration_min <= duration_ns
            && duration_ns <= self.duration_max
            && self.service.as_ref().is_none_or(|wanted| wanted == service)
            && self.operation.as_ref().is_none_or(|wanted| wanted == name)
    }

    /// Asks a span in memory.
    pub fn matches(&self, span: &Span) -> bool {
        self.fields_match(&span.resource.service, &span.name, span.start, span.duration_ns)
            && self.tags.iter().all(|tag| tag_matches(tag, span))
    }

    /// Asks the core columns of a block: which rows may match as far as these tell. `None`: no row.
    pub fn core_rows(&self, core: &Core) -> Option<Vec<bool>> {
        let mut any = false;
        let rows: Vec<bool> = (0..core.rows())
            .map(|row| {
                let hit = self.fields_match(
                    core.service(row),
                    core.name(row),
                    core.start(row),
                    core.durations[row],
                );
                any |= hit;
                hit
            })
            .collect();
        any.then_some(rows)
    }

    /// Asks the remaining pages of a block and takes rows that do not match out of `rows`.
    pub fn filter_tags(
        &self,
        core: &Core,
        context: &Context<'_>,
        attributes: &[u8],
        events: &Events<'_>,
        rows: &mut [bool],
    ) -> Result<(), CodecError> {
        let table = AttributeTable::decode(&mut Cursor::new(attributes))?;
        if table.rows() != core.rows() {
            return Err(CodecError("block: columns differ in length"));
        }
        for tag in &self.tags {
            if !rows.contains(&true) {
                return Ok(());
            }
            let hits = tag_rows(tag, core, context, &table, events)?;
            for (row, hit) in rows.iter_mut().zip(hits) {
                *row &= hit;
            }
        }
        Ok(())
    }
}

fn tag_matches(tag: &Tag, span: &Span) -> bool {
    match tag {
        Tag::Error(error) => {
            let (status, text) = error_forms(*error);
            span.status == status || has(&span.attributes, "error", text)
        }
        Tag::Status(status) => span.status == *status,
        Tag::Kind(kind) => span.kind == *kind,
        Tag::ScopeName(name) => span.scope.name == *name,
        Tag::ScopeVersion(version) => span.scope.version == *version,
        Tag::Resource(key, value) => has(&span.resource.attributes, key, value),
        Tag::Anywhere(key, value) => {
            has(&span.attributes, key, value)
                || has(&span.scope.attributes, key, value)
                || has(&span.resource.attributes, key, value)
                || span.events.iter().any(|event| has(&event.attributes, key, value))
                || span.links.iter().any(|link| has(&link.attributes, key, value))
        }
        Tag::Never => false,
    }
}

fn has(attributes: &Attributes, key: &str, text: &str) -> bool {
    attributes.iter().any(|(candidate, value)| candidate == key && attribute_text(value) == text)
}

fn tag_rows(
    tag: &Tag,
    core: &Core,
    context: &Context<'_>,
    attributes: &AttributeTable<'_>,
    events: &Events<'_>,
) -> Result<Vec<bool>, CodecError> {
    let rows = core.rows();
    let by = |test: &dyn Fn(usize) -> bool| (0..rows).map(test).collect::<Vec<bool>>();
    Ok(match tag {
        Tag::Error(error) => {
            let (status, text) = error_forms(*error);
            let mut hits = by(&|row| core.status(row) == status);
            attributes.find("error", text, |row| hits[row] = true)?;
            hits
        }
        Tag::Status(status) => by(&|row| core.status(row) == *status),
        Tag::Kind(kind) => by(&|row| core.kind(row) == *kind),
        Tag::ScopeName(name) => {
            by(&|row| context.scope_names.get(context.scope_codes[row] as usize) == Some(name.as_str()))
        }
        Tag::ScopeVersion(version) => {
            by(&|row| context.scope_versions.get(context.scope_codes[row] as usize) == Some(version.as_str()))
        }
        Tag::Resource(key, value) => {
            let mut hits = vec![false; rows];
            mark_codes(&context.resources, key, value, &context.resource_codes, &mut hits)?;
            hits
        }
        Tag::Anywhere(key, value) => {
            let mut hits = vec![false; rows];
            attributes.find(key, value, |row| hits[row] = true)?;
            mark_codes(&context.resources, key, value, &context.resource_codes, &mut hits)?;
            mark_codes(&context.scopes, key, value, &context.scope_codes, &mut hits)?;
            let (event_rows, link_rows) = (events.event_rows(), events.link_rows());
            events.events.find(key, value, |event| hits[event_rows[event]] = true)?;
            events.links.find(key, value, |link| hits[link_rows[link]] = true)?;
            hits
        }
        Tag::Never => vec![false; rows],
    })
}

/// Marks the rows whose resource or scope has the attribute.
fn mark_codes(
    table: &AttributeTable<'_>,
    key: &str,
    text: &str,
    codes: &[u64],
    hits: &mut [bool],
) -> Result<(), CodecError> {
    let mut with = vec![false; table.rows()];
    table.find(key, text, |entry| with[entry] = true)?;
    for (hit, code) in hits.iter_mut().zip(codes) {
        *hit |= with[*code as usize];
    }
    Ok(())
}

/// The newest traces found so far, each by its newest matching span.
pub(crate) struct Newest {
    limit: usize,
    starts: HashMap<TraceId, TimestampNs>,
    /// Once there are enough traces: the start that a span must reach to matter.
    threshold: Option<TimestampNs>,
}

impl Newest {
    pub fn new(limit: usize) -> Newest {
        Newest { limit, starts: HashMap::new(), threshold: None }
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether spans that start no later than this can still change the result.
    pub fn cares_for(&self, start_max: TimestampNs) -> bool {
        // Equal starts are decided by id.
        self.threshold.is_none_or(|threshold| start_max >= threshold)
    }

    pub fn add(&mut self, id: TraceId, start: TimestampNs) {
        if !self.cares_for(start) {
            return;
        }
        let newest = self.starts.entry(id).or_insert(start);
        *newest = start.max(*newest);
        if self.starts.len() >= (self.limit * 2).max(64) {
            self.prune();
        }
    }

    /// Drops what is beyond the limit and sets the threshold.
    pub fn prune(&mut self) {
        if self.starts.len() < self.limit {
            return;
        }
        let kept = self.sorted();
        self.threshold = kept.last().map(|(_, start)| *start);
        self.starts = kept.into_iter().collect();
    }

    /// Newest first, then by id.
    pub fn into_ids(self) -> Vec<TraceId> {
        self.sorted().into_iter().map(|(id, _)| id).collect()
    }

    fn sorted(&self) -> Vec<(TraceId, TimestampNs)> {
        let mut sorted: Vec<(TraceId, TimestampNs)> =
            self.starts.iter().map(|(id, start)| (*id, *start)).collect();
        sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        sorted.truncate(self.limit);
        sorted
    }
}
