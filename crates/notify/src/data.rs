//! What templates see: `.Status`, `.Alerts.Firing`, `.CommonLabels.SortedPairs` and so on.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::{Notification, NotifiedAlert, fingerprint_text};
use template::time::Time;
use template::{Object, Value};

/// The root of the data for one notification.
pub fn notification_data(notification: &Notification, external_url: &str) -> Value {
    let annotations = |alert: &NotifiedAlert| alert.alert.annotations.to_map();
    let labels = |alert: &NotifiedAlert| pairs(&alert.alert.labels);
    let firing = notification.is_firing();
    let fields: BTreeMap<String, Value> = [
        ("Receiver", Value::str(&notification.receiver)),
        ("Status", Value::str(if firing { "firing" } else { "resolved" })),
        ("Alerts", Value::object(Alerts(notification.alerts.iter().map(alert_value).collect()))),
        ("NotificationReason", Value::str(notification.reason.as_str())),
        ("GroupLabels", kv(pairs(&notification.group_labels))),
        ("CommonLabels", kv(common(&notification.alerts, labels))),
        ("CommonAnnotations", kv(common(&notification.alerts, annotations))),
        ("RouteLabels", kv(notification.route_labels.clone())),
        ("ExternalURL", Value::str(external_url)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    Value::object(Record { name: "*template.Data", fields })
}

pub(crate) fn pairs(labels: &model::Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The pairs all alerts share.
pub(crate) fn common(
    alerts: &[NotifiedAlert],
    of: impl Fn(&NotifiedAlert) -> BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut sets = alerts.iter().map(of);
    let mut shared = sets.next().unwrap_or_default();
    for set in sets {
        shared.retain(|name, value| set.get(name) == Some(value));
    }
    shared
}

fn alert_value(alert: &NotifiedAlert) -> Value {
    let inner = &alert.alert;
    // A firing alert has no end yet, whatever the timeout says.
    let ends = if alert.resolved { Time::from_ns(inner.ends_at) } else { Time::zero() };
    let fields: BTreeMap<String, Value> = [
        ("Status", Value::str(if alert.resolved { "resolved" } else { "firing" })),
        ("Labels", kv(pairs(&inner.labels))),
        ("Annotations", kv(inner.annotations.to_map())),
        ("StartsAt", Value::Time(Time::from_ns(inner.starts_at))),
        ("EndsAt", Value::Time(ends)),
        ("GeneratorURL", Value::str(&inner.generator_url)),
        ("Fingerprint", fingerprint_text(inner.fingerprint()).into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    Value::object(Record { name: "template.Alert", fields })
}

fn kv(map: BTreeMap<String, String>) -> Value {
    Value::object(Kv(Arc::new(map)))
}

/// A struct: named fields and nothing else.
#[derive(Debug)]
struct Record {
    name: &'static str,
    fields: BTreeMap<String, Value>,
}

impl Object for Record {
    fn type_name(&self) -> &str {
        self.name
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields.get(name).cloned()
    }

    fn display(&self) -> String {
        let values: Vec<String> = self.fields.values().map(template::display).collect();
        format!("{{{}}}", values.join(" "))
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
        Value::list(self.0.iter().filter(has).cloned().collect())
    }
}

impl Object for Alerts {
    fn type_name(&self) -> &str {
        "template.Alerts"
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
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
    fn sorted(&self) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = self.0.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        pairs.sort_by_key(|(name, _)| name != "alertname");
        pairs
    }
}

impl Object for Kv {
    fn type_name(&self) -> &str {
        "template.KV"
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        Some(match (name, args) {
            ("SortedPairs", []) => Ok(Value::object(Pairs(self.sorted()))),
            ("Names", []) => Ok(Pairs(self.sorted()).names()),
            ("Values", []) => Ok(Pairs(self.sorted()).values()),
            ("Remove", [names]) => match names.flatten() {
                Value::List(names) => {
                    let mut map = (*self.0).clone();
                    map.retain(|name, _| !names.iter().any(|n| n.as_str() == Some(name)));
                    Ok(kv(map))
                }
                other => Err(format!("expected a list of names; got {}", other.type_name())),
            },
            _ => return None,
        })
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
        Value::list(self.0.iter().map(|(name, _)| Value::str(name)).collect())
    }

    fn values(&self) -> Value {
        Value::list(self.0.iter().map(|(_, value)| Value::str(value)).collect())
    }
}

impl Object for Pairs {
    fn type_name(&self) -> &str {
        "template.Pairs"
    }

    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str, _args: &[Value]) -> Option<Result<Value, String>> {
        match name {
            "Names" => Some(Ok(self.names())),
            "Values" => Some(Ok(self.values())),
            "String" => {
                let parts: Vec<String> = self.0.iter().map(|(k, v)| format!("{k}={v}")).collect();
                Some(Ok(parts.join(", ").into()))
            }
            _ => None,
        }
    }

    fn underlying(&self) -> Option<Value> {
        let pair = |(name, value): &(String, String)| {
            let fields =
                [("Name".to_owned(), Value::str(name)), ("Value".to_owned(), Value::str(value))].into();
            Value::object(Record { name: "template.Pair", fields })
        };
        Some(Value::list(self.0.iter().map(pair).collect()))
    }
}
