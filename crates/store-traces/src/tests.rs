//! The store against a plain list of spans, through flushes, merges, restarts and crashes.

mod cases;
mod jaeger;
mod model_check;
mod oracle;
mod span_codec;

use std::path::Path;
use std::sync::Arc;

use ::model::span::{AttributeValue, Attributes, Resource, Scope, Span, SpanId, SpanKind, TraceId};
use platform::{ManualClock, SimDisk};

use crate::{FsyncPolicy, TraceStoreSettings, Traces};

/// 2017-01-26, the day of Jaeger's fixtures: old timestamps are as good as new ones.
pub(crate) const DAY_START: i64 = 1_485_388_800 * 1_000_000_000;

pub(crate) const SECOND: i64 = 1_000_000_000;

pub(crate) fn settings() -> TraceStoreSettings {
    TraceStoreSettings { fsync: FsyncPolicy::Off, ..TraceStoreSettings::default() }
}

pub(crate) fn open_with(disk: &SimDisk, clock: &Arc<ManualClock>, settings: TraceStoreSettings) -> Traces {
    Traces::open_on(Arc::new(disk.clone()), Path::new("/traces"), settings, clock.clone()).unwrap()
}

/// A disk, a clock and a store without a thread.
pub(crate) struct World {
    pub disk: SimDisk,
    pub clock: Arc<ManualClock>,
    pub store: Option<Traces>,
    pub settings: TraceStoreSettings,
}

impl World {
    pub fn new(settings: TraceStoreSettings) -> World {
        let (disk, clock) = (SimDisk::new(), Arc::new(ManualClock::at_ms(1_700_000_000_000)));
        let store = open_with(&disk, &clock, settings.clone());
        World { disk, clock, store: Some(store), settings }
    }

    pub fn store(&self) -> &Traces {
        self.store.as_ref().unwrap()
    }

    /// As `kill -9` and a new start.
    pub fn crash(&mut self) {
        // The old store must be gone before its lock can be taken again.
        self.store = None;
        self.disk.kill();
        self.store = Some(open_with(&self.disk, &self.clock, self.settings.clone()));
    }
}

pub(crate) fn trace_id(n: u8) -> TraceId {
    TraceId([n; 16])
}

pub(crate) fn span_id(n: u8) -> SpanId {
    SpanId([0, 0, 0, 0, 0, 0, 0, n])
}

pub(crate) fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(k, v)| (k.to_string(), AttributeValue::String(v.to_string()))).collect()
}

/// A span of trace `trace` with id `id`, `start` seconds into the day, one millisecond long.
pub(crate) fn span(trace: u8, id: u8, service: &str, name: &str, start: i64) -> Span {
    Span {
        trace_id: trace_id(trace),
        span_id: span_id(id),
        name: name.to_string(),
        kind: SpanKind::Server,
        start: DAY_START + start * SECOND,
        duration_ns: 1_000_000,
        resource: Arc::new(Resource { service: service.to_string(), attributes: vec![] }),
        scope: Arc::new(Scope::default()),
        ..Span::default()
    }
}
