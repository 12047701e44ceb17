//! JSON as Go's encoder writes it: `<`, `>` and `&` escaped, map keys sorted.

use serde_json::{Map, Value as Json};
use template::Value;

/// Serialises what a template computed.
pub(crate) fn encode(value: &Value) -> String {
    go_text(&to_json(value))
}

/// Serialises like Go's `json.Marshal`.
pub(crate) fn go_text(json: &Json) -> String {
    // Only characters inside strings can be these three.
    json.to_string()
        .replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(n) => Json::from(*n),
        Value::Float(v) => Json::from(*v),
        Value::Str(s) | Value::Html(s) | Value::Url(s) => Json::from(&**s),
        Value::Time(t) => Json::from(t.format("2006-01-02T15:04:05.999999999Z07:00")),
        Value::Duration(d) => Json::from(d.0),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::StrMap(map) => map.iter().map(|(k, v)| (k.clone(), Json::from(v.as_str()))).collect(),
        Value::Map(map) => map.iter().map(|(k, v)| (k.clone(), to_json(v))).collect(),
        Value::Object(object) => match object.underlying() {
            Some(inner) => to_json(&inner),
            None => record(object.as_ref()),
        },
    }
}

/// The fields of the records templates know, under their JSON names.
fn record(object: &dyn template::Object) -> Json {
    const FIELDS: [(&str, &str); 18] = [
        ("Receiver", "receiver"),
        ("Status", "status"),
        ("Alerts", "alerts"),
        ("Labels", "labels"),
        ("Annotations", "annotations"),
        ("StartsAt", "startsAt"),
        ("EndsAt", "endsAt"),
        ("GeneratorURL", "generatorURL"),
        ("Fingerprint", "fingerprint"),
        ("NotificationReason", "notification_reason"),
        ("GroupLabels", "groupLabels"),
        ("CommonLabels", "commonLabels"),
        ("CommonAnnotations", "commonAnnotations"),
        ("RouteLabels", "routeLabels"),
        ("ExternalURL", "externalURL"),
        ("Name", "Name"),
        ("Value", "Value"),
        ("GroupKey", "groupKey"),
    ];
    let mut out = Map::new();
    for (name, key) in FIELDS {
        if let Some(value) = object.field(name) {
            out.insert(key.to_owned(), to_json(&value));
        }
    }
    Json::Object(out)
}
