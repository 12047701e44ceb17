//! Metric export requests in JSON: protobuf's mapping with hexadecimal ids, as `json` says for traces.

use model::span::{SpanId, TraceId};
use serde_json::Value;

use super::OtlpError;
use super::json::{attributes, get, integer, items, text};
use super::metrics::{
    Buckets, Data, Exemplar, ExponentialPoint, HistogramPoint, Metric, NumberPoint, Point, ResourceMetrics,
    ScopeMetrics, SummaryPoint, Temporality, temporality_of,
};

type Result<T> = std::result::Result<T, OtlpError>;

/// Reads an `ExportMetricsServiceRequest`.
pub fn decode_metrics_json(bytes: &[u8]) -> Result<Vec<ResourceMetrics>> {
    let request: Value =
        serde_json::from_slice(bytes).map_err(|e| OtlpError::new(format!("malformed JSON: {e}")))?;
    if !request.is_object() {
        return Err(OtlpError::new("the request is not a JSON object"));
    }
    each(&request, "resourceMetrics", |value| {
        Ok(ResourceMetrics {
            resource: attributes(get(value, "resource"), 0)?,
            scopes: each(value, "scopeMetrics", scope_metrics)?,
        })
    })
}

fn each<T>(value: &Value, key: &str, read: impl Fn(&Value) -> Result<T>) -> Result<Vec<T>> {
    items(value, key)?.iter().map(read).collect()
}

fn scope_metrics(value: &Value) -> Result<ScopeMetrics> {
    let scope = get(value, "scope");
    Ok(ScopeMetrics {
        name: text(scope, "name")?,
        version: text(scope, "version")?,
        attributes: attributes(scope, 0)?,
        schema_url: text(value, "schemaUrl")?,
        metrics: each(value, "metrics", metric)?,
    })
}

fn metric(value: &Value) -> Result<Metric> {
    let data = |key: &str| Some(get(value, key)).filter(|v| !v.is_null());
    let data = if let Some(gauge) = data("gauge") {
        Data::Gauge(each(gauge, "dataPoints", number_point)?)
    } else if let Some(sum) = data("sum") {
        Data::Sum {
            points: each(sum, "dataPoints", number_point)?,
            temporality: temporality(sum)?,
            monotonic: get(sum, "isMonotonic").as_bool().unwrap_or(false),
        }
    } else if let Some(histogram) = data("histogram") {
        let points = each(histogram, "dataPoints", histogram_point)?;
        Data::Histogram { points, temporality: temporality(histogram)? }
    } else if let Some(histogram) = data("exponentialHistogram") {
        let points = each(histogram, "dataPoints", exponential_point)?;
        Data::Exponential { points, temporality: temporality(histogram)? }
    } else if let Some(summary) = data("summary") {
        Data::Summary(each(summary, "dataPoints", summary_point)?)
    } else {
        Data::None
    };
    Ok(Metric {
        name: text(value, "name")?,
        description: text(value, "description")?,
        unit: text(value, "unit")?,
        data,
    })
}

fn temporality(value: &Value) -> Result<Temporality> {
    Ok(match get(value, "aggregationTemporality") {
        Value::String(name) if name == "AGGREGATION_TEMPORALITY_DELTA" => Temporality::Delta,
        Value::String(name) if name == "AGGREGATION_TEMPORALITY_CUMULATIVE" => Temporality::Cumulative,
        Value::String(_) => Temporality::Unspecified,
        _ => temporality_of(integer(value, "aggregationTemporality")?),
    })
}

fn point(value: &Value) -> Result<Point> {
    Ok(Point {
        attributes: attributes(value, 0)?,
        start: integer(value, "startTimeUnixNano")?,
        time: integer(value, "timeUnixNano")?,
        flags: integer(value, "flags")? as u32,
        exemplars: each(value, "exemplars", exemplar)?,
    })
}

fn number_point(value: &Value) -> Result<NumberPoint> {
    Ok(NumberPoint { point: point(value)?, value: number(value)? })
}

/// `asDouble` or `asInt`.
fn number(value: &Value) -> Result<f64> {
    match (double(value, "asDouble")?, get(value, "asInt")) {
        (Some(v), _) => Ok(v),
        (None, Value::Null) => Ok(0.0),
        (None, Value::String(text)) => {
            text.parse::<i64>().map(|n| n as f64).map_err(|_| wrong("asInt", get(value, "asInt")))
        }
        (None, found) => found.as_i64().map(|n| n as f64).ok_or_else(|| wrong("asInt", found)),
    }
}

/// A double: a number, or one of the texts JSON has no numbers for.
fn double(value: &Value, key: &str) -> Result<Option<f64>> {
    let found = get(value, key);
    match found {
        Value::Null => Ok(None),
        found => one_double(found).map(Some).ok_or_else(|| wrong(key, found)),
    }
}

fn one_double(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) if text == "NaN" => Some(f64::NAN),
        Value::String(text) if text == "Infinity" => Some(f64::INFINITY),
        Value::String(text) if text == "-Infinity" => Some(f64::NEG_INFINITY),
        Value::String(text) => text.parse().ok(),
        value => value.as_f64(),
    }
}

fn one_integer(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

fn list<T>(value: &Value, key: &str, read: fn(&Value) -> Option<T>) -> Result<Vec<T>> {
    each(value, key, |item| read(item).ok_or_else(|| wrong(key, item)))
}

fn signed(value: &Value, key: &str) -> Result<i32> {
    let found = get(value, key);
    let number = match found {
        Value::Null => Some(0),
        Value::String(text) => text.parse().ok(),
        found => found.as_i64().and_then(|n| i32::try_from(n).ok()),
    };
    number.ok_or_else(|| wrong(key, found))
}

fn wrong(key: &str, found: &Value) -> OtlpError {
    OtlpError::new(format!("{key}: unexpected {found}"))
}

fn histogram_point(value: &Value) -> Result<HistogramPoint> {
    Ok(HistogramPoint {
        point: point(value)?,
        count: integer(value, "count")?,
        sum: double(value, "sum")?,
        bucket_counts: list(value, "bucketCounts", one_integer)?,
        explicit_bounds: list(value, "explicitBounds", one_double)?,
    })
}

fn exponential_point(value: &Value) -> Result<ExponentialPoint> {
    Ok(ExponentialPoint {
        point: point(value)?,
        count: integer(value, "count")?,
        sum: double(value, "sum")?,
        scale: signed(value, "scale")?,
        zero_count: integer(value, "zeroCount")?,
        zero_threshold: double(value, "zeroThreshold")?.unwrap_or(0.0),
        positive: buckets(get(value, "positive"))?,
        negative: buckets(get(value, "negative"))?,
    })
}

fn buckets(value: &Value) -> Result<Buckets> {
    Ok(Buckets { offset: signed(value, "offset")?, counts: list(value, "bucketCounts", one_integer)? })
}

fn summary_point(value: &Value) -> Result<SummaryPoint> {
    let pair = |value: &Value| {
        Ok((double(value, "quantile")?.unwrap_or(0.0), double(value, "value")?.unwrap_or(0.0)))
    };
    Ok(SummaryPoint {
        point: point(value)?,
        count: integer(value, "count")?,
        sum: double(value, "sum")?.unwrap_or(0.0),
        quantiles: each(value, "quantileValues", pair)?,
    })
}

fn exemplar(value: &Value) -> Result<Exemplar> {
    let (trace, span) = (text(value, "traceId")?, text(value, "spanId")?);
    let filtered = each(value, "filteredAttributes", |pair| super::json::key_value(pair, 0))?;
    Ok(Exemplar {
        attributes: filtered,
        time: integer(value, "timeUnixNano")?,
        value: number(value)?,
        trace_id: TraceId::from_hex(&trace).filter(|_| trace.len() == 32).unwrap_or_default(),
        span_id: SpanId::from_hex(&span).filter(|_| span.len() == 16).unwrap_or_default(),
    })
}
