//! Query results as the API's JSON.

use std::fmt::Write;
use std::time::Duration;

use model::{FloatHistogram, TimestampMs, Value, float};
use promql::{QueryResult, QueryValue, Timings, TraceNode};

use crate::reply::{Reply, write_labels, write_string};
use crate::times::write_seconds;

/// Renders a result; at most `limit` series when it is not zero. Statistics are shown when it is told how
/// long the query waited for its turn.
pub fn result(result: QueryResult, limit: usize, stats_queued: Option<Duration>) -> Reply {
    let mut out = String::with_capacity(1024);
    let mut warnings = result.warnings;
    out.push_str("{\"resultType\":\"");
    match &result.value {
        QueryValue::Scalar { t, v } => {
            out.push_str("scalar\",\"result\":");
            write_sample(&mut out, *t, *v);
        }
        QueryValue::String { t, s } => {
            out.push_str("string\",\"result\":[");
            write_seconds(&mut out, *t);
            out.push(',');
            write_string(&mut out, s);
            out.push(']');
        }
        QueryValue::Vector(samples) => {
            out.push_str("vector\",\"result\":[");
            let kept = truncate(samples, limit, &mut warnings);
            let mut stamps = Stamps::default();
            out.reserve(kept.len() * SERIES_BYTES);
            for (i, sample) in kept.iter().enumerate() {
                out.push_str(if i > 0 { ",{\"metric\":" } else { "{\"metric\":" });
                write_labels(&mut out, &sample.labels);
                match &sample.value {
                    Value::Float(v) => {
                        out.push_str(",\"value\":[");
                        stamps.write(&mut out, 0, sample.t);
                        out.push_str(",\"");
                        float::write_json(&mut out, *v);
                        out.push_str("\"]");
                    }
                    Value::Histogram(h) => {
                        out.push_str(",\"histogram\":");
                        write_histogram_sample(&mut out, sample.t, h);
                    }
                }
                out.push('}');
            }
            out.push(']');
        }
        QueryValue::Matrix(series) => {
            out.push_str("matrix\",\"result\":[");
            let kept = truncate(series, limit, &mut warnings);
            let mut stamps = Stamps::default();
            for (i, series) in kept.iter().enumerate() {
                out.push_str(if i > 0 { ",{\"metric\":" } else { "{\"metric\":" });
                write_labels(&mut out, &series.labels);
                let (times, values) = &series.floats;
                if !values.is_empty() {
                    out.push_str(",\"values\":[");
                    out.reserve(times.len() * SAMPLE_BYTES);
                    for (i, (t, v)) in times.iter().zip(values).enumerate() {
                        out.push_str(if i > 0 { ",[" } else { "[" });
                        stamps.write(&mut out, i, *t);
                        out.push_str(",\"");
                        float::write_json(&mut out, *v);
                        out.push_str("\"]");
                    }
                    out.push(']');
                }
                if !series.histograms.is_empty() {
                    out.push_str(",\"histograms\":[");
                    for (i, (t, h)) in series.histograms.iter().enumerate() {
                        if i > 0 {
                            out.push(',');
                        }
                        write_histogram_sample(&mut out, *t, h);
                    }
                    out.push(']');
                }
                out.push('}');
            }
            out.push(']');
        }
    }
    if let Some(queued) = stats_queued {
        let s = &result.stats;
        let _ =
            write!(out, ",\"stats\":{{\"timings\":{},\"samples\":{{", timings_json(&result.timings, queued));
        if let Some(per_step) = &result.samples_per_step {
            out.push_str("\"totalQueryableSamplesPerStep\":[");
            for (i, (t, count)) in per_step.iter().enumerate() {
                out.push_str(if i > 0 { ",[" } else { "[" });
                write_seconds(&mut out, *t);
                let _ = write!(out, ",{count}]");
            }
            out.push_str("],");
        }
        let _ = write!(
            out,
            "\"totalQueryableSamples\":{},\"samplesRead\":{},\"peakSamples\":{}}}}}",
            s.total_queryable_samples, s.samples_read, s.peak_samples
        );
    }
    if let Some(trace) = &result.trace {
        out.push_str(",\"trace\":");
        write_trace(&mut out, trace);
    }
    out.push('}');
    Reply { data: out, warnings, infos: result.infos }
}

/// Seconds by phase, under the original's names.
pub fn timings_json(timings: &Timings, queued: Duration) -> serde_json::Value {
    let Timings { prepare, evaluate, sort } = *timings;
    let total = prepare + evaluate + sort;
    serde_json::json!({
        "evalTotalTime": total.as_secs_f64(),
        "resultSortTime": sort.as_secs_f64(),
        "queryPreparationTime": prepare.as_secs_f64(),
        "innerEvalTime": evaluate.as_secs_f64(),
        "execQueueTime": queued.as_secs_f64(),
        "execTotalTime": (queued + total).as_secs_f64(),
    })
}

/// The operators of a query: what, where in its text, and what they took, those below included.
fn write_trace(out: &mut String, nodes: &[TraceNode]) {
    out.push('[');
    for (i, node) in nodes.iter().enumerate() {
        out.push_str(if i > 0 { ",{\"expr\":" } else { "{\"expr\":" });
        write_string(out, &node.expr);
        let _ = write!(
            out,
            ",\"start\":{},\"end\":{},\"durationSeconds\":{},\"series\":{},\"values\":{},\"samplesRead\":{},\
             \"reused\":{},\"children\":",
            node.start,
            node.end,
            node.duration.as_secs_f64(),
            node.series,
            node.values,
            node.samples_read,
            node.reused
        );
        write_trace(out, &node.children);
        out.push('}');
    }
    out.push(']');
}

fn truncate<'a, T>(items: &'a [T], limit: usize, warnings: &mut Vec<String>) -> &'a [T] {
    if limit == 0 || items.len() <= limit {
        return items;
    }
    warnings.push("results truncated due to limit".into());
    &items[..limit]
}

/// About what a sample takes: brackets, ten digits of seconds, a value.
const SAMPLE_BYTES: usize = 28;

/// About what a series with one sample takes.
const SERIES_BYTES: usize = 192;

/// The texts of times written so far. The series of a result mostly have their samples at the same times.
#[derive(Default)]
struct Stamps {
    text: String,
    /// Times, and where their texts end.
    known: Vec<(TimestampMs, usize)>,
}

impl Stamps {
    /// Appends the seconds of the sample at `position` of its series.
    fn write(&mut self, out: &mut String, position: usize, t: TimestampMs) {
        match self.known.get(position) {
            Some((known, end)) if *known == t => {
                let start = position.checked_sub(1).and_then(|before| self.known.get(before));
                let start = start.map_or(0, |(_, end)| *end);
                out.push_str(self.text.get(start..*end).unwrap_or_default());
            }
            None if position == self.known.len() => {
                let start = self.text.len();
                write_seconds(&mut self.text, t);
                self.known.push((t, self.text.len()));
                out.push_str(self.text.get(start..).unwrap_or_default());
            }
            _ => write_seconds(out, t),
        }
    }
}

fn write_sample(out: &mut String, t: TimestampMs, v: f64) {
    out.push('[');
    write_seconds(out, t);
    out.push_str(",\"");
    float::write_json(out, v);
    out.push_str("\"]");
}

/// `[t, {"count":"…","sum":"…","buckets":[[rule,"lower","upper","count"],…]}]`
fn write_histogram_sample(out: &mut String, t: TimestampMs, h: &FloatHistogram) {
    out.push('[');
    write_seconds(out, t);
    out.push_str(",{\"count\":\"");
    float::write_json(out, h.count);
    out.push_str("\",\"sum\":\"");
    float::write_json(out, h.sum);
    out.push('"');
    let mut first = true;
    for bucket in eval::histogram::buckets(h) {
        if bucket.count == 0.0 {
            continue;
        }
        out.push_str(if first { ",\"buckets\":[[" } else { ",[" });
        first = false;
        // 0: (lower, upper]; 1: [lower, upper); 3: [lower, upper], the zero bucket and the first custom one.
        let rule = match (h.uses_custom_buckets(), bucket.lower < 0.0, bucket.upper > 0.0) {
            (true, ..) if bucket.lower == f64::NEG_INFINITY => 3,
            (false, true, true) | (false, false, false) => 3,
            (false, true, false) => 1,
            _ => 0,
        };
        let _ = write!(out, "{rule},\"");
        float::write_json(out, bucket.lower);
        out.push_str("\",\"");
        float::write_json(out, bucket.upper);
        out.push_str("\",\"");
        float::write_json(out, bucket.count);
        out.push_str("\"]");
    }
    if !first {
        out.push(']');
    }
    out.push_str("}]");
}
