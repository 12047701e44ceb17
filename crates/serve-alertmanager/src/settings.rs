//! What the flags mean.

use std::path::PathBuf;
use std::time::Duration;

use alerting::{Limits, MatcherMode, Options};
use flags::Flags;

use crate::flags::FLAGS;

/// Features of the original that change nothing here: their metrics are not offered yet.
const IGNORED_FEATURES: [&str; 6] = [
    "alert-names-in-metrics",
    "receiver-name-in-metrics",
    "group-key-in-metrics",
    "auto-gomemlimit",
    "auto-gomaxprocs",
    "event-recorder",
];

#[derive(Clone)]
pub struct Settings {
    pub config_file: PathBuf,
    pub listen: Vec<String>,
    /// As given; empty means "made from host name and port".
    pub external_url: String,
    /// As given; empty means the external URL's path.
    pub route_prefix: String,
    pub options: Options,
    pub get_concurrency: usize,
    /// Shown by the status API; `None` when high availability is off.
    pub cluster_address: Option<String>,
    pub peer_name: String,
}

impl Settings {
    pub fn from_flags(flags: &Flags) -> Result<Settings, String> {
        let number = |name: &str| flags.number::<usize>(name).map_err(|e| e.to_string());
        let duration = |name: &str| -> Result<Duration, String> {
            let ms = flags.duration_ms(name).map_err(|e| e.to_string())?;
            Ok(Duration::from_millis(ms.unsigned_abs()))
        };
        // Every duration is read, so that a mistyped one is known even where it has no effect yet.
        for flag in FLAGS.iter().filter(|f| f.name.ends_with("-timeout") || f.name.ends_with("-interval")) {
            duration(flag.name)?;
        }
        if let Some(peer) = flags.all("cluster.peer").first() {
            return Err(format!("--cluster.peer={peer}: clustering is not available yet"));
        }
        for (name, what) in
            [("web.config.file", "TLS and authentication are"), ("cluster.tls-config", "clustering is")]
        {
            if !flags.get(name).is_empty() {
                return Err(format!("--{name}: {what} not available yet"));
            }
        }
        if flags.is_on("web.systemd-socket") {
            return Err("--web.systemd-socket: socket activation is not available yet".into());
        }
        if number("alerts.per-alertname-limit")? != 0 {
            return Err("--alerts.per-alertname-limit: a limit per alertname is not available yet".into());
        }
        if duration("dispatch.start-delay")? != Duration::ZERO {
            return Err("--dispatch.start-delay: a start delay is not available yet".into());
        }
        if duration("web.timeout")? != Duration::ZERO {
            return Err("--web.timeout: a request timeout is not available yet".into());
        }
        let maintenance = |name: &str| -> Result<Duration, String> {
            match duration(name)? {
                Duration::ZERO => Err(format!("--{name} must be greater than zero")),
                interval => Ok(interval),
            }
        };
        let options = Options {
            storage_path: PathBuf::from(flags.get("storage.path")),
            retention: duration("data.retention")?,
            maintenance_interval: maintenance("data.maintenance-interval")?,
            alert_gc_interval: maintenance("alerts.gc-interval")?,
            dispatch_maintenance_interval: maintenance("dispatch.maintenance-interval")?,
            limits: Limits {
                alerts: number("alerts.max-alerts")?,
                silences: number("silences.max-silences")?,
                silence_bytes: number("silences.max-silence-size-bytes")?,
            },
            matcher_mode: matcher_mode(flags.get("enable-feature"))?,
        };
        let listen = match flags.all("web.listen-address") {
            [] => vec![":9093".to_owned()],
            given => given.to_vec(),
        };
        // Alone by default: the gossip port is not opened, so nothing is claimed about it.
        let cluster = flags.get("cluster.listen-address");
        let cluster_address =
            (flags.is_given("cluster.listen-address") && !cluster.is_empty()).then(|| cluster.to_owned());
        Ok(Settings {
            config_file: PathBuf::from(flags.get("config.file")),
            listen,
            external_url: flags.get("web.external-url").to_owned(),
            route_prefix: flags.get("web.route-prefix").to_owned(),
            options,
            get_concurrency: number("web.get-concurrency")?,
            cluster_address,
            peer_name: flags.get("cluster.peer-name").to_owned(),
        })
    }
}

fn matcher_mode(features: &str) -> Result<MatcherMode, String> {
    let mut mode = MatcherMode::Fallback;
    for feature in features.split(',').map(str::trim).filter(|f| !f.is_empty()) {
        mode = match feature {
            "classic-mode" => MatcherMode::Classic,
            "utf8-strict-mode" => MatcherMode::Utf8,
            known if IGNORED_FEATURES.contains(&known) => {
                tracing::warn!(service = "alertmanager", "feature {known:?} has no effect yet");
                mode
            }
            unknown => return Err(format!("unknown option '{unknown}' for --enable-feature")),
        };
    }
    Ok(mode)
}
