//! What all handlers share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ::flags::Flags;
use arc_swap::ArcSwap;
use front::{Host, Pool};
use logql::{Engine, Limits, QueryContext};
use model::TimestampNs;
use storage::LogStore;

use crate::config::{Config, LimitsConfig};
use crate::error::ApiError;
use crate::flags::Settings;
use crate::metrics::Metrics;

/// Queries that may wait for a slot; Loki's `max_outstanding_per_tenant`.
const QUERIES_WAITING_MAX: usize = 2048;

/// Pushes in progress and waiting.
const PUSHES_RUNNING_MAX: usize = 16;
const PUSHES_WAITING_MAX: usize = 4096;

pub type Shared = Arc<App>;

pub struct App {
    /// Replaced by a reload.
    active: ArcSwap<Active>,
    /// What the process was started with.
    pub flags: Flags,
    pub store: Arc<dyn LogStore>,
    pub queries: Pool,
    pub pushes: Pool,
    pub metrics: Metrics,
    pub host: Host,
    /// Live tails, bounded by `max_concurrent_tail_requests`.
    pub tails: AtomicUsize,
    parallelism: usize,
}

/// The configuration in effect and what is made of it.
pub struct Active {
    pub config: Config,
    pub engine: Engine,
    pub ingestion: Option<TokenBucket>,
}

impl Active {
    fn new(config: Config) -> Active {
        let limits = &config.limits_config;
        let engine = Engine::new(Limits { max_query_series: limits.max_query_series, ..Limits::default() });
        let ingestion = limits.ingestion_rate_mb.filter(|mb| *mb > 0.0).map(|mb| {
            let bytes = mb * f64::from(1 << 20);
            let burst = limits.ingestion_burst_size_mb.map_or(bytes * 1.5, |mb| mb * f64::from(1 << 20));
            TokenBucket::new(bytes, burst.max(bytes))
        });
        Active { engine, ingestion, config }
    }

    pub fn limits(&self) -> &LimitsConfig {
        &self.config.limits_config
    }
}

impl App {
    pub fn new(settings: Settings, store: Arc<dyn LogStore>, host: &Host) -> Shared {
        let running_max = settings.config.querier.max_concurrent.max(1);
        let queries = Pool::new("loki_query", running_max, QUERIES_WAITING_MAX);
        let pushes = Pool::new("loki_push", PUSHES_RUNNING_MAX, PUSHES_WAITING_MAX);
        queries.register(&host.registry);
        pushes.register(&host.registry);
        Arc::new(App {
            active: ArcSwap::from_pointee(Active::new(settings.config)),
            flags: settings.flags,
            queries,
            pushes,
            metrics: Metrics::new(&host.registry),
            host: host.clone(),
            tails: AtomicUsize::new(0),
            parallelism: std::thread::available_parallelism().map_or(1, usize::from),
            store,
        })
    }

    /// The configuration in effect. Take it once per request.
    pub fn active(&self) -> Arc<Active> {
        self.active.load_full()
    }

    /// Puts a new configuration in effect.
    pub fn apply(&self, config: Config) {
        self.active.store(Arc::new(Active::new(config)));
    }

    pub fn now(&self) -> TimestampNs {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }

    /// Runs `work` on the query pool. When the client goes away, `work` finds its context cancelled.
    pub async fn query<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&App, &QueryContext) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(cancelled.clone());
        let timeout = self.active().limits().query_timeout.to_std();
        let deadline = (!timeout.is_zero()).then(|| Instant::now() + timeout);
        let context = QueryContext { deadline, cancelled, parallelism: self.parallelism };
        let app = self.clone();
        self.queries.run(move || work(&app, &context)).await?
    }
}

/// The waiting client: dropped with the request.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Bytes per second with a burst, for `ingestion_rate_mb`.
pub struct TokenBucket {
    rate: f64,
    burst: f64,
    state: Mutex<(f64, Instant)>,
}

impl TokenBucket {
    fn new(rate: f64, burst: f64) -> TokenBucket {
        TokenBucket { rate, burst, state: Mutex::new((burst, Instant::now())) }
    }

    /// Takes `bytes` if they are there.
    pub fn take(&self, bytes: usize) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let refill = now.duration_since(state.1).as_secs_f64() * self.rate;
        *state = ((state.0 + refill).min(self.burst), now);
        let enough = state.0 >= bytes as f64;
        if enough {
            state.0 -= bytes as f64;
        }
        enough
    }

    /// Bytes per second, for messages.
    pub fn rate(&self) -> u64 {
        self.rate as u64
    }
}
