//! JSON as Go's encoder writes it: `<`, `>` and `&` escaped, floats in the shortest form.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;
use serde_json::{Map, Value as Json};
use template::Value;

/// Serialises what a template computed.
pub(crate) fn encode(value: &Value) -> String {
    go_text(&to_json(value))
}

/// Serialises like Go's `json.Marshal`. Maps are written in their own order: Go's are sorted by key, so they are
/// to be sorted ones here.
pub(crate) fn go_text<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = Vec::new();
    // Writing to memory cannot fail, and all keys are texts.
    let written = value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Go));
    debug_assert!(written.is_ok(), "{written:?}");
    String::from_utf8(out).unwrap_or_default()
}

/// Serialises like Go's `json.Encoder`, which ends with a line break.
pub(crate) fn go_line<T: Serialize + ?Sized>(value: &T) -> String {
    go_text(value) + "\n"
}

/// For `skip_serializing_if`: what Go's `omitempty` leaves out.
pub(crate) fn is_empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

struct Go;

impl Formatter for Go {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut from = 0;
        for (at, c) in fragment.char_indices() {
            let escaped = match c {
                '&' => "\\u0026",
                '<' => "\\u003c",
                '>' => "\\u003e",
                '\u{2028}' => "\\u2028",
                '\u{2029}' => "\\u2029",
                _ => continue,
            };
            out.write_all(&fragment.as_bytes()[from..at])?;
            out.write_all(escaped.as_bytes())?;
            from = at + c.len_utf8();
        }
        out.write_all(&fragment.as_bytes()[from..])
    }

    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        let magnitude = value.abs();
        if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
            // `1e30` here is `1e+30` there.
            let text = format!("{value:e}");
            let signed = if text.contains("e-") { text } else { text.replace('e', "e+") };
            return out.write_all(signed.as_bytes());
        }
        write!(out, "{value}")
    }
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(n) => Json::from(*n),
        Value::Byte(n) => Json::from(*n),
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

/// The data of a notification as an object, in the order of the original's.
pub(crate) fn data_object(data: &Value) -> Map<String, Json> {
    match to_json(data) {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_as_go_writes_them() {
        let check = |value: Json, expected: &str| assert_eq!(go_text(&value), expected);
        check(
            json!("a<b>&c\u{2028}\u{2029}\u{7f}\u{1}\t\u{8}\"\\ä😀"),
            "\"a\\u003cb\\u003e\\u0026c\\u2028\\u2029\u{7f}\\u0001\\t\\b\\\"\\\\ä😀\"",
        );
        check(
            json!([1.0, 1.5, -0.0, 1e20, 1e21, 1e-6, 1e-7, 12345678.9]),
            "[1,1.5,-0,100000000000000000000,1e+21,0.000001,1e-7,12345678.9]",
        );
        check(json!({"z<": null, "a": true}), "{\"z\\u003c\":null,\"a\":true}");
    }
}
