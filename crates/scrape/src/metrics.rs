//! The scraper's own metrics, under the original's names.

use expfmt::{Counter, CounterVec, GaugeVec, Registry};

use crate::interval::IntervalLength;

#[derive(Clone)]
pub(crate) struct ScrapeMetrics {
    pub(crate) out_of_order: Counter,
    pub(crate) duplicate: Counter,
    pub(crate) out_of_bounds: Counter,
    pub(crate) sample_limit: Counter,
    pub(crate) body_size: Counter,
    pub(crate) exemplar_out_of_order: Counter,
    pub(crate) pools: Counter,
    pub(crate) pools_failed: Counter,
    pub(crate) pool_reloads: Counter,
    pub(crate) pool_reloads_failed: Counter,
    pub(crate) target_limit: Counter,
    pub(crate) pool_targets: GaugeVec,
    pub(crate) pool_target_limit: GaugeVec,
    pub(crate) pool_syncs: CounterVec,
    pub(crate) sync_failed: CounterVec,
    pub(crate) discovered: GaugeVec,
    pub(crate) interval_length: IntervalLength,
}

impl ScrapeMetrics {
    pub(crate) fn new(registry: &Registry) -> ScrapeMetrics {
        let counter = |name: &str, help: &str| registry.counter(&format!("prometheus_target_{name}"), help);
        let job = &["scrape_job"][..];
        let gauges =
            |name: &str, help: &str| registry.gauge_vec(&format!("prometheus_target_{name}"), help, job);
        ScrapeMetrics {
            out_of_order: counter(
                "scrapes_sample_out_of_order_total",
                "Total number of samples rejected due to not being out of the expected order.",
            ),
            duplicate: counter(
                "scrapes_sample_duplicate_timestamp_total",
                "Total number of samples rejected due to duplicate timestamps but different values.",
            ),
            out_of_bounds: counter(
                "scrapes_sample_out_of_bounds_total",
                "Total number of samples rejected due to timestamp falling outside of the time bounds.",
            ),
            sample_limit: counter(
                "scrapes_exceeded_sample_limit_total",
                "Total number of scrapes that hit the sample limit and were rejected.",
            ),
            body_size: counter(
                "scrapes_exceeded_body_size_limit_total",
                "Total number of scrapes that hit the body size limit",
            ),
            exemplar_out_of_order: counter(
                "scrapes_exemplar_out_of_order_total",
                "Total number of exemplar rejected due to not being out of the expected order.",
            ),
            pools: counter("scrape_pools_total", "Total number of scrape pool creation attempts."),
            pools_failed: counter(
                "scrape_pools_failed_total",
                "Total number of scrape pool creations that failed.",
            ),
            pool_reloads: counter("scrape_pool_reloads_total", "Total number of scrape pool reloads."),
            pool_reloads_failed: counter(
                "scrape_pool_reloads_failed_total",
                "Total number of failed scrape pool reloads.",
            ),
            target_limit: counter(
                "scrape_pool_exceeded_target_limit_total",
                "Total number of times scrape pools hit the target limit, during sync or config reload.",
            ),
            pool_targets: gauges("scrape_pool_targets", "Current number of targets in this scrape pool."),
            pool_target_limit: gauges(
                "scrape_pool_target_limit",
                "Maximum number of targets allowed in this scrape pool.",
            ),
            pool_syncs: registry.counter_vec(
                "prometheus_target_scrape_pool_sync_total",
                "Total number of syncs that were executed on a scrape pool.",
                job,
            ),
            sync_failed: registry.counter_vec(
                "prometheus_target_sync_failed_total",
                "Total number of target sync failures.",
                job,
            ),
            discovered: registry.gauge_vec(
                "prometheus_sd_discovered_targets",
                "Current number of discovered targets.",
                &["name", "config"],
            ),
            interval_length: IntervalLength::new(registry),
        }
    }

    /// Takes a pool that is gone out of the per-job metrics.
    pub(crate) fn forget_job(&self, job: &str) {
        self.pool_targets.remove(&[job]);
        self.pool_target_limit.remove(&[job]);
        self.pool_syncs.remove(&[job]);
        self.sync_failed.remove(&[job]);
        self.discovered.remove(&["scrape", job]);
    }
}
