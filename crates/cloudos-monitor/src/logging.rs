//! Log lines of the whole process: logfmt or JSON on standard error, one event a line.
//!
//! ```text
//! time=2026-01-02T03:04:05.678Z level=INFO service=prometheus msg="listening" address=127.0.0.1:9090
//! ```
//!
//! The service is the `service` field of the event, or else the one whose crate the event comes from.

use std::fmt::Write as _;
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Sets up logging from the names of a level and a form; unknown names are an error that lists the known ones.
pub fn init(level: &str, format: &str) -> Result<(), String> {
    let level = parse_level(level)?;
    let json = match format {
        "" | "logfmt" => false,
        "json" => true,
        other => return Err(format!("unknown log format {other:?}: use logfmt or json")),
    };
    let subscriber = tracing_subscriber::registry().with(Lines { level, json });
    tracing::subscriber::set_global_default(subscriber).map_err(|e| e.to_string())
}

/// Level names as the spec and the originals write them, in any case.
pub fn parse_level(name: &str) -> Result<Level, String> {
    match name.to_ascii_lowercase().as_str() {
        "error" => Ok(Level::ERROR),
        "warn" | "warning" => Ok(Level::WARN),
        "" | "info" => Ok(Level::INFO),
        "debug" => Ok(Level::DEBUG),
        "trace" => Ok(Level::TRACE),
        other => Err(format!("unknown log level {other:?}: use ERROR, WARN, INFO, DEBUG or TRACE")),
    }
}

struct Lines {
    level: Level,
    json: bool,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        // Libraries may warn; their chatter below that is nobody's concern here.
        let limit = if is_ours(metadata.target()) { self.level } else { self.level.min(Level::WARN) };
        *metadata.level() <= limit
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let service = match fields.service.as_str() {
            "" => service_of(event.metadata().target()),
            given => given,
        };
        let now = rfc3339(std::time::SystemTime::now());
        let level = event.metadata().level();
        let line = match self.json {
            true => fields.as_json(&now, level, service),
            false => fields.as_logfmt(&now, level, service),
        };
        // One write per line keeps lines whole; a closed standard error must not stop the process.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    service: String,
    /// The others, in the order of the event.
    rest: Vec<(&'static str, String)>,
}

impl Fields {
    fn put(&mut self, name: &'static str, value: String) {
        match name {
            "message" => self.message = value,
            "service" => self.service = value,
            name => self.rest.push((name, value)),
        }
    }

    fn as_logfmt(&self, time: &str, level: &Level, service: &str) -> String {
        let message = quote(&self.message);
        let mut line = format!("time={time} level={level} service={service} msg={message}");
        for (name, value) in &self.rest {
            let _ = write!(line, " {name}={}", quote(value));
        }
        line.push('\n');
        line
    }

    fn as_json(&self, time: &str, level: &Level, service: &str) -> String {
        let mut line = format!("{{\"time\":\"{time}\",\"level\":\"{level}\"");
        let own = [("service", service), ("msg", &self.message)];
        for (name, value) in own.into_iter().chain(self.rest.iter().map(|(n, v)| (*n, v.as_str()))) {
            let _ = write!(line, ",{}:{}", json_string(name), json_string(value));
        }
        line.push_str("}\n");
        line
    }
}

fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}

/// Quotes what logfmt cannot carry bare.
fn quote(text: &str) -> String {
    let bare = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'=' && b != b'\\');
    if bare {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    // Writing to a string does not fail.
    let _ = model::labels::write_quoted(&mut out, text);
    out
}

fn is_ours(target: &str) -> bool {
    CRATES.iter().any(|(name, _)| *name == crate_of(target))
}

fn crate_of(target: &str) -> &str {
    target.split("::").next().unwrap_or(target)
}

/// Which service a crate works for.
fn service_of(target: &str) -> &'static str {
    let name = crate_of(target);
    CRATES.iter().find(|(n, _)| *n == name).map_or("monitor", |(_, service)| service)
}

const CRATES: &[(&str, &str)] = &[
    ("alerting", "alertmanager"),
    ("cloudos_monitor", "monitor"),
    ("collect_cloudos", "cloudos-exporter"),
    ("collect_container", "cadvisor"),
    ("collect_node", "node-exporter"),
    ("config", "monitor"),
    ("discovery", "prometheus"),
    ("eval", "prometheus"),
    ("front", "monitor"),
    ("gossip", "alertmanager"),
    ("kernel", "monitor"),
    ("logql", "loki"),
    ("notify", "alertmanager"),
    ("promql", "prometheus"),
    ("rules", "prometheus"),
    ("scrape", "prometheus"),
    ("serve_alertmanager", "alertmanager"),
    ("serve_exporters", "monitor"),
    ("serve_grafana", "grafana"),
    ("serve_jaeger", "jaeger"),
    ("serve_loki", "loki"),
    ("serve_prometheus", "prometheus"),
    ("serve_promtail", "promtail"),
    ("serve_pushgateway", "pushgateway"),
    ("store_logs", "loki"),
    ("store_metrics", "prometheus"),
    ("store_traces", "jaeger"),
    ("tail", "promtail"),
];

/// RFC 3339 in UTC with milliseconds.
fn rfc3339(now: std::time::SystemTime) -> String {
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let c = model::civil::Civil::of_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        c.year,
        c.month,
        c.day,
        c.hour,
        c.minute,
        c.second,
        since.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn times_are_civil() {
        let at = |ms| rfc3339(UNIX_EPOCH + Duration::from_millis(ms));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400_001), "2000-02-29T00:00:00.001Z");
        assert_eq!(at(1_767_322_799_999), "2026-01-02T02:59:59.999Z");
    }

    #[test]
    fn values_are_quoted_when_needed() {
        assert_eq!(quote("plain"), "plain");
        assert_eq!(quote(""), "\"\"");
        assert_eq!(quote("a b\n\"c\""), r#""a b\n\"c\"""#);
    }

    #[test]
    fn both_forms() {
        let mut fields = Fields { message: "it's \"so\"".into(), ..Fields::default() };
        fields.put("path", "/a b".into());
        fields.put("service", "loki".into());
        assert_eq!(
            fields.as_logfmt("T", &Level::INFO, "loki"),
            "time=T level=INFO service=loki msg=\"it's \\\"so\\\"\" path=\"/a b\"\n"
        );
        assert_eq!(
            fields.as_json("T", &Level::WARN, "loki"),
            "{\"time\":\"T\",\"level\":\"WARN\",\"service\":\"loki\",\"msg\":\"it's \\\"so\\\"\",\"path\":\"/a b\"}\n"
        );
    }
}
