//! Templates of labels and annotations: the variables and functions they see.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::{Labels, float};
use template::{Functions, Kind, Object, Set, Value};

use crate::metrics::RuleMetrics;
use crate::{QueriedSample, QueryEngine};

/// Put before every text, so that the documented variables exist.
const PRELUDE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                       {{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// Says whether `text` is a template for the alert of this name, with the original's error text.
pub fn check(alert: &str, text: &str) -> Result<(), String> {
    if !text.contains("{{") {
        return Ok(());
    }
    let mut set = Set::new(functions(None, Arc::default(), ""));
    set.parse(&template_name(alert), &format!("{PRELUDE}{text}")).map_err(|e| e.to_string())
}

/// What errors call the templates of an alert.
fn template_name(alert: &str) -> String {
    format!("__alert_{alert}")
}

/// Who is outside: external labels and the URL people reach the server at.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    pub labels: Arc<BTreeMap<String, String>>,
    pub url: String,
}

/// Expands the texts of one rule. Texts are parsed once, for a rule may have thousands of alerts.
pub struct Expander {
    name: String,
    /// By text; those without a template are not here.
    sets: HashMap<String, Result<Set, String>>,
    time: Arc<AtomicI64>,
    outside: Outside,
    metrics: RuleMetrics,
}

impl Expander {
    pub fn new<'t>(
        alert: &str,
        texts: impl IntoIterator<Item = &'t String>,
        engine: Arc<dyn QueryEngine>,
        outside: Outside,
        metrics: RuleMetrics,
    ) -> Expander {
        let (name, time) = (template_name(alert), Arc::new(AtomicI64::new(0)));
        let empty = Set::new(functions(Some(engine), time.clone(), &outside.url));
        let mut sets = HashMap::new();
        for text in texts.into_iter().filter(|text| text.contains("{{")) {
            let mut set = empty.clone();
            let parsed = set.parse(&name, &format!("{PRELUDE}{text}"));
            let parsed = parsed.map_err(|e| format!("error parsing template {name}: {e}"));
            sets.insert(text.clone(), parsed.map(|()| set));
        }
        Expander { name, sets, time, outside, metrics }
    }

    /// What templates are told about one sample at `time_ms`.
    pub fn data(&self, labels: &Labels, value: &model::Value, time_ms: i64) -> Value {
        self.time.store(time_ms, Ordering::Relaxed);
        let value = match value {
            model::Value::Float(v) => Value::Float(*v),
            model::Value::Histogram(h) => {
                Value::str(format!("{{count:{}, sum:{}}}", float::format_g(h.count), float::format_g(h.sum)))
            }
        };
        Value::Map(Arc::new(BTreeMap::from([
            ("Labels".to_owned(), label_map(labels)),
            ("ExternalLabels".to_owned(), Value::StrMap(self.outside.labels.clone())),
            ("ExternalURL".to_owned(), Value::str(&self.outside.url)),
            ("Value".to_owned(), value),
        ])))
    }

    /// Whether any text is a template at all.
    pub fn is_idle(&self) -> bool {
        self.sets.is_empty()
    }

    /// Expands one text; a failure becomes part of the result, where a person will see it.
    pub fn expand(&self, text: &str, data: &Value) -> String {
        self.metrics.expansions.inc();
        let Some(set) = self.sets.get(text) else { return text.to_owned() };
        let run = |set: &Set| {
            set.execute(&self.name, data).map_err(|e| format!("error executing template {}: {e}", self.name))
        };
        set.as_ref().map_err(String::clone).and_then(run).unwrap_or_else(|e| {
            self.metrics.expansion_failures.inc();
            tracing::warn!(alert = self.name, "expanding a template failed: {e}");
            format!("<error expanding template: {e}>")
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
        // Templates know histograms by their labels only, as in the original.
        model::Value::Histogram(_) => 0.0,
    };
    Value::object(Sample { labels: label_map(&sample.labels), value })
}

/// The functions of Prometheus' templates. Without an engine, `query` fails (texts are only checked then).
fn functions(engine: Option<Arc<dyn QueryEngine>>, time: Arc<AtomicI64>, external_url: &str) -> Functions {
    let mut f = Functions::new();
    template::humanize::install(&mut f);
    let now = time.clone();
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
        let pattern = call.text(0);
        let regex = re2::Regex::new(pattern).map_err(|e| format!("regexp: Compile(`{pattern}`): {e}"))?;
        Ok(regex.replace_all(call.text(2), call.text(1)).into())
    });
    f.add("safeHtml", &[Kind::Str], |call| Ok(Value::Html(call.text(0).into())));
    f.add("stripPort", &[Kind::Str], |call| {
        Ok(split_host_port(call.text(0)).map_or(call.text(0), |(host, _)| host).into())
    });
    f.add("stripDomain", &[Kind::Str], |call| Ok(strip_domain(call.text(0)).into()));
    f.add("urlQueryEscape", &[Kind::Str], |call| Ok(query_escape(call.text(0)).into()));
    f.add("now", &[], move |_| Ok(Value::Float(now.load(Ordering::Relaxed) as f64 / 1000.0)));
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

/// Host and port of an address, as Go's `net.SplitHostPort` understands it.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let colon = text.rfind(':')?;
    let (host, after_open, after_close) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let close = bracketed.find(']')? + 1;
            if close + 1 != colon {
                return None;
            }
            (&text[1..close], &text[1..], &text[colon..])
        }
        // A bare IPv6 address has colons of its own.
        None if text[..colon].contains(':') => return None,
        None => (&text[..colon], text, text),
    };
    if after_open.contains('[') || after_close.contains(']') {
        return None;
    }
    Some((host, &text[colon + 1..]))
}

fn strip_domain(text: &str) -> String {
    let (host, port) = split_host_port(text).unwrap_or((text, ""));
    // An address has no domain to strip.
    if host.parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let short = host.split('.').next().unwrap_or(host);
    match (port, short.contains(':')) {
        ("", _) => short.to_owned(),
        (port, true) => format!("[{short}]:{port}"),
        (port, false) => format!("{short}:{port}"),
    }
}

/// Go's `url.QueryEscape`.
fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
            b' ' => out.push('+'),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// A relative link to an expression on the query page.
pub fn link(expr: &str, tab: u8) -> String {
    format!("/graph?g0.expr={}&g0.tab={tab}", query_escape(expr))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Up;

    impl QueryEngine for Up {
        fn instant(&self, expr: &str, time_ms: i64) -> Result<Vec<QueriedSample>, String> {
            if expr == "bad" {
                return Err("no such thing".into());
            }
            let sample = |job: &str, v: f64| QueriedSample {
                labels: Labels::from_pairs([("__name__", "up"), ("job", job), ("__value__", "raw")]),
                value: model::Value::Float(v),
            };
            Ok(vec![sample("b", 1.0), sample("a", time_ms as f64)])
        }
    }

    #[test]
    fn the_functions_of_alert_templates() {
        let cases = [
            (
                "{{ $labels.job }}/{{ $value }}/{{ $externalLabels.dc }}/{{ $externalURL }}",
                "j/0.5/eu/http://x.y/p",
            ),
            ("{{ .Labels.job }}{{ .Labels.nope }}|{{ .Value | printf \"%.2f\" }}", "j|0.50"),
            ("{{ range query \"up\" }}{{ .Labels.job }}={{ .Value }};{{ end }}", "b=1;a=2500;"),
            (
                "{{ with query \"up\" | first }}{{ . | label \"job\" }} {{ value . }} {{ strvalue . }}{{ end }}",
                "b 1 raw",
            ),
            ("{{ range query \"up\" | sortByLabel \"job\" }}{{ label \"job\" . }}{{ end }}", "ab"),
            ("{{ \"a b\" | title }} {{ toUpper \"x\" }} {{ toLower \"Y\" }}", "A B X y"),
            ("{{ match \"^j$\" $labels.job }} {{ reReplaceAll \"(j)\" \"<$1>\" $labels.job }}", "true <j>"),
            ("{{ safeHtml \"<b>\" }}", "<b>"),
            (
                "{{ graphLink \"up > 1\" }} {{ tableLink \"a{b='c'}\" }}",
                "/graph?g0.expr=up+%3E+1&g0.tab=0 /graph?g0.expr=a%7Bb%3D%27c%27%7D&g0.tab=1",
            ),
            ("{{ urlQueryEscape \"a b&c\" }}", "a+b%26c"),
            ("{{ externalURL }} {{ pathPrefix }}", "http://x.y/p /p"),
            ("{{ parseDuration \"1h30m\" }} {{ now }}", "5400 2.5"),
            (
                "{{ humanizePercentage $value }} {{ humanizeDuration 90 }} {{ humanize 12345.0 }}",
                "50% 1m 30s 12.35k",
            ),
            ("{{ (args 1 \"b\").arg1 }}", "b"),
            (
                "{{ stripPort \"h.x:80\" }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"::1\" }} {{ stripPort \"h\" }}",
                "h.x ::1 ::1 h",
            ),
            (
                "{{ stripDomain \"h.x:80\" }} {{ stripDomain \"h.x\" }} {{ stripDomain \"1.2.3.4:5\" }} {{ stripDomain \"[::1]:80\" }}",
                "h:80 h 1.2.3.4:5 [::1]:80",
            ),
            ("plain", "plain"),
            (
                "{{ query \"bad\" }}",
                "<error expanding template: error executing template __alert_A: template: __alert_A:1:",
            ),
            ("{{ first (query \"bad\") }}", "error calling query: no such thing>"),
            (
                "{{ nope }}",
                "<error expanding template: error parsing template __alert_A: template: __alert_A:1: function \"nope\" not defined>",
            ),
            (
                "{{ reReplaceAll \"(\" \"\" \"\" }}",
                "error calling reReplaceAll: regexp: Compile(`(`): error parsing regexp: missing closing ): `(`>",
            ),
        ];
        let outside = Outside {
            labels: Arc::new(BTreeMap::from([("dc".to_owned(), "eu".to_owned())])),
            url: "http://x.y/p".into(),
        };
        let metrics = RuleMetrics::new(&expfmt::Registry::new());
        let texts: Vec<String> = cases.iter().map(|(text, _)| (*text).to_owned()).collect();
        let expander = Expander::new("A", &texts, Arc::new(Up), outside, metrics);
        let labels = Labels::from_pairs([("job", "j")]);
        let data = expander.data(&labels, &model::Value::Float(0.5), 2500);
        for (text, expected) in cases {
            let got = expander.expand(text, &data);
            let right =
                if got.starts_with('<') && got.len() > 5 { got.contains(expected) } else { got == expected };
            assert!(right, "{text}: {got}");
        }
    }

    #[test]
    fn texts_are_checked_before_they_are_used() {
        assert_eq!(check("A", "{{ $labels.a }} {{ $value }}"), Ok(()));
        let e = check("A", "{{ $nope }}").unwrap_err();
        assert_eq!(e, "template: __alert_A:1: undefined variable \"$nope\"");
    }
}
