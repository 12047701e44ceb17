//! Data for trying out templates: the JSON file that `amtool template render` takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use template::Value;
use template::time::{Time, Zone, parse};

use crate::data::{AlertData, Data};

/// The largest file that is read.
pub const SAMPLE_BYTES_MAX: usize = 16 << 20;

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Sample {
    receiver: String,
    status: String,
    alerts: Vec<SampleAlert>,
    #[serde(rename = "notification_reason")]
    reason: String,
    group_labels: BTreeMap<String, String>,
    common_labels: BTreeMap<String, String>,
    common_annotations: BTreeMap<String, String>,
    route_labels: Option<BTreeMap<String, String>>,
    #[serde(rename = "externalURL")]
    external_url: String,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct SampleAlert {
    status: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "time")]
    starts_at: Option<Time>,
    #[serde(deserialize_with = "time")]
    ends_at: Option<Time>,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time = parse("2006-01-02T15:04:05.999999999Z07:00", &text, &Zone::Utc);
    time.map(Some).map_err(serde::de::Error::custom)
}

/// Reads such a file; what it leaves out is empty.
pub fn sample_data(json: &str) -> Result<Value, String> {
    if json.len() > SAMPLE_BYTES_MAX {
        return Err(format!("{} bytes are more than {SAMPLE_BYTES_MAX}", json.len()));
    }
    let sample: Sample = serde_json::from_str(json).map_err(|e| e.to_string())?;
    let alert = |alert: SampleAlert| {
        AlertData {
            status: alert.status,
            labels: alert.labels,
            annotations: alert.annotations,
            starts_at: alert.starts_at.unwrap_or_else(Time::zero),
            ends_at: alert.ends_at.unwrap_or_else(Time::zero),
            generator_url: alert.generator_url,
            fingerprint: alert.fingerprint,
        }
        .into_value()
    };
    let data = Data {
        receiver: sample.receiver,
        status: sample.status,
        alerts: sample.alerts.into_iter().map(alert).collect(),
        reason: sample.reason,
        group_labels: sample.group_labels,
        common_labels: sample.common_labels,
        common_annotations: sample.common_annotations,
        route_labels: sample.route_labels,
        external_url: sample.external_url,
    };
    Ok(data.into_value("template.Data"))
}
