//! The sums a histogram must satisfy, one label set at a time.

use model::MetricType;

use super::{ParseError, fail};

/// What was seen of one histogram. Stays empty for other types.
pub(super) struct HistogramGroup {
    gauge: bool,
    last_bound: Option<f64>,
    last_count: f64,
    has_negative_buckets: bool,
    count: Option<f64>,
    sum: Option<f64>,
    is_histogram: bool,
}

impl HistogramGroup {
    pub(super) fn new(kind: MetricType) -> HistogramGroup {
        HistogramGroup {
            gauge: kind == MetricType::GaugeHistogram,
            is_histogram: matches!(kind, MetricType::Histogram | MetricType::GaugeHistogram),
            last_bound: None,
            last_count: 0.0,
            has_negative_buckets: false,
            count: None,
            sum: None,
        }
    }

    pub(super) fn add(&mut self, suffix: &str, bound: &str, value: f64) -> Result<(), ParseError> {
        match suffix {
            _ if !self.is_histogram => {}
            "_bucket" => return self.bucket(bound, value),
            "_count" | "_gcount" => self.count = Some(value),
            "_sum" | "_gsum" => self.sum = Some(value),
            _ => {}
        }
        Ok(())
    }

    fn bucket(&mut self, bound: &str, value: f64) -> Result<(), ParseError> {
        let number = bound.parse::<f64>().unwrap_or(f64::NAN);
        if number.is_nan() || (number.is_infinite() && bound != "+Inf" && bound != "-Inf") {
            return fail(format!("bucket bound {bound:?} is not a number"));
        }
        if self.last_bound.is_some_and(|last| number <= last) {
            return fail("buckets are out of order");
        }
        if value < self.last_count {
            return fail("bucket counts decrease");
        }
        self.has_negative_buckets |= number < 0.0;
        (self.last_bound, self.last_count) = (Some(number), value);
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<(), ParseError> {
        if !self.is_histogram || (self.last_bound.is_none() && self.count.is_none() && self.sum.is_none()) {
            return Ok(());
        }
        if self.last_bound != Some(f64::INFINITY) {
            return fail("a histogram needs a bucket with the bound +Inf");
        }
        if self.count.is_some_and(|count| count != self.last_count) {
            return fail("the count of a histogram is not that of its +Inf bucket");
        }
        if self.count.is_some() != self.sum.is_some() && (self.gauge || !self.has_negative_buckets) {
            return fail("a histogram has count and sum, or neither");
        }
        if self.has_negative_buckets && self.sum.is_some() && !self.gauge {
            return fail("a histogram with negative buckets may not have a sum");
        }
        if self.sum.is_some_and(|sum| sum < 0.0) && !self.has_negative_buckets {
            return fail("a sum may not be negative without negative buckets");
        }
        Ok(())
    }
}
