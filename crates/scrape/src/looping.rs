//! The life of one target: visit, ingest, report, again.

use std::sync::Arc;
use std::time::Duration;

use model::TimestampMs;
use platform::Clock;
use storage::MetricsStore;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::cache::SeriesCache;
use crate::failure_log::FailureLog;
use crate::fetch::{Exposition, FetchError, Fetcher};
use crate::ingest::{Counts, Ingest, Rules, append_stale};
use crate::metadata::MetadataCache;
use crate::metrics::ScrapeMetrics;
use crate::report::{Report, ReportSeries};
use crate::snapshot::Health;
use crate::target::Target;

/// Scrape times within this of the ideal grid are put on it: regular timestamps compress far better, and
/// a timer is never exact.
const ALIGN_TOLERANCE_MS: i64 = 2;

/// What all loops share.
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn MetricsStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: ScrapeMetrics,
    /// How many expositions may be read at the same time; committing may wait for the disk.
    pub(crate) ingest_slots: Arc<Semaphore>,
    /// Cancelled when the process ends, which is no reason to end any series.
    pub(crate) shutdown: CancellationToken,
}

/// What all loops of one pool share.
pub(crate) struct Job {
    pub(crate) engine: Arc<Engine>,
    pub(crate) name: String,
    pub(crate) rules: Rules,
    pub(crate) fetcher: Arc<Fetcher>,
    pub(crate) extra_metrics: bool,
    pub(crate) sample_limit: u64,
    pub(crate) failure_log: Option<FailureLog>,
    pub(crate) seed: u64,
}

/// What a loop keeps between scrapes.
struct Memory {
    cache: SeriesCache,
    metadata: MetadataCache,
    report: ReportSeries,
}

/// Runs until `stop` is cancelled. `refusal` is why the whole pool may not be scraped, if so.
pub(crate) async fn run(
    job: Arc<Job>,
    target: Arc<Target>,
    stop: CancellationToken,
    refusal: tokio::sync::watch::Receiver<Option<String>>,
) {
    let interval = target.interval.to_std().max(Duration::from_millis(1));
    let offset = target.offset(job.engine.clock.now_ns(), job.seed);
    tokio::select! {
        () = stop.cancelled() => return,
        () = tokio::time::sleep(offset) => {}
    }
    let mut ticker = tokio::time::interval(interval);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut grid = Grid::new(job.engine.clock.now_ms(), target.interval.as_ms());
    let mut memory = Memory::new(&job, &target);
    let interval_name = target.interval.to_string();
    let mut last_start = None;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = ticker.tick() => {}
        }
        let t = grid.align(job.engine.clock.now_ms());
        let started = job.engine.clock.monotonic();
        if let Some(last) = last_start.replace(started) {
            let length = started.saturating_sub(last).as_secs_f64();
            job.engine.metrics.interval_length.observe(&interval_name, length);
        }
        let refused = refusal.borrow().clone();
        let fetched = match refused {
            Some(reason) => Err(FetchError::Other(reason)),
            None => tokio::select! {
                biased;
                () = stop.cancelled() => break,
                fetched = job.fetcher.clone().fetch(&target) => fetched,
            },
        };
        let Ok(slot) = job.engine.ingest_slots.clone().acquire_owned().await else { return };
        let work = {
            let (job, target) = (job.clone(), target.clone());
            move || {
                let _slot = slot;
                memory.ingest(&job, &target, fetched, t, started);
                memory
            }
        };
        memory = match tokio::task::spawn_blocking(work).await {
            Ok(memory) => memory,
            Err(e) => {
                tracing::error!(job = job.name, url = target.url, "reading an exposition failed: {e}");
                Memory::new(&job, &target)
            }
        };
    }
    end_of_run(&job, ticker, interval, memory).await;
}

/// Ends the series of a target that is gone. Another loop may take the same series over (a reload, an
/// address that comes back), so this waits until that one would have written: two intervals and a bit.
async fn end_of_run(
    job: &Arc<Job>,
    mut ticker: tokio::time::Interval,
    interval: Duration,
    mut memory: Memory,
) {
    let engine = job.engine.clone();
    let wait = async {
        ticker.tick().await;
        let t = engine.clock.now_ms();
        ticker.tick().await;
        tokio::time::sleep(interval / 10).await;
        t
    };
    let t = tokio::select! {
        () = engine.shutdown.cancelled() => return,
        t = wait => t,
    };
    let Ok(slot) = engine.ingest_slots.clone().acquire_owned().await else { return };
    let store = engine.store.clone();
    let work = move || {
        let _slot = slot;
        let mut appender = store.appender();
        append_stale(&mut *appender, &memory.cache.tracked(), t);
        memory.report.append_stale(&mut *appender, t);
        if let Err(e) = appender.commit() {
            tracing::warn!("staleness markers of a target that is gone were not stored: {e}");
        }
    };
    let _ = tokio::task::spawn_blocking(work).await;
}

impl Memory {
    fn new(job: &Job, target: &Target) -> Memory {
        let report = ReportSeries::new(&target.labels, job.extra_metrics);
        Memory { cache: SeriesCache::default(), metadata: MetadataCache::default(), report }
    }

    /// Stores one scrape, good or bad, as one batch.
    fn ingest(
        &mut self,
        job: &Job,
        target: &Target,
        fetched: Result<Exposition, FetchError>,
        t: TimestampMs,
        started: Duration,
    ) {
        let engine = &job.engine;
        let mut appender = engine.store.appender();
        self.cache.begin();
        let mut counts = Counts::default();
        let mut body_bytes = 0;
        let mut error = None;
        match fetched {
            Ok(exposition) => {
                body_bytes = exposition.body.len() as i64;
                let (rules, labels) = (&job.rules, &target.labels);
                let (cache, metadata) = (&mut self.cache, &mut self.metadata);
                let mut ingest = Ingest::new(rules, labels, cache, metadata, &engine.metrics, t);
                let (seen, result) = ingest.body(&mut *appender, &exposition.body, exposition.dialect);
                counts = seen;
                if let Err(e) = result {
                    error = Some(e);
                    // Nothing of a bad exposition is kept; what the last one had is ended below.
                    appender = engine.store.appender();
                    self.cache.roll_back();
                }
            }
            Err(FetchError::BodySizeLimit) => {
                engine.metrics.body_size.inc();
                body_bytes = -1;
                error = Some("body size limit exceeded".to_owned());
            }
            Err(FetchError::Other(e)) => error = Some(e),
        }
        append_stale(&mut *appender, &self.cache.vanished(), t);
        self.cache.end();

        let duration_seconds = engine.clock.monotonic().saturating_sub(started).as_secs_f64();
        let report = Report {
            up: error.is_none(),
            duration_seconds,
            scraped: counts.scraped,
            post_relabel: counts.post_relabel,
            series_added: counts.series_added,
            timeout_seconds: target.timeout.as_ms() as f64 / 1000.0,
            sample_limit: job.sample_limit,
            body_bytes,
        };
        self.report.append(&mut *appender, t, &report);
        if let Err(e) = appender.commit() {
            tracing::error!(job = job.name, url = target.url, "Scrape commit failed: {e}");
            error.get_or_insert_with(|| e.to_string());
        }
        if let (Some(log), Some(error)) = (&job.failure_log, &error) {
            log.write(t, &job.name, &target.url, error);
        }
        self.publish(target, error, t, duration_seconds);
    }

    /// Lets status pages see the outcome.
    fn publish(&mut self, target: &Target, error: Option<String>, t: TimestampMs, duration_seconds: f64) {
        let families = self.metadata.publish();
        let mut state = target.state();
        state.health = if error.is_none() { Health::Up } else { Health::Down };
        state.last_error = error.unwrap_or_default();
        state.last_scrape_ms = Some(t);
        state.last_duration_seconds = duration_seconds;
        if let Some(families) = families {
            state.metadata = families;
        }
    }
}

/// The ideal times of a loop's scrapes.
struct Grid {
    at: TimestampMs,
    interval_ms: i64,
    tolerance_ms: i64,
}

impl Grid {
    fn new(start: TimestampMs, interval_ms: i64) -> Grid {
        let interval_ms = interval_ms.max(1);
        // Short intervals have no room for moving samples about.
        let tolerance_ms = if interval_ms > 100 * ALIGN_TOLERANCE_MS { ALIGN_TOLERANCE_MS } else { 0 };
        Grid { at: start, interval_ms, tolerance_ms }
    }

    fn align(&mut self, now: TimestampMs) -> TimestampMs {
        let late = now - self.at;
        if late >= self.interval_ms {
            self.at += late / self.interval_ms * self.interval_ms;
        }
        let late = now - self.at;
        if (0..=self.tolerance_ms).contains(&late) { self.at } else { now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrape_times_fall_on_a_grid() {
        let mut grid = Grid::new(1_000, 15_000);
        let mut check = |now: i64, expected: i64| assert_eq!(grid.align(now), expected);
        check(1_001, 1_000);
        check(16_002, 16_000);
        check(31_003, 31_003);
        check(46_000, 46_000);
        check(106_001, 106_000);
        let mut short = Grid::new(0, 100);
        assert_eq!(short.align(101), 101);
    }
}
