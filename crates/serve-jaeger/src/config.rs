//! Jaeger v2's configuration file, as far as it concerns us: endpoints, directory, retention.
//!
//! The file describes an OpenTelemetry Collector; most of it is about components we do not have. Those we
//! know of are accepted, so that existing files load; a storage backend of another database is mapped to
//! ours with a warning.

use std::collections::BTreeMap;
use std::path::Path;

use config::{ConfigError, Validate};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    service: Value,
    #[serde(deserialize_with = "section")]
    extensions: BTreeMap<String, Value>,
    #[serde(deserialize_with = "section")]
    receivers: BTreeMap<String, Value>,
    #[serde(deserialize_with = "section")]
    processors: BTreeMap<String, Value>,
    #[serde(deserialize_with = "section")]
    exporters: BTreeMap<String, Value>,
    #[serde(deserialize_with = "section")]
    connectors: BTreeMap<String, Value>,
}

/// A section that is named and left empty is an empty one.
fn section<'de, D: serde::Deserializer<'de>>(d: D) -> Result<BTreeMap<String, Value>, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

const RECEIVERS: &[&str] = &["otlp", "jaeger", "zipkin", "kafka", "nop"];
const EXTENSIONS: &[&str] = &[
    "jaeger_storage",
    "jaeger_query",
    "remote_sampling",
    "healthcheckv2",
    "expvar",
    "zpages",
    "pprof",
    "remote_storage",
    "basicauth",
    "sigv4auth",
];

impl Validate for Config {
    fn validate(&mut self) -> Result<(), String> {
        let known = |kind: &str, names: &BTreeMap<String, Value>, known: &[&str]| {
            let base = |name: &str| name.split('/').next().unwrap_or(name).to_owned();
            match names.keys().find(|name| !known.contains(&base(name).as_str())) {
                Some(name) => Err(format!("'{kind}' unknown type: {name:?} (valid values: {known:?})")),
                None => Ok(()),
            }
        };
        known("receivers", &self.receivers, RECEIVERS)?;
        known("extensions", &self.extensions, EXTENSIONS)?;
        if let Some(ttl) = self.ttl() {
            model::duration::parse(ttl).map_err(|e| format!("jaeger_storage: badger: ttl: spans: {e}"))?;
        }
        for name in self.receivers.keys().filter(|name| *name != "otlp" && *name != "nop") {
            tracing::warn!("the {name} receiver is not available yet: spans arrive by OTLP only");
        }
        Ok(())
    }
}

impl Config {
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = config::read(path)?;
        // Jaeger's own notation is ${env:NAME:-default}.
        let text = text.replace("${env:", "${");
        let text = config::expand_env(&text, |name| std::env::var(name).ok());
        config::parse(&path.display().to_string(), &text)
    }

    fn endpoint(value: &Value) -> Option<String> {
        value["endpoint"].as_str().map(|e| e.replace("localhost:", "127.0.0.1:"))
    }

    pub fn query_endpoint(&self) -> Option<String> {
        Config::endpoint(&self.extensions.get("jaeger_query")?["http"])
    }

    pub fn grpc_endpoint(&self) -> Option<String> {
        Config::endpoint(&self.receivers.get("otlp")?["protocols"]["grpc"])
    }

    pub fn http_endpoint(&self) -> Option<String> {
        Config::endpoint(&self.receivers.get("otlp")?["protocols"]["http"])
    }

    /// The backend that `jaeger_query` reads from, else the first one.
    fn backend(&self) -> Option<&Value> {
        let backends = self.extensions.get("jaeger_storage")?["backends"].as_object()?;
        let named = self.extensions.get("jaeger_query").and_then(|q| q["storage"]["traces"].as_str());
        named.and_then(|name| backends.get(name)).or_else(|| backends.values().next())
    }

    pub fn directory(&self) -> Option<String> {
        self.backend()?["badger"]["directories"]["values"].as_str().map(str::to_owned)
    }

    fn ttl(&self) -> Option<&str> {
        self.backend()?["badger"]["ttl"]["spans"].as_str()
    }

    pub fn retention_ms(&self) -> Option<i64> {
        model::duration::parse(self.ttl()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(file.path())
    }

    #[test]
    fn what_concerns_us_is_read() {
        let text = "
extensions:
  jaeger_storage: {backends: {a: {memory: {}}, b: {badger: {directories: {values: '${env:NO_SUCH:-dir}/x'}, ttl: {spans: 168h}}}}}
  jaeger_query: {storage: {traces: b}, http: {endpoint: 'localhost:1'}}
receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost:2'}, http: }}}
";
        let c = load(text).unwrap();
        assert_eq!(c.directory().as_deref(), Some("dir/x"));
        assert_eq!(c.retention_ms(), Some(7 * 86_400_000));
        assert_eq!(
            (c.query_endpoint().as_deref(), c.grpc_endpoint().as_deref()),
            (Some("127.0.0.1:1"), Some("127.0.0.1:2"))
        );
        assert_eq!(c.http_endpoint(), None);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| load(text).unwrap_err();
        assert_eq!(error("extension: {}\n").line(), Some(1));
        assert!(error("receivers: {otpl: {}}\n").to_string().contains("unknown type: \"otpl\""));
        let ttl = error("extensions: {jaeger_storage: {backends: {a: {badger: {ttl: {spans: soon}}}}}}\n");
        assert!(ttl.to_string().contains("ttl: spans: not a valid duration string: \"soon\""), "{ttl}");
    }

    #[test]
    fn the_originals_files_load() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/jaeger/config");
        let Ok(entries) = std::fs::read_dir(&dir) else {
            println!("skipped: {} is not there", dir.display());
            return;
        };
        let mut loaded = 0;
        for path in entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        {
            if let Err(e) = Config::load(&path) {
                panic!("{e}");
            }
            loaded += 1;
        }
        assert!(loaded > 20, "only {loaded} files");
    }
}
