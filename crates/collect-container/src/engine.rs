//! What a container engine tells about its containers, by Docker's API (Podman speaks it too).

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use model::civil::days_from_civil;
use serde::Deserialize;

use crate::http;

/// At most this many containers are asked for their details in one collection.
const DETAILS_MAX: usize = 1000;

/// One container, running or not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EngineContainer {
    pub id: String,
    pub name: String,
    pub image: String,
    pub labels: BTreeMap<String, String>,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    pub state: String,
    /// Process id of its first process; 0 when it does not run.
    pub pid: i64,
    pub restart_count: u64,
    /// `healthy`, `unhealthy`, `starting`; empty without a health check.
    pub health: String,
    /// Seconds since 1970; 0 when unknown.
    pub created: f64,
    pub started: f64,
}

#[derive(Debug)]
pub struct EngineError(String);

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EngineError {}

pub struct Engine<'a> {
    socket: &'a Path,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    image: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    state: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Details {
    created: String,
    restart_count: u64,
    state: State,
    config: Config,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    status: String,
    pid: i64,
    started_at: String,
    health: Option<Health>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Health {
    status: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    image: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Version {
    version: String,
}

impl Engine<'_> {
    pub fn new(socket: &Path) -> Engine<'_> {
        Engine { socket }
    }

    /// All containers with their details, and the engine's version.
    pub fn containers(&self) -> Result<(Vec<EngineContainer>, String), EngineError> {
        let version: Version = self.get("/version")?;
        let listed: Vec<Listed> = self.get("/containers/json?all=true")?;
        let mut containers = Vec::with_capacity(listed.len());
        for (index, item) in listed.into_iter().enumerate() {
            let mut container = EngineContainer {
                name: item.names.first().map(|n| n.trim_start_matches('/').to_owned()).unwrap_or_default(),
                id: item.id,
                image: item.image,
                labels: item.labels.unwrap_or_default(),
                state: item.state,
                ..EngineContainer::default()
            };
            // A container may be removed between the list and this question: the list's word stands then.
            if index < DETAILS_MAX
                && let Ok(details) = self.get::<Details>(&format!("/containers/{}/json", container.id))
            {
                container.add(details);
            }
            containers.push(container);
        }
        Ok((containers, version.version))
    }

    fn get<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T, EngineError> {
        let body = http::get(self.socket, path).map_err(|e| EngineError(e.to_string()))?;
        serde_json::from_slice(&body).map_err(|e| EngineError(format!("{path}: {e}")))
    }
}

impl EngineContainer {
    fn add(&mut self, details: Details) {
        self.pid = details.state.pid;
        self.restart_count = details.restart_count;
        self.health = details.state.health.map(|h| h.status).filter(|s| s != "none").unwrap_or_default();
        self.created = unix_seconds(&details.created);
        self.started = unix_seconds(&details.state.started_at);
        if !details.config.image.is_empty() {
            self.image = details.config.image;
        }
        if !details.state.status.is_empty() {
            self.state = details.state.status;
        }
    }
}

/// RFC 3339 in UTC or with an offset, to seconds since 1970; 0 for what is no such time and for Go's zero
/// time, which means "never".
fn unix_seconds(text: &str) -> f64 {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|t| t.parse::<i64>().ok());
    let small = |range| number(range).and_then(|n| u32::try_from(n).ok());
    let parts = (number(0..4), small(5..7), small(8..10), number(11..13), number(14..16), number(17..19));
    let (Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)) = parts else {
        return 0.0;
    };
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return 0.0;
    }
    let rest = text.get(19..).unwrap_or("");
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.as_bytes().first() {
        Some(sign @ (b'+' | b'-')) => {
            let part =
                |r: std::ops::Range<usize>| zone.get(r).and_then(|t| t.parse::<i64>().ok()).unwrap_or(0);
            let seconds = part(1..3) * 3600 + part(4..6) * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => 0,
    };
    (days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |text: &str, expected: f64| assert_eq!(unix_seconds(text), expected, "{text}");
        check("1970-01-01T00:00:00Z", 0.0);
        check("2024-02-29T12:30:15.123456789Z", 1_709_209_815.0);
        check("2024-02-29T14:30:15.1+02:00", 1_709_209_815.0);
        check("2024-02-29T10:30:15-02:00", 1_709_209_815.0);
        check("0001-01-01T00:00:00Z", 0.0);
        check("soon", 0.0);
        check("2024-99-01T00:00:00Z", 0.0);
    }
}
