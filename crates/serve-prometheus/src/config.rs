//! `prometheus.yml`: what was written, checked as a whole.

use std::path::{Path, PathBuf};

use config::section::{Section, refuse};
use config::{ConfigError, Duration, Validate};
use relabel::RelabelConfig;
use rules::AlertmanagerConfig;
use scrape::{Global, ScrapeConfig};
use serde::Deserialize;
use serde::de::MapAccess;
use serde_json::Value;

/// The whole file.
#[derive(Debug, Default)]
pub struct Config {
    pub global: Global,
    pub alerting: Alerting,
    pub rule_files: Vec<String>,
    pub scrape_config_files: Vec<String>,
    pub scrape_configs: Vec<ScrapeConfig>,
    pub storage: Storage,
    /// The file's text, secrets masked; what `/api/v1/status/config` shows.
    shown: String,
    /// Rule files, patterns resolved.
    pub rule_paths: Vec<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alerting {
    pub alert_relabel_configs: Vec<RelabelConfig>,
    pub alertmanagers: Vec<AlertmanagerConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    pub tsdb: Tsdb,
    pub exemplars: Exemplars,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tsdb {
    pub out_of_order_time_window: Duration,
    pub retention: Retention,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    pub time: Option<Duration>,
    pub size: Option<scrape::config::ByteSize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exemplars {
    pub max_exemplars: Option<usize>,
}

/// Sections of the original that have nothing behind them yet. An empty one is harmless.
const MISSING: &[&str] = &["remote_write", "remote_read", "tracing", "otlp"];

impl Section for Config {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "global" => self.global = map.next_value()?,
            "alerting" => self.alerting = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "rule_files" => self.rule_files = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "scrape_config_files" => {
                self.scrape_config_files = map.next_value::<Option<_>>()?.unwrap_or_default();
            }
            "scrape_configs" => self.scrape_configs = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "storage" => self.storage = map.next_value::<Option<_>>()?.unwrap_or_default(),
            // Settings of the original's runtime: nothing of the kind exists here.
            "runtime" => drop(map.next_value::<Value>()?),
            key if MISSING.contains(&key) => map.next_value_seed(Missing(key))?,
            key => return Err(refuse(map, format!("field {key} not found in type config.plain"))),
        }
        Ok(true)
    }
}

/// Accepts nothing but nothing.
struct Missing<'k>(&'k str);

impl<'de> serde::de::DeserializeSeed<'de> for Missing<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> serde::de::Visitor<'de> for Missing<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an empty section: {} is not available yet", self.0)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        items.next_element_seed(Refused(self.0)).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        match map.next_key::<String>()? {
            None => Ok(()),
            Some(_) => map.next_value_seed(Refused(self.0)),
        }
    }
}

/// Fails where it stands.
struct Refused<'k>(&'k str);

impl<'de> serde::de::DeserializeSeed<'de> for Refused<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Err(serde::de::Error::custom(format!("{} is not available yet", self.0)))
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Config, D::Error> {
        config::section::deserialize(deserializer)
    }
}

impl Validate for Config {
    fn validate(&mut self) -> Result<(), String> {
        self.global.validate()?;
        ScrapeConfig::inherit_all(&mut self.scrape_configs, &self.global)?;
        self.alerting.alertmanagers.iter().try_for_each(AlertmanagerConfig::validate)
    }
}

/// A file of `scrape_config_files`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ScrapeFile {
    scrape_configs: Vec<ScrapeConfig>,
}

impl Config {
    /// Reads the file and everything it names but the rules, which the rule manager checks.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let (file, text) = (path.display().to_string(), config::read(path)?);
        let mut config: Config = config::parse(&file, &text)?;
        let directory = path.parent().unwrap_or(Path::new("."));
        let glob =
            |pattern: &str| config::glob(&directory.join(pattern)).map_err(|e| ConfigError::new(&file, e));
        for pattern in &config.scrape_config_files.clone() {
            for path in glob(pattern)? {
                let name = path.display().to_string();
                let more: ScrapeFile = config::parse_unchecked(&name, &config::read(&path)?)?;
                config.scrape_configs.extend(more.scrape_configs);
            }
        }
        ScrapeConfig::inherit_all(&mut config.scrape_configs, &config.global)
            .map_err(|e| ConfigError::new(&file, e))?;
        for pattern in &config.rule_files {
            config.rule_paths.extend(glob(pattern)?);
        }
        config.rule_paths.dedup();
        config.scrape_configs.iter_mut().for_each(|c| c.set_directory(directory));
        config.alerting.alertmanagers.iter_mut().for_each(|c| c.set_directory(directory));
        config.shown = masked(&text);
        Ok(config)
    }

    pub fn as_yaml(&self) -> &str {
        &self.shown
    }
}

/// Keys whose values are nobody's business.
const SECRET_KEYS: &[&str] =
    &["password", "credentials", "bearer_token", "client_secret", "secret_key", "key", "secrets", "token"];

/// Replaces the values of secret keys, line by line, so that comments and order stay.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let body = line.trim_start().trim_start_matches("- ").trim_start();
        let secret = body.split_once(':').is_some_and(|(key, value)| {
            SECRET_KEYS.contains(&key.trim_matches(['"', '\''])) && !value.trim().is_empty()
        });
        match line.split_once(':') {
            Some((before, _)) if secret => {
                out.push_str(before);
                out.push_str(": <secret>");
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prometheus.yml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    #[test]
    fn a_small_file() {
        let c = load(
            "global: {scrape_interval: 5s}\nrule_files: []\nscrape_configs:\n- job_name: a\n  basic_auth:\n    \
             username: u\n    password: hunter2\n  static_configs:\n  - targets: ['localhost:1']\n\
             storage: {tsdb: {out_of_order_time_window: 10m}}\nremote_write: []\n",
        )
        .unwrap();
        assert_eq!(c.scrape_configs[0].scrape_interval.as_ms(), 5_000);
        assert_eq!(c.storage.tsdb.out_of_order_time_window.as_ms(), 600_000);
        assert!(c.as_yaml().contains("password: <secret>") && !c.as_yaml().contains("hunter2"));
        assert!(load("").unwrap().scrape_configs.is_empty());
    }

    #[test]
    fn mistakes_name_line_and_key() {
        let check = |text: &str, line: Option<u64>, part: &str| {
            let e = load(text).unwrap_err();
            assert_eq!(e.line(), line, "{e}");
            assert!(e.to_string().contains(part), "{e}");
        };
        check("global: {}\nscrape_config: []\n", Some(2), "field scrape_config not found");
        check("scrape_configs:\n- job_name: a\n  scrap_interval: 5s\n", Some(3), "scrap_interval");
        check("remote_write:\n- url: http://x\n", Some(2), "remote_write is not available yet");
        check("global: {scrape_interval: fast}\n", Some(1), "not a valid duration");
        check("scrape_configs:\n- job_name: a\n- job_name: a\n", None, "a");
    }

    #[test]
    fn the_shipped_file_loads() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../prometheus/prometheus.yml");
        let c = Config::load(&path).unwrap();
        assert!(c.scrape_configs.len() >= 10 && !c.rule_paths.is_empty());
    }
}
