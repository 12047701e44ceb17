//! Federated families as delimited `io.prometheus.client.MetricFamily` messages:
//!
//! ```text
//! MetricFamily { string name = 1; MetricType type = 3; repeated Metric metric = 4 }
//! Metric       { repeated LabelPair label = 1; Untyped untyped = 5; int64 timestamp_ms = 6;
//!                Histogram histogram = 7 }
//! Histogram    { double sample_sum = 2; double sample_count_float = 4; sint32 schema = 5;
//!                double zero_threshold = 6; double zero_count_float = 8; repeated BucketSpan negative_span = 9;
//!                repeated double negative_count = 11; repeated BucketSpan positive_span = 12;
//!                repeated double positive_count = 14 }
//! ```
//!
//! The schema is of proto2, where a field that is set is written even when it is zero.

use model::{BucketSpan, FloatHistogram, Labels, Value};
use wire::remote::put;

use super::escaping::Escaping;
use super::{Family, Kind, all_labels};

pub fn write(out: &mut Vec<u8>, family: &Family<'_>, external: &Labels, escaping: Escaping) {
    let mut message = Vec::with_capacity(family.metrics.len() * 96);
    put::bytes(&mut message, 1, escaping.escape(family.name).as_bytes());
    let kind = match family.kind {
        Kind::Untyped => 3,
        Kind::Histogram => 4,
        Kind::GaugeHistogram => 5,
    };
    put::uint_always(&mut message, 3, kind);
    for metric in family.metrics {
        put::nested(&mut message, 4, |out| {
            for (name, value) in all_labels(&metric.labels, external) {
                put::nested(out, 1, |out| {
                    put::bytes(out, 1, escaping.escape(name).as_bytes());
                    put::bytes(out, 2, value.as_bytes());
                });
            }
            if let Value::Float(v) = metric.value {
                put::nested(out, 5, |out| put::double_always(out, 1, v));
            }
            put::uint_always(out, 6, metric.t as u64);
            if let Some(h) = metric.histogram() {
                put::nested(out, 7, |out| histogram(out, h));
            }
        });
    }
    put::varint(out, message.len() as u64);
    out.extend_from_slice(&message);
}

fn histogram(out: &mut Vec<u8>, h: &FloatHistogram) {
    put::double_always(out, 2, h.sum);
    put::double_always(out, 4, h.count);
    put::uint_always(out, 5, (i64::from(h.schema) << 1 ^ i64::from(h.schema) >> 63) as u64);
    put::double_always(out, 6, h.zero_threshold);
    put::double_always(out, 8, h.zero_count);
    side(out, 9, 11, &h.negative_spans, &h.negative_buckets);
    side(out, 12, 14, &h.positive_spans, &h.positive_buckets);
}

fn side(out: &mut Vec<u8>, spans_field: u32, counts_field: u32, spans: &[BucketSpan], counts: &[f64]) {
    for span in spans {
        put::nested(out, spans_field, |out| {
            put::uint_always(out, 1, (i64::from(span.offset) << 1 ^ i64::from(span.offset) >> 63) as u64);
            put::uint_always(out, 2, u64::from(span.length));
        });
    }
    counts.iter().for_each(|count| put::double_always(out, counts_field, *count));
}
