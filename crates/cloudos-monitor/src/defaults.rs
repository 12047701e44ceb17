//! The default configuration: the repository's own files, also built into the binary.
//!
//! A checkout (or any directory with `prometheus/prometheus.yml`) is used as it is. Started elsewhere, the
//! built-in copies are written to `<data>/config` once, where a person can read and edit them.

use std::io;
use std::path::{Path, PathBuf};

/// Path below the configuration directory, and content.
const FILES: &[(&str, &str)] = &[
    ("prometheus/prometheus.yml", include_str!("../../../prometheus/prometheus.yml")),
    ("prometheus/alerts/cloudos_alerts.yml", include_str!("../../../prometheus/alerts/cloudos_alerts.yml")),
    ("prometheus/alerts/self_monitoring.yml", include_str!("../../../prometheus/alerts/self_monitoring.yml")),
    ("prometheus/alerts/host.yml", include_str!("../../../prometheus/alerts/host.yml")),
    ("prometheus/alerts/containers.yml", include_str!("../../../prometheus/alerts/containers.yml")),
    ("prometheus/alerts/stack.yml", include_str!("../../../prometheus/alerts/stack.yml")),
    ("prometheus/alerts/certificates.yml", include_str!("../../../prometheus/alerts/certificates.yml")),
    ("prometheus/rules/recording.yml", include_str!("../../../prometheus/rules/recording.yml")),
    ("alertmanager/alertmanager.yml", include_str!("../../../alertmanager/alertmanager.yml")),
    ("loki/loki-config.yml", include_str!("../../../loki/loki-config.yml")),
    ("promtail/promtail-config.yml", include_str!("../../../promtail/promtail-config.yml")),
    ("jaeger/jaeger.yml", include_str!("../../../jaeger/jaeger.yml")),
    (
        "grafana/provisioning/datasources/datasources.yml",
        include_str!("../../../grafana/provisioning/datasources/datasources.yml"),
    ),
    (
        "grafana/provisioning/dashboards/dashboards.yml",
        include_str!("../../../grafana/provisioning/dashboards/dashboards.yml"),
    ),
    (
        "grafana/dashboards/system-overview.json",
        include_str!("../../../grafana/dashboards/system-overview.json"),
    ),
    (
        "grafana/dashboards/container-metrics.json",
        include_str!("../../../grafana/dashboards/container-metrics.json"),
    ),
    ("grafana/dashboards/hosts-use.json", include_str!("../../../grafana/dashboards/hosts-use.json")),
    ("grafana/dashboards/ai-engine.json", include_str!("../../../grafana/dashboards/ai-engine.json")),
    (
        "grafana/dashboards/security-monitoring.json",
        include_str!("../../../grafana/dashboards/security-monitoring.json"),
    ),
    (
        "grafana/dashboards/cluster-health.json",
        include_str!("../../../grafana/dashboards/cluster-health.json"),
    ),
];

/// A directory that holds this file is a configuration directory.
const MARK: &str = "prometheus/prometheus.yml";

/// Finds the configuration directory: the given one, else the working directory when it holds one, else
/// the built-in copies below `data`.
pub fn locate(given: Option<&Path>, data: &Path) -> io::Result<PathBuf> {
    if let Some(dir) = given {
        if !dir.join(MARK).is_file() {
            let message = format!("{} has no {MARK}: is it a configuration directory?", dir.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        return Ok(dir.to_owned());
    }
    let here = std::env::current_dir()?;
    if here.join(MARK).is_file() {
        return Ok(here);
    }
    let dir = data.join("config");
    for (path, content) in FILES {
        let path = dir.join(path);
        // A file that exists may have been edited: it stays.
        if !path.exists() {
            write(&path, content).map_err(|e| {
                let message = format!("cannot write {}: {e}", path.display());
                io::Error::new(e.kind(), message)
            })?;
        }
    }
    Ok(dir)
}

/// Whole or not at all: what a crash cut short would stay as it is for ever.
fn write(path: &Path, content: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let unfinished = path.with_extension("tmp");
    std::fs::write(&unfinished, content)?;
    std::fs::rename(&unfinished, path)
}
