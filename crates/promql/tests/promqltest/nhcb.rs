//! Classic histograms as native ones with custom buckets.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{BucketSpan, FloatHistogram, Labels, Value};

#[derive(Default)]
struct Parts {
    /// Cumulative counts by upper bound (as ordered bits; bounds of histograms are ordinary numbers).
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// Native histograms made of the `_bucket`, `_count` and `_sum` samples among `samples`.
pub fn convert(samples: &[(Labels, i64, Value)]) -> Vec<(Labels, i64, Value)> {
    let mut parts: BTreeMap<(Labels, i64), Parts> = BTreeMap::new();
    for (labels, t, value) in samples {
        let Value::Float(v) = value else { continue };
        let name = labels.metric_name();
        let split = ["_bucket", "_count", "_sum"].iter().find_map(|s| Some((name.strip_suffix(s)?, *s)));
        let Some((base, suffix)) = split else { continue };
        let mut builder = labels.to_builder();
        builder.set("__name__", base).remove("le");
        let entry = parts.entry((builder.build(), *t)).or_default();
        match suffix {
            "_bucket" => {
                if let Ok(bound) = labels.get("le").replace("Inf", "inf").parse() {
                    entry.buckets.push((bound, *v));
                }
            }
            "_count" => entry.count = Some(*v),
            _ => entry.sum = *v,
        }
    }
    let converted = parts.into_iter().filter_map(|((labels, t), mut parts)| {
        parts.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let highest = parts.buckets.last()?.1;
        let count = parts.count.unwrap_or(highest);
        let custom_values: Vec<f64> =
            parts.buckets.iter().map(|b| b.0).filter(|bound| bound.is_finite()).collect();
        let mut counts: Vec<f64> = Vec::new();
        let mut previous = 0.0;
        for (_, cumulative) in &parts.buckets {
            counts.push(cumulative - previous);
            previous = *cumulative;
        }
        if parts.buckets.last()?.0.is_finite() {
            counts.push(count - previous);
        }
        if counts.iter().any(|c| *c < 0.0) {
            return None;
        }
        let h = FloatHistogram {
            schema: model::histogram::CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: parts.sum,
            positive_spans: vec![BucketSpan { offset: 0, length: counts.len() as u32 }],
            positive_buckets: counts,
            custom_values,
            ..FloatHistogram::default()
        };
        Some((labels, t, Value::Histogram(Arc::new(eval::histogram::Wide::new(&h).finish()))))
    });
    converted.collect()
}
