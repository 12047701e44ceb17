//! Templates of labels and annotations: the variables and functions they see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::{Labels, float};
use template::{Functions, Kind, Object, Set, Value};

use crate::{QueriedSample, QueryEngine};

/// Put before every text, so that the documented variables exist.
const PRELUDE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                       {{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// Says whether `text` is a template, with the original's error text.
pub fn check(text: &str) -> Result<(), String> {
    let mut set = Set::new(functions(None, Arc::default(), ""));
    set.parse("", &format!("{PRELUDE}{text}")).map_err(|e| e.to_string())
}

/// Expands the texts of one rule.
pub struct Expander {
    /// `__alert_<name>`, as errors call the template.
    name: String,
    functions: Functions,
    time: Arc<AtomicI64>,
    external_labels: Arc<BTreeMap<String, String>>,
    external_url: String,
}

impl Expander {
    pub fn new(
        alert: &str,
        engine: Arc<dyn QueryEngine>,
        external_labels: Arc<BTreeMap<String, String>>,
        external_url: &str,
    ) -> Expander {
        let time = Arc::new(AtomicI64::new(0));
        let functions = functions(Some(engine), time.clone(), external_url);
        Expander {
            name: format!("__alert_{alert}"),
            functions,
            time,
            external_labels,
            external_url: external_url.to_owned(),
        }
    }

    /// Expands one text; a failure becomes part of the result, where a person will see it.
    pub fn expand(&self, text: &str, labels: &Labels, value: &model::Value, time_ms: i64) -> String {
        if !text.contains("{{") {
            return text.to_owned();
        }
        self.time.store(time_ms, Ordering::Relaxed);
        let value = match value {
            model::Value::Float(v) => Value::Float(*v),
            model::Value::Histogram(h) => {
                Value::str(format!("{{count:{}, sum:{}}}", float::format_g(h.count), float::format_g(h.sum)))
            }
        };
        let data = Value::Map(Arc::new(BTreeMap::from([
            ("Labels".to_owned(), label_map(labels)),
            ("ExternalLabels".to_owned(), Value::StrMap(self.external_labels.clone())),
            ("ExternalURL".to_owned(), Value::str(&self.external_url)),
            ("Value".to_owned(), value),
        ])));
        let mut set = Set::new(self.functions.clone());
        if let Err(e) = set.parse(&self.name, &format!("{PRELUDE}{text}")) {
            return format!("<error expanding template: error parsing template {}: {e}>", self.name);
        }
        set.execute(&self.name, &data).unwrap_or_else(|e| {
            format!("<error expanding template: error executing template {}: {e}>", self.name)
        })
    }
}

fn label_map(labels: &Labels) -> Value {
    let pairs = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Value::StrMap(Arc::new(pairs.collect()))
}

/// One result of `query`: `.Labels`, `.Value`.
#[derive(Debug)]
struct Sample {
    labels: Value,
    value: f64,
}

impl Object for Sample {
    fn type_name(&self) -> &str {
        "*template.sample"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Labels" => Some(self.labels.clone()),
            "Value" => Some(Value::Float(self.value)),
            _ => None,
        }
    }
}

fn sample_value(sample: QueriedSample) -> Value {
    let value = match sample.value {
        model::Value::Float(v) => v,
        model::Value::Histogram(h) => h.sum,
    };
    Value::object(Sample { labels: label_map(&sample.labels), value })
}

/// The functions of Prometheus' templates. Without an engine, `query` fails (texts are only checked then).
fn functions(engine: Option<Arc<dyn QueryEngine>>, time: Arc<AtomicI64>, external_url: &str) -> Functions {
    let mut f = Functions::new();
    template::humanize::install(&mut f);
    f.add("query", &[Kind::Str], move |call| {
        let engine = engine.as_ref().ok_or("no query engine")?;
        let samples = engine.instant(call.text(0), time.load(Ordering::Relaxed))?;
        Ok(Value::list(samples.into_iter().map(sample_value).collect()))
    });
    f.add("first", &[Kind::Any], |call| match call.arg(0) {
        Value::List(items) => {
            items.first().cloned().ok_or("first() called on vector with no elements".into())
        }
        other => Err(format!("first() called on {}", other.type_name())),
    });
    f.add("label", &[Kind::Str, Kind::Any], |call| {
        let name = call.text(0).to_owned();
        match field(call.arg(1), "Labels") {
            Some(Value::StrMap(labels)) => Ok(labels.get(&name).map_or("", String::as_str).into()),
            _ => Err("label() wants a sample".into()),
        }
    });
    f.add("value", &[Kind::Any], |call| field(call.arg(0), "Value").ok_or("value() wants a sample".into()));
    f.add("strvalue", &[Kind::Any], |call| match field(call.arg(0), "Labels") {
        Some(Value::StrMap(labels)) => Ok(labels.get("__value__").map_or("", String::as_str).into()),
        _ => Err("strvalue() wants a sample".into()),
    });
    f.add("sortByLabel", &[Kind::Str, Kind::Any], |call| {
        let (name, Value::List(items)) = (call.text(0).to_owned(), call.arg(1)) else {
            return Err("sortByLabel() wants the result of a query".into());
        };
        let key = |item: &Value| match field(item, "Labels") {
            Some(Value::StrMap(labels)) => labels.get(&name).cloned().unwrap_or_default(),
            _ => String::new(),
        };
        let mut sorted = items.to_vec();
        sorted.sort_by_key(key);
        Ok(Value::list(sorted))
    });
    f.add("title", &[Kind::Str], |call| Ok(title(call.text(0)).into()));
    f.add("toUpper", &[Kind::Str], |call| Ok(call.text(0).to_uppercase().into()));
    f.add("toLower", &[Kind::Str], |call| Ok(call.text(0).to_lowercase().into()));
    f.add("match", &[Kind::Str, Kind::Str], |call| {
        let regex = re2::Regex::new(call.text(0)).map_err(|e| e.to_string())?;
        Ok(Value::Bool(regex.is_match(call.text(1))))
    });
    f.add("reReplaceAll", &[Kind::Str, Kind::Str, Kind::Str], |call| {
        let regex = re2::Regex::new(call.text(0)).map_err(|e| e.to_string())?;
        Ok(regex.replace_all(call.text(2), call.text(1)).into())
    });
    f.add("safeHtml", &[Kind::Str], |call| Ok(Value::Html(call.text(0).into())));
    f.add("stripPort", &[Kind::Str], |call| Ok(strip_port(call.text(0)).into()));
    f.add("stripDomain", &[Kind::Str], |call| {
        let (host, port) = match call.text(0).rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
            _ => (call.text(0), None),
        };
        // An address has no domain to strip.
        let is_address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        let short = if is_address { host } else { host.split('.').next().unwrap_or(host) };
        Ok(port.map_or_else(|| short.to_owned(), |p| format!("{short}:{p}")).into())
    });
    f.add("parseDuration", &[Kind::Str], |call| {
        let ms = model::duration::parse(call.text(0)).map_err(|e| e.to_string())?;
        Ok(Value::Float(ms as f64 / 1000.0))
    });
    f.add("graphLink", &[Kind::Str], |call| Ok(link(call.text(0), 0).into()));
    f.add("tableLink", &[Kind::Str], |call| Ok(link(call.text(0), 1).into()));
    f.add_variadic("args", &[], Kind::Any, |call| {
        let pairs = call.args.iter().enumerate().map(|(i, v)| (format!("arg{i}"), v.clone()));
        Ok(Value::Map(Arc::new(pairs.collect())))
    });
    let url = external_url.to_owned();
    let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()));
    f.add("externalURL", &[], move |_| Ok(Value::str(&url)));
    f.add("pathPrefix", &[], move |_| Ok(Value::str(path.as_deref().unwrap_or("").trim_end_matches('/'))));
    f
}

fn field(value: &Value, name: &str) -> Option<Value> {
    match value {
        Value::Object(object) => object.field(name),
        _ => None,
    }
}

fn title(text: &str) -> String {
    let mut start = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase())
        } else {
            out.push(c)
        }
        start = c.is_whitespace();
    }
    out
}

fn strip_port(text: &str) -> &str {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            // A bare IPv6 address has colons of its own.
            if host.contains(':') && !host.ends_with(']') { text } else { host.trim_matches(['[', ']']) }
        }
        _ => text,
    }
}

/// A relative link to an expression on the query page.
pub fn link(expr: &str, tab: u8) -> String {
    let mut encoded = String::with_capacity(expr.len() * 2);
    for b in expr.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(b as char),
            b' ' => encoded.push('+'),
            b => encoded.push_str(&format!("%{b:02X}")),
        }
    }
    format!("/graph?g0.expr={encoded}&g0.tab={tab}")
}
