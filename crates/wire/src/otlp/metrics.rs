//! Metric export requests as values, and their protobuf form. Field numbers are those of
//! `opentelemetry/proto/metrics/v1/metrics.proto`.

use model::span::{Attributes, SpanId, TraceId};

use super::OtlpError;
use super::protobuf::key_value;
use crate::protobuf::{Field, ProtobufError, Reader};

/// Samples that stand for "nothing was recorded".
pub const FLAG_NO_RECORDED_VALUE: u32 = 1;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourceMetrics {
    pub resource: Attributes,
    pub scopes: Vec<ScopeMetrics>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScopeMetrics {
    pub name: String,
    pub version: String,
    pub attributes: Attributes,
    pub schema_url: String,
    pub metrics: Vec<Metric>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metric {
    pub name: String,
    pub description: String,
    pub unit: String,
    pub data: Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Temporality {
    #[default]
    Unspecified,
    Delta,
    Cumulative,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub enum Data {
    #[default]
    None,
    Gauge(Vec<NumberPoint>),
    Sum {
        points: Vec<NumberPoint>,
        temporality: Temporality,
        monotonic: bool,
    },
    Histogram {
        points: Vec<HistogramPoint>,
        temporality: Temporality,
    },
    Exponential {
        points: Vec<ExponentialPoint>,
        temporality: Temporality,
    },
    Summary(Vec<SummaryPoint>),
}

/// What all points share. Times are nanoseconds since 1970; zero when not said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Point {
    pub attributes: Attributes,
    pub start: u64,
    pub time: u64,
    pub flags: u32,
    pub exemplars: Vec<Exemplar>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct NumberPoint {
    pub point: Point,
    pub value: f64,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistogramPoint {
    pub point: Point,
    pub count: u64,
    pub sum: Option<f64>,
    /// One more than bounds; not cumulative.
    pub bucket_counts: Vec<u64>,
    pub explicit_bounds: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExponentialPoint {
    pub point: Point,
    pub count: u64,
    pub sum: Option<f64>,
    pub scale: i32,
    pub zero_count: u64,
    pub zero_threshold: f64,
    pub positive: Buckets,
    pub negative: Buckets,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Buckets {
    pub offset: i32,
    pub counts: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct SummaryPoint {
    pub point: Point,
    pub count: u64,
    pub sum: f64,
    /// Quantile and value.
    pub quantiles: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exemplar {
    pub attributes: Attributes,
    pub time: u64,
    pub value: f64,
    pub trace_id: TraceId,
    pub span_id: SpanId,
}

impl From<ProtobufError> for OtlpError {
    fn from(e: ProtobufError) -> OtlpError {
        OtlpError(e.to_string())
    }
}

type Result<T> = std::result::Result<T, OtlpError>;

/// Shows each field of a message.
fn fields<'a>(message: &'a [u8], mut visit: impl FnMut(&Field<'a>) -> Result<()>) -> Result<()> {
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next_field()? {
        visit(&field)?;
    }
    Ok(())
}

/// Text; bytes that are no UTF-8 become replacement characters.
fn text(field: &Field<'_>) -> Result<String> {
    Ok(String::from_utf8_lossy(field.bytes()?).into_owned())
}

/// Reads an `ExportMetricsServiceRequest`.
pub fn decode_metrics(message: &[u8]) -> Result<Vec<ResourceMetrics>> {
    let mut out = Vec::new();
    fields(message, |field| {
        if field.number == 1 {
            out.push(resource_metrics(field.bytes()?)?);
        }
        Ok(())
    })?;
    Ok(out)
}

fn resource_metrics(message: &[u8]) -> Result<ResourceMetrics> {
    let mut out = ResourceMetrics::default();
    fields(message, |field| {
        match field.number {
            1 => fields(field.bytes()?, |field| attribute(field, 1, &mut out.resource))?,
            2 => out.scopes.push(scope_metrics(field.bytes()?)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn attribute(field: &Field<'_>, number: u32, out: &mut Attributes) -> Result<()> {
    if field.number == number {
        out.push(key_value(field.bytes()?, 0)?);
    }
    Ok(())
}

fn scope_metrics(message: &[u8]) -> Result<ScopeMetrics> {
    let mut out = ScopeMetrics::default();
    fields(message, |field| {
        match field.number {
            1 => fields(field.bytes()?, |field| {
                match field.number {
                    1 => out.name = text(field)?,
                    2 => out.version = text(field)?,
                    _ => attribute(field, 3, &mut out.attributes)?,
                }
                Ok(())
            })?,
            2 => out.metrics.push(metric(field.bytes()?)?),
            3 => out.schema_url = text(field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn metric(message: &[u8]) -> Result<Metric> {
    let mut out = Metric::default();
    fields(message, |field| {
        match field.number {
            1 => out.name = text(field)?,
            2 => out.description = text(field)?,
            3 => out.unit = text(field)?,
            5 => out.data = Data::Gauge(points(field.bytes()?, number_point)?.0),
            7 => {
                let (points, temporality, monotonic) = points(field.bytes()?, number_point)?;
                out.data = Data::Sum { points, temporality, monotonic };
            }
            9 => {
                let (points, temporality, _) = points(field.bytes()?, histogram_point)?;
                out.data = Data::Histogram { points, temporality };
            }
            10 => {
                let (points, temporality, _) = points(field.bytes()?, exponential_point)?;
                out.data = Data::Exponential { points, temporality };
            }
            11 => out.data = Data::Summary(points(field.bytes()?, summary_point)?.0),
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

/// The common shape of `Gauge`, `Sum`, `Histogram`, `ExponentialHistogram` and `Summary`.
fn points<P>(message: &[u8], read: fn(&[u8]) -> Result<P>) -> Result<(Vec<P>, Temporality, bool)> {
    let (mut points, mut temporality, mut monotonic) = (Vec::new(), Temporality::default(), false);
    fields(message, |field| {
        match field.number {
            1 => points.push(read(field.bytes()?)?),
            2 => temporality = temporality_of(field.uint()?),
            3 => monotonic = field.uint()? != 0,
            _ => {}
        }
        Ok(())
    })?;
    Ok((points, temporality, monotonic))
}

pub(super) fn temporality_of(number: u64) -> Temporality {
    match number {
        1 => Temporality::Delta,
        2 => Temporality::Cumulative,
        _ => Temporality::Unspecified,
    }
}

fn number_point(message: &[u8]) -> Result<NumberPoint> {
    let mut out = NumberPoint::default();
    fields(message, |field| {
        match field.number {
            2 => out.point.start = field.fixed64()?,
            3 => out.point.time = field.fixed64()?,
            4 => out.value = field.double()?,
            5 => out.point.exemplars.push(exemplar(field.bytes()?)?),
            6 => out.value = field.fixed64()? as i64 as f64,
            8 => out.point.flags = field.uint()? as u32,
            _ => attribute(field, 7, &mut out.point.attributes)?,
        }
        Ok(())
    })?;
    Ok(out)
}

fn histogram_point(message: &[u8]) -> Result<HistogramPoint> {
    let mut out = HistogramPoint::default();
    fields(message, |field| {
        match field.number {
            2 => out.point.start = field.fixed64()?,
            3 => out.point.time = field.fixed64()?,
            4 => out.count = field.fixed64()?,
            5 => out.sum = Some(field.double()?),
            6 => field.each_fixed64(|n| out.bucket_counts.push(n))?,
            7 => field.each_fixed64(|bits| out.explicit_bounds.push(f64::from_bits(bits)))?,
            8 => out.point.exemplars.push(exemplar(field.bytes()?)?),
            10 => out.point.flags = field.uint()? as u32,
            _ => attribute(field, 9, &mut out.point.attributes)?,
        }
        Ok(())
    })?;
    Ok(out)
}

fn exponential_point(message: &[u8]) -> Result<ExponentialPoint> {
    let mut out = ExponentialPoint::default();
    fields(message, |field| {
        match field.number {
            2 => out.point.start = field.fixed64()?,
            3 => out.point.time = field.fixed64()?,
            4 => out.count = field.fixed64()?,
            5 => out.sum = Some(field.double()?),
            6 => out.scale = field.sint32()?,
            7 => out.zero_count = field.fixed64()?,
            8 => out.positive = buckets(field.bytes()?)?,
            9 => out.negative = buckets(field.bytes()?)?,
            10 => out.point.flags = field.uint()? as u32,
            11 => out.point.exemplars.push(exemplar(field.bytes()?)?),
            14 => out.zero_threshold = field.double()?,
            _ => attribute(field, 1, &mut out.point.attributes)?,
        }
        Ok(())
    })?;
    Ok(out)
}

fn buckets(message: &[u8]) -> Result<Buckets> {
    let mut out = Buckets::default();
    fields(message, |field| {
        match field.number {
            1 => out.offset = field.sint32()?,
            2 => field.each_varint(|n| out.counts.push(n))?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(out)
}

fn summary_point(message: &[u8]) -> Result<SummaryPoint> {
    let mut out = SummaryPoint::default();
    fields(message, |field| {
        match field.number {
            2 => out.point.start = field.fixed64()?,
            3 => out.point.time = field.fixed64()?,
            4 => out.count = field.fixed64()?,
            5 => out.sum = field.double()?,
            6 => {
                let mut pair = (0.0, 0.0);
                fields(field.bytes()?, |field| {
                    match field.number {
                        1 => pair.0 = field.double()?,
                        2 => pair.1 = field.double()?,
                        _ => {}
                    }
                    Ok(())
                })?;
                out.quantiles.push(pair);
            }
            8 => out.point.flags = field.uint()? as u32,
            _ => attribute(field, 7, &mut out.point.attributes)?,
        }
        Ok(())
    })?;
    Ok(out)
}

fn exemplar(message: &[u8]) -> Result<Exemplar> {
    let mut out = Exemplar::default();
    fields(message, |field| {
        match field.number {
            2 => out.time = field.fixed64()?,
            3 => out.value = field.double()?,
            4 => out.span_id = field.bytes()?.try_into().map(SpanId).unwrap_or_default(),
            5 => out.trace_id = field.bytes()?.try_into().map(TraceId).unwrap_or_default(),
            6 => out.value = field.fixed64()? as i64 as f64,
            _ => attribute(field, 7, &mut out.attributes)?,
        }
        Ok(())
    })?;
    Ok(out)
}
