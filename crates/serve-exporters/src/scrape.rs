//! Answering a scrape: collect on a blocking thread, add the service's own metrics, render.
//!
//! The limit on scrapes at the same time answers as the originals' handler does: 503 with the limit in its
//! text, at once. Behind it at most a few collections run side by side; the others wait their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use expfmt::{Counter, CounterVec, Family, Format, LabelPairs, Metric, Registry};
use front::{Host, Pool};
use model::MetricType;

use crate::plain;

/// Collections that run side by side. They read the same kernel files: more would only wait for each other.
const RUNNING_MAX: usize = 2;

/// Collections that wait, when the flag sets no limit of its own.
const WAITING_MAX: usize = 1000;

pub struct Scrapes {
    pool: Pool,
    /// Scrapes at the same time; 0 is no limit.
    limit: usize,
    in_flight: Arc<AtomicUsize>,
    requests: CounterVec,
    failures: Counter,
    /// Gathered with every scrape; `None` when the user wants the collected metrics only.
    own: Option<Registry>,
    formats: Formats,
}

/// Which text formats a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formats {
    /// Text 0.0.4 whatever is asked for, as node_exporter and cAdvisor do. OpenMetrics would rename every
    /// counter that does not end in `_total`, those of textfiles and `container_memory_failcnt` among them.
    TextOnly,
    /// OpenMetrics for who asks.
    Negotiated,
}

impl Scrapes {
    /// `own`: whether the service's own metrics are shown beside the collected ones.
    pub fn new(host: &Host, limit: usize, own: bool, formats: Formats) -> Scrapes {
        let registry = &host.registry;
        let in_flight = Arc::new(AtomicUsize::new(0));
        let shown = in_flight.clone();
        let help = "Current number of scrapes being served.";
        registry.gauge_fn("promhttp_metric_handler_requests_in_flight", help, move || {
            shown.load(Ordering::Relaxed) as f64
        });
        let help = "Total number of scrapes by HTTP status code.";
        let requests = registry.counter_vec("promhttp_metric_handler_requests_total", help, &["code"]);
        for code in ["200", "500", "503"] {
            requests.with(&[code]);
        }
        let help = "Total number of internal errors encountered by the promhttp metric handler.";
        let errors = registry.counter_vec("promhttp_metric_handler_errors_total", help, &["cause"]);
        errors.with(&["encoding"]);
        let failures = errors.with(&["gathering"]);
        let pool = Pool::new("scrape", RUNNING_MAX, if limit == 0 { WAITING_MAX } else { limit });
        pool.register(registry);
        Scrapes { pool, limit, in_flight, requests, failures, own: own.then(|| registry.clone()), formats }
    }

    /// Runs `collect` and answers with what it found.
    pub async fn answer(
        &self,
        headers: &HeaderMap,
        collect: impl FnOnce() -> Vec<Family<LabelPairs>> + Send + 'static,
    ) -> Response {
        let response = self.limited(headers, collect).await;
        self.requests.with(&[response.status().as_str()]).inc();
        response
    }

    async fn limited(
        &self,
        headers: &HeaderMap,
        collect: impl FnOnce() -> Vec<Family<LabelPairs>> + Send + 'static,
    ) -> Response {
        let place = InFlight::enter(&self.in_flight);
        if self.limit > 0 && place.before >= self.limit {
            let text = format!("Limit of concurrent requests reached ({}), try again later.\n", self.limit);
            return plain(StatusCode::SERVICE_UNAVAILABLE, text);
        }
        let format = match self.formats {
            Formats::TextOnly => Format::Text,
            Formats::Negotiated => {
                Format::negotiate(headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or(""))
            }
        };
        let own = self.own.clone();
        let rendered = self.pool.run(move || render(collect(), own.as_ref(), format)).await;
        match rendered {
            Ok(body) => ([(header::CONTENT_TYPE, format.content_type())], body).into_response(),
            Err(front::PoolError::Full(message)) => {
                plain(StatusCode::SERVICE_UNAVAILABLE, format!("{message}\n"))
            }
            Err(e @ front::PoolError::Panicked) => {
                self.failures.inc();
                plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    format!("An error has occurred while serving metrics:\n\n{e}\n"),
                )
            }
        }
    }
}

struct InFlight<'a> {
    count: &'a AtomicUsize,
    /// How many there were before this one.
    before: usize,
}

impl InFlight<'_> {
    fn enter(count: &AtomicUsize) -> InFlight<'_> {
        InFlight { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Collected and own families as one document, sorted by name.
fn render(collected: Vec<Family<LabelPairs>>, own: Option<&Registry>, format: Format) -> String {
    let mut families = collected;
    for family in own.map(Registry::gather).unwrap_or_default() {
        // A name that was collected already (a textfile may bring any) stays as it is: two families of one
        // name would make the whole answer invalid.
        if !families.iter().any(|f| f.name == family.name) {
            families.push(with_pairs(family));
        }
    }
    families.sort_by(|a, b| a.name.cmp(&b.name));
    if format == Format::OpenMetrics {
        families.iter_mut().for_each(keep_name);
    }
    let mut body = String::with_capacity(64 << 10);
    expfmt::encode(&families, format, &mut body);
    body
}

fn with_pairs(family: Family) -> Family<LabelPairs> {
    let metric = |m: Metric| Metric {
        labels: m.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        value: m.value,
        timestamp: m.timestamp,
    };
    Family {
        name: family.name,
        help: family.help,
        unit: family.unit,
        kind: family.kind,
        metrics: family.metrics.into_iter().map(metric).collect(),
    }
}

/// OpenMetrics adds `_total` to counters. One whose name lacks it is shown without a type instead, so that
/// the name is the same in both formats.
fn keep_name(family: &mut Family<LabelPairs>) {
    if family.kind == MetricType::Counter && !family.name.ends_with("_total") {
        family.kind = MetricType::Unknown;
    }
}
