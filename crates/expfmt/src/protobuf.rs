//! Reading the delimited protobuf format: `io.prometheus.client.MetricFamily` messages, each behind its
//! length. Go clients push it.
//!
//! Native histograms are refused with a clear error: families here hold classic buckets.

use model::MetricType;
use prost::Message;

use crate::family::{Bucket, Family, LabelPairs, Metric, MetricValue, Quantile};

/// Reads all families; a name that comes twice keeps its last message, as in the original.
pub fn read_delimited(mut body: &[u8]) -> Result<Vec<Family<LabelPairs>>, String> {
    let mut families: Vec<Family<LabelPairs>> = Vec::new();
    while !body.is_empty() {
        let message = wire::MetricFamily::decode_length_delimited(&mut body).map_err(|e| e.to_string())?;
        let family = family(message)?;
        match families.iter_mut().find(|known| known.name == family.name) {
            Some(known) => *known = family,
            None => families.push(family),
        }
    }
    Ok(families)
}

fn family(message: wire::MetricFamily) -> Result<Family<LabelPairs>, String> {
    let name = message.name.unwrap_or_default();
    if name.is_empty() {
        return Err("a metric family has no name".into());
    }
    let kind = match message.r#type.unwrap_or(0) {
        0 => MetricType::Counter,
        1 => MetricType::Gauge,
        2 => MetricType::Summary,
        3 => MetricType::Unknown,
        4 => MetricType::Histogram,
        5 => MetricType::GaugeHistogram,
        other => return Err(format!("metric family {name:?} has the unknown type {other}")),
    };
    let mut metrics = Vec::with_capacity(message.metric.len());
    for metric in message.metric {
        let timestamp = metric.timestamp_ms;
        let pair =
            |p: &wire::LabelPair| (p.name.clone().unwrap_or_default(), p.value.clone().unwrap_or_default());
        let labels = metric.label.iter().map(pair).collect();
        metrics.push(Metric { labels, value: value(&name, kind, metric)?, timestamp });
    }
    let (help, unit) = (message.help.unwrap_or_default(), message.unit.unwrap_or_default());
    Ok(Family { name, help, unit, kind, metrics })
}

fn value(name: &str, kind: MetricType, metric: wire::Metric) -> Result<MetricValue, String> {
    let wrong = || format!("collected metric {name:?} is not a {}", kind.as_str().to_uppercase());
    let number = |n: Option<wire::Number>| n.map(|n| n.value.unwrap_or(0.0)).ok_or_else(wrong);
    Ok(match kind {
        MetricType::Counter => MetricValue::Number(number(metric.counter)?),
        MetricType::Gauge => MetricValue::Number(number(metric.gauge)?),
        MetricType::Unknown => MetricValue::Number(number(metric.untyped)?),
        MetricType::Summary => {
            let summary = metric.summary.ok_or_else(wrong)?;
            let quantile = |q: wire::Quantile| Quantile {
                quantile: q.quantile.unwrap_or(0.0),
                value: q.value.unwrap_or(0.0),
            };
            MetricValue::Summary {
                quantiles: summary.quantile.into_iter().map(quantile).collect(),
                sum: summary.sample_sum.unwrap_or(0.0),
                count: summary.sample_count.unwrap_or(0) as f64,
            }
        }
        _ => {
            let histogram = metric.histogram.ok_or_else(wrong)?;
            if histogram.schema.is_some() && histogram.bucket.is_empty() {
                return Err(format!("metric {name:?} is a native histogram, which is not supported"));
            }
            let count = |int: Option<u64>, float: Option<f64>| {
                float.filter(|f| *f > 0.0).unwrap_or(int.unwrap_or(0) as f64)
            };
            let bucket = |b: wire::Bucket| Bucket {
                upper_bound: b.upper_bound.unwrap_or(0.0),
                cumulative_count: count(b.cumulative_count, b.cumulative_count_float),
                exemplar: None,
            };
            MetricValue::Histogram {
                count: count(histogram.sample_count, histogram.sample_count_float),
                sum: histogram.sample_sum.unwrap_or(0.0),
                buckets: histogram.bucket.into_iter().map(bucket).collect(),
            }
        }
    })
}

/// The messages, as far as they are read here. Field numbers are those of `metrics.proto`.
pub mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct MetricFamily {
        #[prost(string, optional, tag = "1")]
        pub name: Option<String>,
        #[prost(string, optional, tag = "2")]
        pub help: Option<String>,
        #[prost(int32, optional, tag = "3")]
        pub r#type: Option<i32>,
        #[prost(message, repeated, tag = "4")]
        pub metric: Vec<Metric>,
        #[prost(string, optional, tag = "5")]
        pub unit: Option<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Metric {
        #[prost(message, repeated, tag = "1")]
        pub label: Vec<LabelPair>,
        #[prost(message, optional, tag = "2")]
        pub gauge: Option<Number>,
        #[prost(message, optional, tag = "3")]
        pub counter: Option<Number>,
        #[prost(message, optional, tag = "4")]
        pub summary: Option<Summary>,
        #[prost(message, optional, tag = "5")]
        pub untyped: Option<Number>,
        #[prost(int64, optional, tag = "6")]
        pub timestamp_ms: Option<i64>,
        #[prost(message, optional, tag = "7")]
        pub histogram: Option<Histogram>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct LabelPair {
        #[prost(string, optional, tag = "1")]
        pub name: Option<String>,
        #[prost(string, optional, tag = "2")]
        pub value: Option<String>,
    }

    /// Counter, gauge and untyped are alike on the wire.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Number {
        #[prost(double, optional, tag = "1")]
        pub value: Option<f64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Summary {
        #[prost(uint64, optional, tag = "1")]
        pub sample_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub sample_sum: Option<f64>,
        #[prost(message, repeated, tag = "3")]
        pub quantile: Vec<Quantile>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Quantile {
        #[prost(double, optional, tag = "1")]
        pub quantile: Option<f64>,
        #[prost(double, optional, tag = "2")]
        pub value: Option<f64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Histogram {
        #[prost(uint64, optional, tag = "1")]
        pub sample_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub sample_sum: Option<f64>,
        #[prost(message, repeated, tag = "3")]
        pub bucket: Vec<Bucket>,
        #[prost(double, optional, tag = "4")]
        pub sample_count_float: Option<f64>,
        #[prost(sint32, optional, tag = "5")]
        pub schema: Option<i32>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Bucket {
        #[prost(uint64, optional, tag = "1")]
        pub cumulative_count: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub upper_bound: Option<f64>,
        #[prost(double, optional, tag = "4")]
        pub cumulative_count_float: Option<f64>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_from_bytes() {
        // name "a", help "h", type gauge, one metric {x="y"} 1.5; written by hand from the field numbers.
        let metric = b"\x0a\x06\x0a\x01x\x12\x01y\x12\x09\x09\x00\x00\x00\x00\x00\x00\xf8\x3f";
        let mut message = b"\x0a\x01a\x12\x01h\x18\x01\x22".to_vec();
        message.push(metric.len() as u8);
        message.extend_from_slice(metric);
        let mut body = vec![message.len() as u8];
        body.extend_from_slice(&message);
        let families = read_delimited(&body).unwrap();
        let mut text = String::new();
        crate::encode(&families, crate::Format::Text, &mut text);
        assert_eq!(text, "# HELP a h\n# TYPE a gauge\na{x=\"y\"} 1.5\n");
        assert_eq!(read_delimited(b""), Ok(Vec::new()));
        assert!(read_delimited(&body[..body.len() - 1]).is_err());
        body[8] = 0;
        assert_eq!(read_delimited(&body).unwrap_err(), "collected metric \"a\" is not a COUNTER");
    }
}
