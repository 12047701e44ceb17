//! Attributes of resource, scope and point as labels.

use std::collections::BTreeMap;

use model::span::{AttributeValue, Attributes};
use model::{Labels, METRIC_NAME, MetricType};
use wire::otlp::metrics::ScopeMetrics;

use super::names::LabelNamer;
use crate::config::Otlp;

/// What identifies a resource; these become `job` and `instance`.
const IDENTIFYING: [&str; 3] = ["service.namespace", "service.name", "service.instance.id"];

/// Labels on their way: what is in `last` wins over a point's attributes, what is in `first` does not.
#[derive(Debug, Clone)]
pub struct SeriesLabels {
    namer: LabelNamer,
    /// Promoted resource attributes.
    first: BTreeMap<String, String>,
    point: BTreeMap<String, String>,
    last: BTreeMap<String, String>,
}

fn find<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a AttributeValue> {
    attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

impl SeriesLabels {
    pub fn of_resource(
        resource: &Attributes,
        config: &Otlp,
        namer: LabelNamer,
    ) -> Result<SeriesLabels, String> {
        let mut labels = SeriesLabels::identified(resource, namer);
        for (key, value) in resource.iter().filter(|(key, _)| config.promotes(key)) {
            labels.first.insert(namer.name(key)?, attribute_text(value));
        }
        Ok(labels)
    }

    fn identified(resource: &Attributes, namer: LabelNamer) -> SeriesLabels {
        let mut last = BTreeMap::new();
        if let Some(name) = find(resource, "service.name") {
            let name = attribute_text(name);
            let job = match find(resource, "service.namespace") {
                Some(namespace) => format!("{}/{name}", attribute_text(namespace)),
                None => name,
            };
            last.insert("job".into(), job);
        }
        if let Some(instance) = find(resource, "service.instance.id") {
            last.insert("instance".into(), attribute_text(instance));
        }
        SeriesLabels { namer, first: BTreeMap::new(), point: BTreeMap::new(), last }
    }

    pub fn with_scope(&self, scope: &ScopeMetrics, config: &Otlp) -> Result<SeriesLabels, String> {
        let mut labels = self.clone();
        if !config.promote_scope_metadata || scope.name.is_empty() {
            return Ok(labels);
        }
        for (key, value) in &scope.attributes {
            labels.last.insert(self.namer.name(&format!("otel_scope_{key}"))?, attribute_text(value));
        }
        labels.last.insert("otel_scope_name".into(), scope.name.clone());
        labels.last.insert("otel_scope_version".into(), scope.version.clone());
        labels.last.insert("otel_scope_schema_url".into(), scope.schema_url.clone());
        Ok(labels)
    }

    pub fn set_type_and_unit(&mut self, kind: MetricType, unit: String) {
        if kind != MetricType::Unknown {
            self.last.insert("__type__".into(), kind.as_str().into());
        }
        if !unit.is_empty() {
            self.last.insert("__unit__".into(), unit);
        }
    }

    /// With a point's attributes. Where escaping makes two names one, their values are joined, in the order
    /// of the names.
    pub fn with_point(&self, attributes: &Attributes) -> Result<SeriesLabels, String> {
        let mut labels = self.clone();
        let mut sorted: Vec<&(String, AttributeValue)> =
            attributes.iter().filter(|(key, _)| key != METRIC_NAME).collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        for (key, value) in sorted {
            let text = attribute_text(value);
            match labels.point.entry(self.namer.name(key)?) {
                std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(text)),
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    let joined = entry.get_mut();
                    joined.push(';');
                    joined.push_str(&text);
                }
            }
        }
        Ok(labels)
    }

    /// The labels of the series `name`, with one more label if given.
    pub fn named(&self, name: &str, extra: Option<(&str, &str)>) -> Labels {
        let own = [&self.first, &self.point, &self.last].into_iter().flatten();
        let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
        Labels::from_pairs(own.chain(extra).chain([(METRIC_NAME, name)]))
    }
}

/// The labels of `target_info`; `None` when the resource says nothing but its identity, or not even that.
pub fn target_info(
    resource: &Attributes,
    config: &Otlp,
    namer: LabelNamer,
) -> Result<Option<Labels>, String> {
    let identifies = |key: &str| IDENTIFYING.contains(&key);
    let labels = SeriesLabels::identified(resource, namer);
    if labels.last.is_empty() || resource.iter().all(|(key, _)| identifies(key)) {
        return Ok(None);
    }
    let keep = |key: &str| config.keep_identifying_resource_attributes || !identifies(key);
    let kept: Attributes = resource.iter().filter(|(key, _)| keep(key)).cloned().collect();
    Ok(Some(labels.with_point(&kept)?.named("target_info", None)))
}

/// An attribute's value as text: lists and maps as JSON, bytes in base 64.
pub fn attribute_text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::String(text) => text.clone(),
        AttributeValue::Bool(v) => v.to_string(),
        AttributeValue::Int(v) => v.to_string(),
        AttributeValue::Double(v) => double(*v),
        AttributeValue::Bytes(bytes) => base64(bytes),
        AttributeValue::Empty => String::new(),
        list => json(list).to_string(),
    }
}

fn json(value: &AttributeValue) -> serde_json::Value {
    match value {
        AttributeValue::String(text) => text.as_str().into(),
        AttributeValue::Bool(v) => (*v).into(),
        AttributeValue::Int(v) => (*v).into(),
        AttributeValue::Double(v) => (*v).into(),
        AttributeValue::Bytes(bytes) => base64(bytes).into(),
        AttributeValue::Array(items) => items.iter().map(json).collect(),
        AttributeValue::Map(pairs) => {
            let sorted: BTreeMap<&str, serde_json::Value> =
                pairs.iter().map(|(key, value)| (key.as_str(), json(value))).collect();
            sorted.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
        }
        AttributeValue::Empty => serde_json::Value::Null,
    }
}

/// As ECMAScript writes numbers: an exponent only for the very small and the very large.
fn double(v: f64) -> String {
    let plain = v == 0.0 || !v.is_finite() || (1e-6..1e21).contains(&v.abs());
    if plain { model::float::format_f(v) } else { model::float::format_g(v) }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let filled = i <= chunk.len();
            let six = (bits >> (18 - 6 * i) & 63) as usize;
            out.push(if filled { char::from(ALPHABET[six]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_text() {
        let check = |value: AttributeValue, expected: &str| assert_eq!(attribute_text(&value), expected);
        check(AttributeValue::Double(1.0), "1");
        check(AttributeValue::Double(1e21), "1e+21");
        check(AttributeValue::Bytes(b"ab".to_vec()), "YWI=");
        check(AttributeValue::Bytes(b"abc".to_vec()), "YWJj");
        check(
            AttributeValue::Map(vec![
                ("b".into(), AttributeValue::Array(vec![AttributeValue::Int(1), AttributeValue::Empty])),
                ("a".into(), AttributeValue::Bool(true)),
            ]),
            r#"{"a":true,"b":[1,null]}"#,
        );
    }
}
