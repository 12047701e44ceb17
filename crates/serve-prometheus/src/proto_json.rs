//! Metric families in protobuf's JSON: the exposition format's message, counts as text, no zero fields.

use expfmt::{Family, Metric, MetricValue};
use model::MetricType;
use serde_json::{Value, json};

/// `io.prometheus.client.MetricFamily`.
pub fn family(family: &Family) -> Value {
    let mut out = json!({ "name": family.name });
    if !family.help.is_empty() {
        out["help"] = family.help.clone().into();
    }
    out["type"] = match family.kind {
        MetricType::Counter => "COUNTER",
        MetricType::Gauge => "GAUGE",
        MetricType::Summary => "SUMMARY",
        MetricType::Histogram => "HISTOGRAM",
        _ => "UNTYPED",
    }
    .into();
    out["metric"] = family.metrics.iter().map(|m| metric(m, family.kind)).collect();
    if !family.unit.is_empty() {
        out["unit"] = family.unit.clone().into();
    }
    out
}

fn metric(metric: &Metric, kind: MetricType) -> Value {
    let labels: Vec<Value> =
        metric.labels.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let mut out = json!({});
    if !labels.is_empty() {
        out["label"] = labels.into();
    }
    let (name, value) = match &metric.value {
        MetricValue::Number(v) => {
            let name = match kind {
                MetricType::Counter => "counter",
                MetricType::Gauge => "gauge",
                _ => "untyped",
            };
            (name, json!({ "value": number(*v) }))
        }
        MetricValue::Histogram { buckets, sum, count } => {
            let buckets: Vec<Value> = buckets
                .iter()
                .map(|b| json!({ "cumulativeCount": whole(b.cumulative_count), "upperBound": number(b.upper_bound) }))
                .collect();
            let value = json!({ "sampleCount": whole(*count), "sampleSum": number(*sum), "bucket": buckets });
            ("histogram", value)
        }
        MetricValue::Summary { quantiles, sum, count } => {
            let quantiles: Vec<Value> = quantiles
                .iter()
                .map(|q| json!({ "quantile": number(q.quantile), "value": number(q.value) }))
                .collect();
            let value =
                json!({ "sampleCount": whole(*count), "sampleSum": number(*sum), "quantile": quantiles });
            ("summary", value)
        }
    };
    out[name] = value;
    if let Some(t) = metric.timestamp {
        out["timestampMs"] = t.to_string().into();
    }
    out
}

/// Numbers that JSON has no word for are words here.
fn number(v: f64) -> Value {
    match v {
        v if v.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        v if v.fract() == 0.0 && v.abs() < 1e15 => (v as i64).into(),
        v => v.into(),
    }
}

/// 64-bit counts are text, so that no reader rounds them.
fn whole(v: f64) -> Value {
    (v as u64).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge() {
        let shown = family(&Family::gauge("up", "Is it?").with(&[("job", "a")], 1.0));
        assert_eq!(
            shown.to_string(),
            r#"{"name":"up","help":"Is it?","type":"GAUGE","metric":[{"label":[{"name":"job","value":"a"}],"gauge":{"value":1}}]}"#
        );
        assert_eq!((number(f64::NAN), number(0.5)), ("NaN".into(), 0.5.into()));
    }
}
