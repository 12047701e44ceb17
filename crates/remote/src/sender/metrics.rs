//! The senders' own metrics, under the original's names.

use std::sync::Arc;

use expfmt::Registry;
use expfmt::registry::{Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramVec};

/// One of each for samples, histograms and exemplars.
#[derive(Clone)]
pub(crate) struct ByKind<T> {
    pub samples: T,
    pub histograms: T,
    pub exemplars: T,
}

/// How much of each kind something holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub samples: u64,
    pub histograms: u64,
    pub exemplars: u64,
}

impl Amount {
    pub fn is_empty(self) -> bool {
        self == Amount::default()
    }
}

impl ByKind<Counter> {
    pub fn add(&self, n: Amount) {
        self.samples.add(n.samples);
        self.histograms.add(n.histograms);
        self.exemplars.add(n.exemplars);
    }
}

impl ByKind<Gauge> {
    pub fn set(&self, n: Amount) {
        self.samples.set(n.samples as f64);
        self.histograms.set(n.histograms as f64);
        self.exemplars.set(n.exemplars as f64);
    }
}

/// Why something was not sent that could have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    Relabelled,
    TooOld,
    UnknownSeries,
    CustomBuckets,
    /// The bound on the queue was reached.
    QueueFull,
}

impl Dropped {
    const ALL: [Dropped; 5] = [
        Dropped::Relabelled,
        Dropped::TooOld,
        Dropped::UnknownSeries,
        Dropped::CustomBuckets,
        Dropped::QueueFull,
    ];

    fn reason(self) -> &'static str {
        match self {
            Dropped::Relabelled => "dropped_series",
            Dropped::TooOld => "too_old",
            Dropped::UnknownSeries => "unintentional_dropped_series",
            Dropped::CustomBuckets => "nhcb_in_rw1_not_supported",
            Dropped::QueueFull => "queue_full",
        }
    }
}

const LABELS: &[&str] = &["remote_name", "url"];
const DROPPED_LABELS: &[&str] = &["remote_name", "url", "reason"];
/// Client buckets of the original's Go library, and some more for slow remotes.
const DURATION_BOUNDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0, 300.0];

/// All families, registered once.
pub(crate) struct Families {
    sent: ByKind<CounterVec>,
    failed: ByKind<CounterVec>,
    retried: ByKind<CounterVec>,
    dropped: ByKind<CounterVec>,
    pending: ByKind<GaugeVec>,
    metadata: [CounterVec; 3],
    bytes: CounterVec,
    metadata_bytes: CounterVec,
    enqueue_retries: CounterVec,
    duration: HistogramVec,
    highest_sent: GaugeVec,
    gauges: [GaugeVec; 6],
}

/// The metrics of one remote.
pub(crate) struct RemoteMetrics {
    pub sent: ByKind<Counter>,
    pub failed: ByKind<Counter>,
    pub retried: ByKind<Counter>,
    pub pending: ByKind<Gauge>,
    pub metadata_sent: Counter,
    pub metadata_failed: Counter,
    pub metadata_retried: Counter,
    pub bytes: Counter,
    pub metadata_bytes: Counter,
    pub enqueue_retries: Counter,
    pub duration: Histogram,
    /// Seconds.
    pub highest_sent: Gauge,
    pub shards: Gauge,
    pub shards_desired: Gauge,
    pub shards_max: Gauge,
    pub shards_min: Gauge,
    pub shard_capacity: Gauge,
    pub max_samples_per_send: Gauge,
    dropped: Vec<ByKind<Counter>>,
}

impl RemoteMetrics {
    pub fn dropped(&self, why: Dropped) -> &ByKind<Counter> {
        let at = Dropped::ALL.iter().position(|d| *d == why).unwrap_or(0);
        &self.dropped[at]
    }
}

impl Families {
    pub fn new(registry: &Registry) -> Arc<Families> {
        let name = |suffix: &str| format!("prometheus_remote_storage_{suffix}");
        let kinds = |suffix: &str, help: &str, labels: &[&str]| {
            let one = |kind: &str| {
                registry.counter_vec(&name(&format!("{kind}_{suffix}")), &help.replace("{}", kind), labels)
            };
            ByKind { samples: one("samples"), histograms: one("histograms"), exemplars: one("exemplars") }
        };
        let pending = |kind: &str| {
            let help = format!(
                "The number of {kind} pending in the queues shards to be sent to the remote storage."
            );
            registry.gauge_vec(&name(&format!("{kind}_pending")), &help, LABELS)
        };
        let counter = |suffix: &str, help: &str| registry.counter_vec(&name(suffix), help, LABELS);
        let gauge = |suffix: &str, help: &str| registry.gauge_vec(&name(suffix), help, LABELS);
        Arc::new(Families {
            sent: kinds("total", "Total number of {} sent to remote storage.", LABELS),
            failed: kinds(
                "failed_total",
                "Total number of {} which failed on send to remote storage, non-recoverable errors.",
                LABELS,
            ),
            retried: kinds(
                "retried_total",
                "Total number of {} which failed on send to remote storage but were retried because the send error was recoverable.",
                LABELS,
            ),
            dropped: kinds(
                "dropped_total",
                "Total number of {} which were dropped after being read from the WAL before being sent via remote write, either via relabelling, due to being too old or unintentionally because of an unknown reference ID.",
                DROPPED_LABELS,
            ),
            pending: ByKind {
                samples: pending("samples"),
                histograms: pending("histograms"),
                exemplars: pending("exemplars"),
            },
            metadata: [
                counter("metadata_total", "Total number of metadata entries sent to remote storage."),
                counter(
                    "metadata_failed_total",
                    "Total number of metadata entries which failed on send to remote storage, non-recoverable errors.",
                ),
                counter(
                    "metadata_retried_total",
                    "Total number of metadata entries which failed on send to remote storage but were retried because the send error was recoverable.",
                ),
            ],
            bytes: counter(
                "bytes_total",
                "The total number of bytes of data (not metadata) sent by the queue after compression. Note that when exemplars over remote write is enabled the exemplars included in a remote write request count towards this metric.",
            ),
            metadata_bytes: counter(
                "metadata_bytes_total",
                "The total number of bytes of metadata sent by the queue after compression.",
            ),
            enqueue_retries: counter(
                "enqueue_retries_total",
                "Total number of times enqueue has failed because a shards queue was full.",
            ),
            duration: registry.histogram_vec(
                &name("sent_batch_duration_seconds"),
                "Duration of send calls to the remote storage.",
                LABELS,
                DURATION_BOUNDS,
            ),
            highest_sent: gauge(
                "queue_highest_sent_timestamp_seconds",
                "Timestamp from a WAL sample, the highest timestamp successfully sent by this queue, in seconds since epoch. Initialized to 0 when no data has been sent yet.",
            ),
            gauges: [
                gauge("shards", "The number of shards used for parallel sending to the remote storage."),
                gauge(
                    "shards_desired",
                    "The number of shards that the queues shard calculation wants to run based on the rate of samples in vs. samples out.",
                ),
                gauge("shards_max", "The maximum number of shards that the queue is allowed to run."),
                gauge("shards_min", "The minimum number of shards that the queue is allowed to run."),
                gauge(
                    "shard_capacity",
                    "The capacity of each shard of the queue used for parallel sending to the remote storage.",
                ),
                gauge(
                    "max_samples_per_send",
                    "The maximum number of samples to be sent, in a single request, to the remote storage. Note that, when sending of exemplars over remote write is enabled, exemplars count towards this limt.",
                ),
            ],
        })
    }

    pub fn of(&self, name: &str, url: &str) -> RemoteMetrics {
        let labels = [name, url];
        let counters = |vec: &ByKind<CounterVec>, labels: &[&str]| ByKind {
            samples: vec.samples.with(labels),
            histograms: vec.histograms.with(labels),
            exemplars: vec.exemplars.with(labels),
        };
        let [shards, shards_desired, shards_max, shards_min, shard_capacity, max_samples_per_send] =
            self.gauges.each_ref().map(|vec| vec.with(&labels));
        let [metadata_sent, metadata_failed, metadata_retried] =
            self.metadata.each_ref().map(|vec| vec.with(&labels));
        RemoteMetrics {
            sent: counters(&self.sent, &labels),
            failed: counters(&self.failed, &labels),
            retried: counters(&self.retried, &labels),
            pending: ByKind {
                samples: self.pending.samples.with(&labels),
                histograms: self.pending.histograms.with(&labels),
                exemplars: self.pending.exemplars.with(&labels),
            },
            metadata_sent,
            metadata_failed,
            metadata_retried,
            bytes: self.bytes.with(&labels),
            metadata_bytes: self.metadata_bytes.with(&labels),
            enqueue_retries: self.enqueue_retries.with(&labels),
            duration: self.duration.with(&labels),
            highest_sent: self.highest_sent.with(&labels),
            shards,
            shards_desired,
            shards_max,
            shards_min,
            shard_capacity,
            max_samples_per_send,
            dropped: Dropped::ALL.map(|why| counters(&self.dropped, &[name, url, why.reason()])).to_vec(),
        }
    }

    /// Forgets a remote, so that nobody is alerted about one that is gone.
    pub fn remove(&self, name: &str, url: &str) {
        let labels = [name, url];
        let kinds = |vec: &ByKind<CounterVec>, labels: &[&str]| {
            [&vec.samples, &vec.histograms, &vec.exemplars].iter().for_each(|vec| vec.remove(labels));
        };
        [&self.sent, &self.failed, &self.retried].iter().for_each(|vec| kinds(vec, &labels));
        Dropped::ALL.iter().for_each(|why| kinds(&self.dropped, &[name, url, why.reason()]));
        let gauges =
            [&self.pending.samples, &self.pending.histograms, &self.pending.exemplars, &self.highest_sent];
        gauges.into_iter().chain(&self.gauges).for_each(|vec| vec.remove(&labels));
        let counters = [&self.bytes, &self.metadata_bytes, &self.enqueue_retries];
        counters.into_iter().chain(&self.metadata).for_each(|vec| vec.remove(&labels));
        self.duration.remove(&labels);
    }
}
