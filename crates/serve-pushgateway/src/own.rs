//! The gateway's own metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use expfmt::{CounterVec, Family, Metric, MetricValue, Registry};
use model::{Labels, MetricType};

#[derive(Clone)]
pub struct OwnMetrics {
    requests: CounterVec,
    pushes: Arc<Mutex<BTreeMap<&'static str, Pushes>>>,
}

/// Pushes by method.
#[derive(Debug, Clone, Copy, Default)]
struct Pushes {
    count: u64,
    bytes: f64,
    seconds: f64,
}

/// Name and help of the families that exist only after the first request.
const LATER: [(&str, &str, MetricType); 3] = [
    (
        "pushgateway_http_requests_total",
        "Total HTTP requests processed by the Pushgateway, excluding scrapes.",
        MetricType::Counter,
    ),
    (
        "pushgateway_http_push_duration_seconds",
        "HTTP request duration for pushes to the Pushgateway.",
        MetricType::Summary,
    ),
    (
        "pushgateway_http_push_size_bytes",
        "HTTP request size for pushes to the Pushgateway.",
        MetricType::Summary,
    ),
];

impl OwnMetrics {
    pub fn new(registry: &Registry) -> OwnMetrics {
        let [(requests, help, _), duration, size] = LATER;
        let requests = registry.counter_vec(requests, help, &["code", "handler", "method"]);
        let pushes: Arc<Mutex<BTreeMap<&'static str, Pushes>>> = Arc::default();
        for ((name, help, kind), sum) in
            [(duration, (|p| p.seconds) as fn(&Pushes) -> f64), (size, |p| p.bytes)]
        {
            let pushes = pushes.clone();
            registry.collector(move |out| {
                let pushes = pushes.lock().unwrap_or_else(PoisonError::into_inner);
                if pushes.is_empty() {
                    return;
                }
                let mut family = Family::new(name, help, kind);
                for (method, seen) in pushes.iter() {
                    let (sum, count) = (sum(seen), seen.count as f64);
                    family.metrics.push(Metric {
                        labels: Labels::from_pairs([("method", *method)]),
                        value: MetricValue::Summary { quantiles: Vec::new(), sum, count },
                        timestamp: None,
                    });
                }
                out.push(family);
            });
        }
        OwnMetrics { requests, pushes }
    }

    /// Every family this service may ever expose about itself, without metrics.
    pub fn families(&self, registry: &Registry) -> Vec<Family> {
        let mut families = registry.gather();
        for family in &mut families {
            family.metrics.clear();
        }
        for (name, help, kind) in LATER {
            if !families.iter().any(|family| family.name == name) {
                families.push(Family::new(name, help, kind));
            }
        }
        families
    }

    pub fn request(&self, handler: &str, method: &str, code: u16) {
        self.requests.with(&[&code.to_string(), handler, method]).inc();
    }

    pub fn push(&self, method: &'static str, bytes: usize, took: Duration) {
        let mut pushes = self.pushes.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = pushes.entry(method).or_default();
        seen.count += 1;
        seen.bytes += bytes as f64;
        seen.seconds += took.as_secs_f64();
    }
}
