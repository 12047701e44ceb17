//! An alert as it is sent: `PostableAlert` of the Alertmanager API v2.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Labels;
use relabel::RelabelConfig;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::alert::ActiveAlert;

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub labels: Labels,
    pub annotations: Arc<BTreeMap<String, String>>,
    pub starts_at: i64,
    pub ends_at: i64,
    pub generator_url: Arc<str>,
}

impl Message {
    pub fn new(alert: ActiveAlert, labels: Labels, generator_url: Arc<str>) -> Message {
        Message {
            labels,
            annotations: alert.annotations,
            starts_at: alert.fired_at.unwrap_or(alert.active_at),
            ends_at: alert.resolved_at.unwrap_or(alert.valid_until),
            generator_url,
        }
    }

    /// With other labels; none when relabelling drops the alert.
    pub fn relabelled(&self, rules: &[RelabelConfig]) -> Option<Message> {
        let labels = relabel::process(self.labels.to_builder(), rules)?.build();
        Some(Message { labels, ..self.clone() })
    }
}

/// In the original's order of fields.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("annotations", &*self.annotations)?;
        map.serialize_entry("endsAt", &time_text(self.ends_at))?;
        map.serialize_entry("startsAt", &time_text(self.starts_at))?;
        map.serialize_entry("generatorURL", &*self.generator_url)?;
        map.serialize_entry("labels", &self.labels.iter().collect::<BTreeMap<_, _>>())?;
        map.end()
    }
}

fn time_text(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| "0001-01-01T00:00:00.000Z".into(), |t| format!("{t:.3}"))
}
