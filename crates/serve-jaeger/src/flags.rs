//! Flags, and what they and the configuration file mean together.

use std::path::Path;

use flags::{Flag, FlagError, Flags};

use crate::config::Config;

pub const FLAGS: &[Flag] = &[
    Flag::value(
        "config",
        "",
        "Configuration file in Jaeger v2's form. Without one, everything runs with defaults.",
    ),
    Flag::value(
        "storage.path",
        "",
        "Where traces are kept. Default: the file's badger directory, else data/jaeger_data.",
    ),
    Flag::value("storage.retention.time", "", "How long traces are kept. Default: the file's ttl, else 7d."),
    Flag::value(
        "query.http-server.host-port",
        "",
        "Address of the query API and pages. Default 127.0.0.1:16686.",
    ),
    Flag::value("collector.otlp.grpc.host-port", "", "Address for OTLP over gRPC. Default 127.0.0.1:4317."),
    Flag::value("collector.otlp.http.host-port", "", "Address for OTLP over HTTP. Default 127.0.0.1:4318."),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub query_address: String,
    pub grpc_address: String,
    pub http_address: String,
    pub storage_path: String,
    pub retention_ms: i64,
}

/// Kept this long unless flag or file say otherwise.
const RETENTION_MS_DEFAULT: i64 = 7 * 86_400_000;

impl Settings {
    pub fn from_flags(flags: &Flags) -> Result<Settings, FlagError> {
        let config = match flags.get("config") {
            "" => Config::default(),
            file => Config::load(Path::new(file.strip_prefix("file:").unwrap_or(file)))
                .map_err(|e| FlagError::Bad(e.to_string()))?,
        };
        let pick = |flag: &str, file: Option<String>, default: &str| match flags.get(flag) {
            "" => file.unwrap_or_else(|| default.to_owned()),
            given => given.to_owned(),
        };
        let retention_ms = match flags.get("storage.retention.time") {
            "" => config.retention_ms().unwrap_or(RETENTION_MS_DEFAULT),
            _ => flags.duration_ms("storage.retention.time")?,
        };
        Ok(Settings {
            query_address: pick("query.http-server.host-port", config.query_endpoint(), "127.0.0.1:16686"),
            grpc_address: pick("collector.otlp.grpc.host-port", config.grpc_endpoint(), "127.0.0.1:4317"),
            http_address: pick("collector.otlp.http.host-port", config.http_endpoint(), "127.0.0.1:4318"),
            storage_path: pick("storage.path", config.directory(), "data/jaeger_data"),
            retention_ms,
        })
    }
}
