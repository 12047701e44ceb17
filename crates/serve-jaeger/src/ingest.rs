//! The way in: spans of one request into the store, on a bounded pool, counted.

use std::sync::Arc;

use expfmt::{Counter, CounterVec, Registry};
use front::{Pool, PoolError};
use storage::{ErrorKind, TraceStore};
use wire::otlp::ExportTraces;

/// Requests above this are refused; also the default of gRPC servers.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Requests may unpack to this much, so that a small body cannot fill the memory.
pub const UNPACKED_BYTES_MAX: usize = 64 << 20;

#[derive(Clone)]
pub struct Ingest {
    store: Arc<dyn TraceStore>,
    pool: Pool,
    accepted: CounterVec,
    refused: CounterVec,
    rejected: Counter,
}

/// Why nothing of a request was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IngestError {
    /// Wait and send again.
    Busy(String),
    /// Sending again is no use.
    Invalid(String),
    Failed(String),
}

impl Ingest {
    pub fn new(store: Arc<dyn TraceStore>, pool: Pool, registry: &Registry) -> Ingest {
        let spans = |name: &str, help: &str| registry.counter_vec(name, help, &["transport"]);
        Ingest {
            store,
            pool,
            accepted: spans("otelcol_receiver_accepted_spans_total", "Spans taken in."),
            refused: spans("otelcol_receiver_refused_spans_total", "Spans refused as a whole request."),
            rejected: registry.counter("jaeger_rejected_spans_total", "Spans without usable ids, left out."),
        }
    }

    /// Stores the spans. When this returns they survive the death of the process.
    pub async fn push(&self, transport: &str, request: ExportTraces) -> Result<(), IngestError> {
        let count = request.spans.len() as u64;
        self.rejected.add(request.rejected);
        if count == 0 {
            return Ok(());
        }
        let store = self.store.clone();
        let spans = request.spans;
        let result = match self.pool.run(move || store.push(spans)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(match e.kind {
                ErrorKind::LimitExceeded | ErrorKind::NoSpace | ErrorKind::Closed => {
                    IngestError::Busy(e.message)
                }
                ErrorKind::Invalid => IngestError::Invalid(e.message),
                _ => IngestError::Failed(e.message),
            }),
            Err(PoolError::Full(message)) => Err(IngestError::Busy(message)),
            Err(e @ PoolError::Panicked) => Err(IngestError::Failed(e.to_string())),
        };
        let counter = if result.is_ok() { &self.accepted } else { &self.refused };
        counter.with(&[transport]).add(count);
        result
    }
}

/// What a partial success says.
pub fn rejection_text(rejected: u64) -> String {
    format!("{rejected} spans have no valid trace id or span id")
}
