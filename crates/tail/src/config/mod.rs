//! Promtail's configuration file: its keys, its defaults, and what is refused by name.

mod clients;
mod scrape;
mod stages;

use std::path::PathBuf;

use config::{ConfigError, Duration, Validate};
use serde::Deserialize;
use serde::de::IgnoredAny;

pub use clients::{Backoff, ClientConfig};
pub use scrape::{JournalConfig, ScrapeConfig};
pub use stages::*;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub positions: PositionsConfig,
    pub client: Option<ClientConfig>,
    pub clients: Vec<ClientConfig>,
    pub scrape_configs: Vec<ScrapeConfig>,
    pub target_config: TargetConfig,
    pub limits_config: LimitsConfig,
    pub global: GlobalConfig,
    pub options: OptionsConfig,
    /// Accepted; there is nothing to trace.
    tracing: Option<IgnoredAny>,
    /// Accepted: what is on its way is always kept beside the positions file.
    wal: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    pub disable: bool,
    pub http_listen_address: String,
    pub http_listen_port: u16,
    pub enable_runtime_reload: bool,
    pub health_check_target: bool,
    pub log_level: String,
    pub external_url: String,
    // Accepted and without meaning here.
    http_listen_network: Option<IgnoredAny>,
    http_listen_conn_limit: Option<IgnoredAny>,
    grpc_listen_network: Option<IgnoredAny>,
    grpc_listen_address: Option<IgnoredAny>,
    grpc_listen_port: Option<IgnoredAny>,
    grpc_listen_conn_limit: Option<IgnoredAny>,
    grpc_server_max_recv_msg_size: Option<IgnoredAny>,
    grpc_server_max_send_msg_size: Option<IgnoredAny>,
    grpc_server_max_concurrent_streams: Option<IgnoredAny>,
    http_server_read_timeout: Option<IgnoredAny>,
    http_server_write_timeout: Option<IgnoredAny>,
    http_server_idle_timeout: Option<IgnoredAny>,
    http_path_prefix: Option<IgnoredAny>,
    graceful_shutdown_timeout: Option<IgnoredAny>,
    log_format: Option<IgnoredAny>,
    log_source_ips_enabled: Option<IgnoredAny>,
    log_request_headers: Option<IgnoredAny>,
    register_instrumentation: Option<IgnoredAny>,
    profiling_enabled: Option<IgnoredAny>,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            disable: false,
            http_listen_address: String::new(),
            // The flag's own default is 80; every sample file says 9080.
            http_listen_port: 9080,
            enable_runtime_reload: false,
            health_check_target: true,
            log_level: String::new(),
            external_url: String::new(),
            http_listen_network: None,
            http_listen_conn_limit: None,
            grpc_listen_network: None,
            grpc_listen_address: None,
            grpc_listen_port: None,
            grpc_listen_conn_limit: None,
            grpc_server_max_recv_msg_size: None,
            grpc_server_max_send_msg_size: None,
            grpc_server_max_concurrent_streams: None,
            http_server_read_timeout: None,
            http_server_write_timeout: None,
            http_server_idle_timeout: None,
            http_path_prefix: None,
            graceful_shutdown_timeout: None,
            log_format: None,
            log_source_ips_enabled: None,
            log_request_headers: None,
            register_instrumentation: None,
            profiling_enabled: None,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PositionsConfig {
    pub filename: PathBuf,
    /// Accepted: positions are written when a push was acknowledged.
    pub sync_period: Duration,
    pub ignore_invalid_yaml: bool,
}

impl Default for PositionsConfig {
    fn default() -> PositionsConfig {
        PositionsConfig {
            filename: PathBuf::from("/var/log/positions.yaml"),
            sync_period: Duration::from_secs(10),
            ignore_invalid_yaml: false,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetConfig {
    /// How often patterns are looked up again.
    pub sync_period: Duration,
    pub stdin: bool,
}

impl Default for TargetConfig {
    fn default() -> TargetConfig {
        TargetConfig { sync_period: Duration::from_secs(10), stdin: false }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    pub readline_rate: f64,
    pub readline_burst: f64,
    pub readline_rate_enabled: bool,
    pub readline_rate_drop: bool,
    pub max_streams: u64,
    /// Bytes of a line; zero means [`crate::LINE_BYTES_MAX`].
    pub max_line_size: ByteSize,
    pub max_line_size_truncate: bool,
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        LimitsConfig {
            readline_rate: 10_000.0,
            readline_burst: 10_000.0,
            readline_rate_enabled: false,
            readline_rate_drop: true,
            max_streams: 0,
            max_line_size: ByteSize(0),
            max_line_size_truncate: false,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlobalConfig {
    /// Accepted: changes are heard of at once.
    file_watch_config: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptionsConfig {
    /// Label names that are copied to the metric `promtail_stream_lag_seconds` in the original.
    stream_lag_labels: Option<IgnoredAny>,
}

/// A size: `42`, `256kb`, `1MB`. Units are binary, as in the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByteSize(pub u64);

impl std::str::FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<ByteSize, String> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1u64,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            _ => return Err(format!("not a valid size: {text:?}")),
        };
        let number: f64 = number.parse().map_err(|_| format!("not a valid size: {text:?}"))?;
        Ok(ByteSize((number * factor as f64) as u64))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Config {
    /// Parses a file's text; `file` is its name in errors.
    pub fn parse(file: &str, text: &str) -> Result<Config, ConfigError> {
        config::parse(file, text)
    }

    pub fn all_clients(&self) -> impl Iterator<Item = &ClientConfig> {
        self.client.iter().chain(&self.clients)
    }
}

impl Validate for Config {
    fn validate(&mut self) -> Result<(), String> {
        for client in self.all_clients() {
            client.validate()?;
        }
        let mut names = std::collections::BTreeSet::new();
        for scrape in &self.scrape_configs {
            if !names.insert(&scrape.job_name) {
                return Err(format!(
                    "found multiple scrape configs with job name {:?}; job names must be unique",
                    scrape.job_name
                ));
            }
            scrape.validate().map_err(|e| format!("scrape config {:?}: {e}", scrape.job_name))?;
        }
        if self.limits_config.max_streams > 0 {
            return Err("limits_config.max_streams is not supported".into());
        }
        if self.target_config.stdin {
            return Err("target_config.stdin is not supported: name files with __path__".into());
        }
        Ok(())
    }
}

/// A key that is known and cannot be used: says so by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refused;

impl<'de> Deserialize<'de> for Refused {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Refused, D::Error> {
        IgnoredAny::deserialize(deserializer)?;
        Ok(Refused)
    }
}

#[cfg(test)]
mod tests;
