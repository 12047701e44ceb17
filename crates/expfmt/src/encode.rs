//! Writing families as text 0.0.4 and OpenMetrics 1.0.

use std::fmt::Write;

use model::{MetricType, float};

use crate::family::{Family, LabelSet, Metric, MetricValue};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Text,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
            Format::OpenMetrics => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
            }
        }
    }

    /// The format an `Accept` header asks for. Text when in doubt.
    pub fn negotiate(accept: &str) -> Format {
        let mut best = (Format::Text, 0.0);
        for part in accept.split(',') {
            let mut fields = part.split(';').map(str::trim);
            let media = fields.next().unwrap_or("");
            let mut weight = 1.0;
            let mut version = "";
            for field in fields {
                match field.split_once('=') {
                    Some(("q", q)) => weight = q.parse().unwrap_or(0.0),
                    Some(("version", v)) => version = v,
                    _ => {}
                }
            }
            let format = match media {
                "application/openmetrics-text" if matches!(version, "" | "0.0.1" | "1.0.0") => {
                    Format::OpenMetrics
                }
                "text/plain" | "*/*" | "text/*" => Format::Text,
                _ => continue,
            };
            if weight > best.1 {
                best = (format, weight);
            }
        }
        best.0
    }
}

/// Appends all families to `out`, in the order given; OpenMetrics ends with `# EOF`.
pub fn encode<L: LabelSet>(families: &[Family<L>], format: Format, out: &mut String) {
    for family in families.iter().filter(|f| !f.metrics.is_empty()) {
        Encoder { family, format, out }.family();
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
}

struct Encoder<'a, L> {
    family: &'a Family<L>,
    format: Format,
    out: &'a mut String,
}

impl<L: LabelSet> Encoder<'_, L> {
    fn family(&mut self) {
        let family = self.family;
        // OpenMetrics names a counter family without the suffix its samples carry.
        let open = self.format == Format::OpenMetrics;
        let base = match family.kind {
            MetricType::Counter if open => family.name.strip_suffix("_total").unwrap_or(&family.name),
            _ => &family.name,
        };
        if !family.help.is_empty() || (L::SHOWS_EMPTY_HELP && !open) {
            let _ = write!(self.out, "# HELP {base} ");
            escape(self.out, &family.help, open);
            self.out.push('\n');
        }
        let kind = match (family.kind, open) {
            (MetricType::Unknown, false) => "untyped",
            (MetricType::GaugeHistogram, false) => "histogram",
            (MetricType::Info | MetricType::StateSet, false) => "gauge",
            (kind, _) => kind.as_str(),
        };
        let _ = writeln!(self.out, "# TYPE {base} {kind}");
        if open && !family.unit.is_empty() {
            let _ = writeln!(self.out, "# UNIT {base} {}", family.unit);
        }
        for metric in &family.metrics {
            self.metric(base, metric);
        }
    }

    fn metric(&mut self, base: &str, metric: &Metric<L>) {
        match &metric.value {
            MetricValue::Number(v) => {
                let suffix = match (self.family.kind, self.format) {
                    (MetricType::Counter, Format::OpenMetrics) => "_total",
                    _ => "",
                };
                self.sample(base, suffix, metric, None, *v);
            }
            MetricValue::Histogram { buckets, sum, count } => {
                for bucket in buckets {
                    let bound = self.bound(bucket.upper_bound);
                    self.line(base, "_bucket", metric, Some(("le", &bound)), bucket.cumulative_count);
                    if let (Some(exemplar), Format::OpenMetrics) = (&bucket.exemplar, self.format) {
                        self.exemplar(exemplar);
                    }
                    self.out.push('\n');
                }
                if buckets.last().is_none_or(|b| b.upper_bound != f64::INFINITY) {
                    self.sample(base, "_bucket", metric, Some(("le", "+Inf")), *count);
                }
                self.sample(base, "_sum", metric, None, *sum);
                self.sample(base, "_count", metric, None, *count);
            }
            MetricValue::Summary { quantiles, sum, count } => {
                for q in quantiles {
                    let bound = self.bound(q.quantile);
                    self.sample(base, "", metric, Some(("quantile", &bound)), q.value);
                }
                self.sample(base, "_sum", metric, None, *sum);
                self.sample(base, "_count", metric, None, *count);
            }
        }
    }

    /// OpenMetrics wants canonical floats (`1.0`) in `le` and `quantile`.
    fn bound(&self, v: f64) -> String {
        let text = float::format_g(v);
        let whole =
            self.format == Format::OpenMetrics && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if whole { text + ".0" } else { text }
    }

    fn sample(&mut self, base: &str, suffix: &str, metric: &Metric<L>, extra: Option<(&str, &str)>, v: f64) {
        self.line(base, suffix, metric, extra, v);
        self.out.push('\n');
    }

    fn line(&mut self, base: &str, suffix: &str, metric: &Metric<L>, extra: Option<(&str, &str)>, v: f64) {
        self.out.push_str(base);
        self.out.push_str(suffix);
        write_labels(self.out, &metric.labels, extra);
        self.out.push(' ');
        float::write_g(self.out, v);
        if let Some(t) = metric.timestamp {
            match self.format {
                Format::Text => {
                    let _ = write!(self.out, " {t}");
                }
                Format::OpenMetrics => {
                    let _ = write!(self.out, " {}", float::format_f(t as f64 / 1000.0));
                }
            }
        }
    }

    fn exemplar(&mut self, exemplar: &model::Exemplar) {
        self.out.push_str(" # ");
        if exemplar.labels.is_empty() {
            self.out.push_str("{}");
        }
        write_labels(self.out, &exemplar.labels, None);
        self.out.push(' ');
        float::write_g(self.out, exemplar.value);
        if let Some(t) = exemplar.timestamp {
            let _ = write!(self.out, " {}", float::format_f(t as f64 / 1000.0));
        }
    }
}

fn write_labels(out: &mut String, labels: &impl LabelSet, extra: Option<(&str, &str)>) {
    let mut any = false;
    for (name, value) in labels.pairs().chain(extra) {
        out.push(if any { ',' } else { '{' });
        any = true;
        out.push_str(name);
        out.push_str("=\"");
        escape(out, value, true);
        out.push('"');
    }
    if any {
        out.push('}');
    }
}

/// Escapes `\` and newline, and `"` where text stands in quotes.
fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::{Bucket, Quantile};
    use model::Labels;

    fn families() -> Vec<Family> {
        let mut latency = Family::new("latency_seconds", "How\nlong.", MetricType::Histogram);
        latency.metrics.push(Metric {
            labels: Labels::from_pairs([("path", "a\"b")]),
            value: MetricValue::Histogram {
                buckets: vec![Bucket { upper_bound: 1.0, cumulative_count: 2.0, exemplar: None }],
                sum: 3.5,
                count: 4.0,
            },
            timestamp: None,
        });
        let mut size = Family::new("size", "", MetricType::Summary);
        size.metrics.push(Metric {
            labels: Labels::empty(),
            value: MetricValue::Summary {
                quantiles: vec![Quantile { quantile: 0.5, value: f64::NAN }],
                sum: 1.0,
                count: 1.0,
            },
            timestamp: Some(1500),
        });
        vec![Family::counter("requests_total", "Requests.").with(&[("code", "200")], 1e6), latency, size]
    }

    #[test]
    fn text_format() {
        let mut out = String::new();
        encode(&families(), Format::Text, &mut out);
        let expected = "# HELP requests_total Requests.\n# TYPE requests_total counter\n\
            requests_total{code=\"200\"} 1e+06\n\
            # HELP latency_seconds How\\nlong.\n# TYPE latency_seconds histogram\n\
            latency_seconds_bucket{path=\"a\\\"b\",le=\"1\"} 2\n\
            latency_seconds_bucket{path=\"a\\\"b\",le=\"+Inf\"} 4\n\
            latency_seconds_sum{path=\"a\\\"b\"} 3.5\nlatency_seconds_count{path=\"a\\\"b\"} 4\n\
            # HELP size \n# TYPE size summary\n\
            size{quantile=\"0.5\"} NaN 1500\nsize_sum 1 1500\nsize_count 1 1500\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn openmetrics_format() {
        let mut out = String::new();
        encode(&families(), Format::OpenMetrics, &mut out);
        assert!(out.starts_with("# HELP requests Requests.\n# TYPE requests counter\nrequests_total{"));
        assert!(out.contains("le=\"1.0\"} 2\n") && out.contains(" NaN 1.5\n") && out.ends_with("# EOF\n"));
    }

    #[test]
    fn negotiation() {
        let check =
            |accept: &str, expected: Format| assert_eq!(Format::negotiate(accept), expected, "{accept}");
        check("", Format::Text);
        check("*/*", Format::Text);
        check(
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
            Format::OpenMetrics,
        );
        check("application/openmetrics-text;version=1.0.0;q=0.1,text/plain;q=0.3", Format::Text);
    }
}
