//! What templates see: `.Status`, `.Alerts.Firing`, `.CommonLabels.SortedPairs` and so on.
//!
//! The types, their methods and how they print are the original's, so that a template written for it says
//! the same here, down to the error it gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::{Notification, NotifiedAlert, fingerprint_text};
use template::time::Time;
use template::{Kind, Object, Signature, Value};

/// The root of the data for one notification. `route_labels` are the route's, already expanded.
pub fn notification_data(
    notification: &Notification,
    external_url: &str,
    route_labels: BTreeMap<String, String>,
) -> Value {
    let annotations = |alert: &NotifiedAlert| alert.alert.annotations.to_map();
    let labels = |alert: &NotifiedAlert| pairs(&alert.alert.labels);
    Data {
        // A regular expression that means this receiver: links in messages use it as a filter.
        receiver: quote_meta(&notification.receiver),
        status: status(!notification.is_firing()).into(),
        alerts: notification.alerts.iter().map(alert_value).collect(),
        reason: notification.reason.as_str().into(),
        group_labels: pairs(&notification.group_labels),
        common_labels: common(&notification.alerts, labels),
        common_annotations: common(&notification.alerts, annotations),
        route_labels: Some(route_labels),
        external_url: external_url.into(),
    }
    .into_value("*template.Data")
}

/// The parts of the root, from wherever they come.
pub(crate) struct Data {
    pub receiver: String,
    pub status: String,
    pub alerts: Vec<Value>,
    pub reason: String,
    pub group_labels: BTreeMap<String, String>,
    pub common_labels: BTreeMap<String, String>,
    pub common_annotations: BTreeMap<String, String>,
    /// `None` before version 0.34.
    pub route_labels: Option<BTreeMap<String, String>>,
    pub external_url: String,
}

impl Data {
    pub fn into_value(self, type_name: &'static str) -> Value {
        let mut fields = vec![
            ("Receiver", "receiver", self.receiver.into()),
            ("Status", "status", self.status.into()),
            ("Alerts", "alerts", Value::object(Alerts(self.alerts))),
            ("NotificationReason", "notification_reason", self.reason.into()),
            ("GroupLabels", "groupLabels", kv(self.group_labels)),
            ("CommonLabels", "commonLabels", kv(self.common_labels)),
            ("CommonAnnotations", "commonAnnotations", kv(self.common_annotations)),
        ];
        if let Some(labels) = self.route_labels {
            fields.push(("RouteLabels", "routeLabels", kv(labels)));
        }
        fields.push(("ExternalURL", "externalURL", self.external_url.into()));
        Value::object(Record { type_name, fields })
    }
}

/// The parts of one alert.
pub(crate) struct AlertData {
    pub status: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub starts_at: Time,
    pub ends_at: Time,
    pub generator_url: String,
    pub fingerprint: String,
}

impl AlertData {
    pub fn into_value(self) -> Value {
        let fields = vec![
            ("Status", "status", self.status.into()),
            ("Labels", "labels", kv(self.labels)),
            ("Annotations", "annotations", kv(self.annotations)),
            ("StartsAt", "startsAt", Value::Time(self.starts_at)),
            ("EndsAt", "endsAt", Value::Time(self.ends_at)),
            ("GeneratorURL", "generatorURL", self.generator_url.into()),
            ("Fingerprint", "fingerprint", self.fingerprint.into()),
        ];
        Value::object(Record { type_name: "template.Alert", fields })
    }
}

fn status(resolved: bool) -> &'static str {
    if resolved { "resolved" } else { "firing" }
}

fn alert_value(alert: &NotifiedAlert) -> Value {
    let inner = &alert.alert;
    AlertData {
        status: status(alert.resolved).into(),
        labels: pairs(&inner.labels),
        annotations: inner.annotations.to_map(),
        starts_at: Time::from_ns(inner.starts_at),
        // A firing alert has no end yet, whatever the timeout says.
        ends_at: if alert.resolved { Time::from_ns(inner.ends_at) } else { Time::zero() },
        generator_url: inner.generator_url.to_string(),
        fingerprint: fingerprint_text(inner.fingerprint()),
    }
    .into_value()
}

pub(crate) fn pairs(labels: &model::Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The pairs all alerts share. As in the original, an alert without a label has it empty.
pub(crate) fn common(
    alerts: &[NotifiedAlert],
    of: impl Fn(&NotifiedAlert) -> BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut sets = alerts.iter().map(of);
    let mut shared = sets.next().unwrap_or_default();
    for set in sets {
        shared.retain(|name, value| set.get(name).map_or("", String::as_str) == value);
    }
    shared
}

/// Go's `regexp.QuoteMeta`.
fn quote_meta(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn kv(map: BTreeMap<String, String>) -> Value {
    Value::object(Kv(Arc::new(map)))
}

/// A struct: fields under their names in templates and in JSON.
#[derive(Debug)]
struct Record {
    type_name: &'static str,
    fields: Vec<(&'static str, &'static str, Value)>,
}

impl Object for Record {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields.iter().find(|(field, _, _)| *field == name).map(|(_, _, value)| value.clone())
    }

    fn fields(&self) -> Vec<(String, Value)> {
        self.fields.iter().map(|(_, json, value)| ((*json).to_owned(), value.clone())).collect()
    }
}

#[derive(Debug)]
struct Alerts(Vec<Value>);

impl Alerts {
    fn with_status(&self, status: &str) -> Value {
        let has = |alert: &&Value| match alert {
            Value::Object(record) => record.field("Status").is_some_and(|s| s.as_str() == Some(status)),
            _ => false,
        };
        Value::typed_list("[]template.Alert", self.0.iter().filter(has).cloned().collect())
    }
}

impl Object for Alerts {
    fn type_name(&self) -> &str {
        "template.Alerts"
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn signature(&self, name: &str) -> Option<Signature> {
        matches!(name, "Firing" | "Resolved").then_some((&[], None))
    }

    fn method(&self, name: &str, _args: &[Value]) -> Option<Result<Value, String>> {
        match name {
            "Firing" => Some(Ok(self.with_status("firing"))),
            "Resolved" => Some(Ok(self.with_status("resolved"))),
            _ => None,
        }
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::list(self.0.clone()))
    }
}

/// A label or annotation map.
#[derive(Debug)]
struct Kv(Arc<BTreeMap<String, String>>);

impl Kv {
    /// Sorted by name, `alertname` first.
    fn sorted(&self) -> Pairs {
        let mut pairs: Vec<(String, String)> = self.0.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        pairs.sort_by_key(|(name, _)| name != "alertname");
        Pairs(pairs)
    }
}

impl Object for Kv {
    fn type_name(&self) -> &str {
        "template.KV"
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn signature(&self, name: &str) -> Option<Signature> {
        match name {
            "Remove" => Some((&[Kind::Named("[]string")], None)),
            "SortedPairs" | "Names" | "Values" | "String" => Some((&[], None)),
            _ => None,
        }
    }

    fn method(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        Some(Ok(match name {
            "SortedPairs" => Value::object(self.sorted()),
            "Names" => self.sorted().names(),
            "Values" => self.sorted().values(),
            "String" => self.sorted().text().into(),
            "Remove" => {
                let mut map = (*self.0).clone();
                if let Some(Value::List(names)) = args.first().map(Value::flatten) {
                    map.retain(|name, _| !names.iter().any(|n| n.as_str() == Some(name)));
                }
                kv(map)
            }
            _ => return None,
        }))
    }

    fn stringer(&self) -> Option<String> {
        Some(self.sorted().text())
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::StrMap(self.0.clone()))
    }
}

/// Name–value pairs in order.
#[derive(Debug)]
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn names(&self) -> Value {
        strings(self.0.iter().map(|(name, _)| name))
    }

    fn values(&self) -> Value {
        strings(self.0.iter().map(|(_, value)| value))
    }

    fn text(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|(k, v)| format!("{k}={v}")).collect();
        parts.join(", ")
    }
}

pub(crate) fn strings<'a>(items: impl Iterator<Item = &'a String>) -> Value {
    Value::typed_list("[]string", items.map(Value::str).collect())
}

impl Object for Pairs {
    fn type_name(&self) -> &str {
        "template.Pairs"
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn signature(&self, name: &str) -> Option<Signature> {
        matches!(name, "Names" | "Values" | "String").then_some((&[], None))
    }

    fn method(&self, name: &str, _args: &[Value]) -> Option<Result<Value, String>> {
        match name {
            "Names" => Some(Ok(self.names())),
            "Values" => Some(Ok(self.values())),
            "String" => Some(Ok(self.text().into())),
            _ => None,
        }
    }

    fn stringer(&self) -> Option<String> {
        Some(self.text())
    }

    fn underlying(&self) -> Option<Value> {
        let pair = |(name, value): &(String, String)| {
            let fields = vec![("Name", "Name", Value::str(name)), ("Value", "Value", Value::str(value))];
            Value::object(Record { type_name: "template.Pair", fields })
        };
        Some(Value::list(self.0.iter().map(pair).collect()))
    }
}
