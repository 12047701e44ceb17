//! Ingest, size on disk and reading times of a day like any other: 10 services, 10 spans a trace, 11
//! attributes a span.
//!
//! `cargo bench -p store-traces -- [spans]`

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use model::span::{AttributeValue, Resource, Scope, Span, SpanId, SpanKind, TraceId};
use platform::{Random, SystemClock};
use storage::TraceStore;
use storage::traces::TraceQuery;
use store_traces::{TraceStoreSettings, Traces};

const SPANS_PER_TRACE: usize = 10;
const BATCH: usize = 500;
const START: i64 = 1_700_000_000_000_000_000;

fn main() {
    let spans: usize = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let dir = std::env::temp_dir().join(format!("traces-bench-{}", std::process::id()));
    let store = Traces::open(&dir, TraceStoreSettings::default(), Arc::new(SystemClock::new())).unwrap();
    let mut generator = Generator::new();

    let mut pushing = Duration::ZERO;
    for _ in 0..spans.div_ceil(BATCH) {
        let batch = generator.batch();
        let started = Instant::now();
        store.push(batch).unwrap();
        pushing += started.elapsed();
    }
    let started = Instant::now();
    store.flush().unwrap();
    store.maintain().unwrap();
    let kernel = store.kernel_metrics();
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    println!("push               {:>10.0} spans/s", spans as f64 / pushing.as_secs_f64());
    println!("log                {:>10.1} bytes/span", load(&kernel.wal_bytes) as f64 / spans as f64);
    println!("last flush, merges {:>10.1?}", started.elapsed());
    let (parts, bytes) = (load(&kernel.parts), load(&kernel.part_bytes));
    println!("parts              {parts:>10}, {:.1} bytes/span", bytes as f64 / spans as f64);

    let time = |name: &str, f: &dyn Fn() -> usize| {
        for round in ["cold", "warm"] {
            let started = Instant::now();
            let found = f();
            println!("{name:<18} {:>10.1?} {round}, {found} found", started.elapsed());
        }
    };
    let everything = TraceQuery { start_min: 0, start_max: i64::MAX, limit: 20, ..TraceQuery::default() };
    let id = generator.trace_id(generator.traces / 2);
    let service = Some("service-3".to_string());
    let tag = |value: &str| vec![("key-3".to_string(), value.to_string())];
    time("trace by id", &|| store.trace(id, None, None).unwrap().len());
    time("services", &|| store.services().unwrap().len());
    time("operations", &|| store.operations("service-3", None).unwrap().len());
    time("newest", &|| store.find(&everything).unwrap().len());
    time("by service", &|| {
        store.find(&TraceQuery { service: service.clone(), ..everything.clone() }).unwrap().len()
    });
    time("by duration", &|| {
        let duration_min = Some(Duration::from_micros(999_990));
        store.find(&TraceQuery { duration_min, ..everything.clone() }).unwrap().len()
    });
    time("by attribute", &|| {
        store.find(&TraceQuery { tags: tag("value-7"), ..everything.clone() }).unwrap().len()
    });
    time("by missing value", &|| {
        store.find(&TraceQuery { tags: tag("nobody has it"), ..everything.clone() }).unwrap().len()
    });
    time("edges", &|| store.edges(0, i64::MAX).unwrap().len());
    let started = Instant::now();
    store.close().unwrap();
    println!("close              {:>10.1?}", started.elapsed());
    drop(store);
    std::fs::remove_dir_all(&dir).unwrap();
}

struct Generator {
    random: Random,
    resources: Vec<Arc<Resource>>,
    scope: Arc<Scope>,
    traces: usize,
}

impl Generator {
    fn new() -> Generator {
        let resource = |n: usize| {
            let attributes =
                vec![text("host.name", format!("host-{n}")), text("k8s.pod", format!("pod-{n}"))];
            Arc::new(Resource { service: format!("service-{n}"), attributes })
        };
        Generator {
            random: Random::new(1),
            resources: (0..10).map(resource).collect(),
            scope: Arc::new(Scope { name: "bench".into(), ..Scope::default() }),
            traces: 0,
        }
    }

    /// Ids look random and can be named again.
    fn trace_id(&self, n: usize) -> TraceId {
        let (high, low) = (Random::new(n as u64).next_u64(), Random::new(!(n as u64)).next_u64());
        TraceId((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
    }

    fn batch(&mut self) -> Vec<Span> {
        let mut spans = Vec::with_capacity(BATCH);
        while spans.len() < BATCH {
            let trace_id = self.trace_id(self.traces);
            let mut parent = SpanId::default();
            for n in 0..SPANS_PER_TRACE {
                let span_id = SpanId(self.random.next_u64().to_be_bytes());
                let random = &mut self.random;
                let attributes = (0..11).map(|_| {
                    text(&format!("key-{}", random.below(97)), format!("value-{}", random.below(1000)))
                });
                let attributes = attributes.collect();
                spans.push(Span {
                    trace_id,
                    span_id,
                    parent_span_id: parent,
                    name: format!("operation-{n}"),
                    kind: SpanKind::Server,
                    start: START + self.traces as i64 * 1_000_000 + random.below(1_000_000) as i64,
                    duration_ns: random.below(1_000_000_000),
                    attributes,
                    resource: self.resources[n % self.resources.len()].clone(),
                    scope: self.scope.clone(),
                    ..Span::default()
                });
                parent = span_id;
            }
            self.traces += 1;
        }
        spans
    }
}

fn text(key: &str, value: String) -> (String, AttributeValue) {
    (key.to_string(), AttributeValue::String(value))
}
