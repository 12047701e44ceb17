//! Flags of the Prometheus service.

use std::path::PathBuf;
use std::time::Duration;

use flags::{Flag, FlagError, Flags};

pub const FLAGS: &[Flag] = &[
    Flag::value("config.file", "prometheus.yml", "Prometheus configuration file path."),
    Flag::list(
        "web.listen-address",
        "Address to listen on for UI, API, and telemetry. Default 127.0.0.1:9090.",
    ),
    Flag::value("web.external-url", "", "The URL under which Prometheus is externally reachable."),
    Flag::switch("web.enable-lifecycle", false, "Enable shutdown and reload via HTTP request."),
    Flag::switch("web.enable-admin-api", false, "Enable API endpoints for admin control actions."),
    Flag::switch(
        "web.enable-remote-write-receiver",
        false,
        "Enable API endpoint accepting remote write requests.",
    ),
    Flag::value("storage.tsdb.path", "data/", "Base path for metrics storage."),
    Flag::value("storage.tsdb.retention.time", "", "How long to retain samples in storage. Default 15d."),
    Flag::value("storage.tsdb.retention.size", "", "Maximum bytes that can be stored, such as 512MB or 2GB."),
    Flag::value(
        "rules.alert.for-outage-tolerance",
        "1h",
        "Max time to tolerate an outage for restoring the for state of an alert.",
    ),
    Flag::value(
        "rules.alert.for-grace-period",
        "10m",
        "Minimum duration between an alert and its restored for state.",
    ),
    Flag::value(
        "rules.alert.resend-delay",
        "1m",
        "Minimum time to wait before resending an alert to Alertmanager.",
    ),
    Flag::value(
        "alertmanager.notification-queue-capacity",
        "10000",
        "The capacity of the queue for pending Alertmanager notifications.",
    ),
    Flag::value("query.lookback-delta", "5m", "The maximum lookback duration for retrieving metrics."),
    Flag::value("query.timeout", "2m", "Maximum time a query may take before being aborted."),
    Flag::value("query.max-concurrency", "20", "Maximum number of queries executed concurrently."),
    Flag::value(
        "query.max-samples",
        "50000000",
        "Maximum number of samples a single query can load into memory.",
    ),
    Flag::value("log.level", "info", "Least level that is logged: debug, info, warn, error."),
    Flag::value("log.format", "logfmt", "Form of log lines: logfmt."),
    // Parts of many unit files. They ask for nothing that could be missing: the store compresses and cuts its
    // files as it sees fit, and whoever sets the paths of console templates by habit has none.
    Flag::switch("storage.tsdb.wal-compression", true, "Accepted; the log has a format of its own."),
    Flag::switch("storage.tsdb.no-lockfile", false, "Accepted; there is no lock file."),
    Flag::value("storage.tsdb.min-block-duration", "", "Accepted; the store chooses its parts."),
    Flag::value("storage.tsdb.max-block-duration", "", "Accepted; the store chooses its parts."),
    Flag::value("web.console.templates", "", "Accepted; console templates are not served."),
    Flag::value("web.console.libraries", "", "Accepted; console templates are not served."),
];

/// What the flags mean.
#[derive(Debug, Clone)]
pub struct Settings {
    pub config_file: PathBuf,
    pub listen_address: String,
    pub external_url: String,
    pub lifecycle: bool,
    pub admin: bool,
    pub remote_write_receiver: bool,
    pub storage_path: PathBuf,
    /// `None` when no flag says so; the configuration file may.
    pub retention_ms: Option<i64>,
    pub retention_bytes: Option<u64>,
    pub outage_tolerance_ms: i64,
    pub grace_ms: i64,
    pub resend_ms: i64,
    pub notification_queue: usize,
    pub lookback_ms: i64,
    pub query_timeout: Duration,
    pub query_concurrency: usize,
    pub query_samples_max: usize,
}

impl Settings {
    pub fn from_flags(flags: &Flags) -> Result<Settings, FlagError> {
        let listen = flags.all("web.listen-address");
        if listen.len() > 1 {
            return Err(FlagError::Bad("more than one --web.listen-address is not available yet".into()));
        }
        let listen_address = listen.first().map_or("127.0.0.1:9090", String::as_str).to_owned();
        let external = flags.get("web.external-url").trim_end_matches('/');
        let external_url = match external {
            "" => format!("http://localhost:{}", listen_address.rsplit(':').next().unwrap_or("9090")),
            given => given.to_owned(),
        };
        let retention_bytes = match flags.get("storage.tsdb.retention.size") {
            "" => None,
            text => {
                let bad = |e| FlagError::Bad(format!("--storage.tsdb.retention.size: {e}"));
                Some(text.parse::<scrape::config::ByteSize>().map_err(bad)?.0)
            }
        };
        let retention_ms = match flags.get("storage.tsdb.retention.time") {
            "" => None,
            _ => Some(flags.duration_ms("storage.tsdb.retention.time")?),
        };
        Ok(Settings {
            config_file: flags.get("config.file").into(),
            listen_address,
            external_url,
            lifecycle: flags.is_on("web.enable-lifecycle"),
            admin: flags.is_on("web.enable-admin-api"),
            remote_write_receiver: flags.is_on("web.enable-remote-write-receiver"),
            storage_path: flags.get("storage.tsdb.path").into(),
            retention_ms,
            retention_bytes,
            outage_tolerance_ms: flags.duration_ms("rules.alert.for-outage-tolerance")?,
            grace_ms: flags.duration_ms("rules.alert.for-grace-period")?,
            resend_ms: flags.duration_ms("rules.alert.resend-delay")?,
            notification_queue: flags.number("alertmanager.notification-queue-capacity")?,
            lookback_ms: flags.duration_ms("query.lookback-delta")?,
            query_timeout: Duration::from_millis(flags.duration_ms("query.timeout")?.max(1) as u64),
            query_concurrency: flags.number::<usize>("query.max-concurrency")?.max(1),
            query_samples_max: flags.number("query.max-samples")?,
        })
    }
}
