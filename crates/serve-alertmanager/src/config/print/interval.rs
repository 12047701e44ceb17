//! Time intervals as they are shown: ranges in lower case, months as numbers, equal ends once.

use alerting::MONTHS;
use serde_json::{Map, Value as Json, json};

use super::{plain_text, text};

/// How one end of a range is written.
type End<'a> = &'a dyn Fn(&str) -> String;

pub(super) fn named_interval(named: &Json) -> Json {
    let intervals = named.get("time_intervals").and_then(Json::as_array).into_iter().flatten();
    json!({
        "name": text(named.get("name").unwrap_or(&Json::Null)),
        "time_intervals": intervals.map(interval).collect::<Vec<Json>>(),
    })
}

fn interval(interval: &Json) -> Json {
    let mut out = Map::new();
    let texts = |key: &str| -> Vec<String> {
        interval.get(key).and_then(Json::as_array).into_iter().flatten().map(plain_text).collect()
    };
    let end = |time: &Json, key: &str| text(time.get(key).unwrap_or(&Json::Null));
    let times: Vec<Json> = interval
        .get("times")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .map(|time| json!({"start_time": end(time, "start_time"), "end_time": end(time, "end_time")}))
        .collect();
    if !times.is_empty() {
        out.insert("times".into(), Json::Array(times));
    }
    let month = |name: &str| match MONTHS.iter().position(|month| *month == name) {
        Some(at) => (at + 1).to_string(),
        None => number(name),
    };
    let word = |name: &str| name.to_owned();
    let kinds: [(&str, End<'_>); 4] =
        [("weekdays", &word), ("days_of_month", &number), ("months", &month), ("years", &number)];
    for (key, each) in kinds {
        let ranges: Vec<String> = texts(key).iter().map(|text| range(text, each)).collect();
        if !ranges.is_empty() {
            out.insert(key.into(), json!(ranges));
        }
    }
    if let Some(location) = interval.get("location").filter(|location| !location.is_null()) {
        out.insert("location".into(), text(location));
    }
    Json::Object(out)
}

fn number(text: &str) -> String {
    text.parse::<i64>().map_or(text.to_owned(), |n| n.to_string())
}

/// A range whose ends are the same is written once.
fn range(text: &str, each: End<'_>) -> String {
    let lower = text.to_lowercase();
    let (from, to) = lower.split_once(':').unwrap_or((&lower, &lower));
    let (from, to) = (each(from), each(to));
    if from == to { from } else { format!("{from}:{to}") }
}
