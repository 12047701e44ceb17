//! Points that count since their last report, added up (feature `otlp-deltatocumulative`).
//!
//! A *stream* is what one writer reports under one name and one set of attributes. Its first point stands for
//! itself; what follows is added to it and stored as counted since the first point's start. Points that are
//! older than the stream, or not newer than its last point, are left out. A stream that is silent for
//! [`STALE_AFTER`] is forgotten and begins anew, as in the original, which keeps its sums in memory only, too.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::span::Attributes;
use wire::otlp::metrics::{
    Data, ExponentialPoint, HistogramPoint, Metric, NumberPoint, Point, ResourceMetrics, Temporality,
};

use super::exponential;

/// Silent streams are forgotten after this long, looked for this often. Both as in the original.
const STALE_AFTER: Duration = Duration::from_secs(5 * 60);
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// What all sums together may take. Points of new streams are left out beyond it.
const BYTES_MAX: usize = 256 << 20;

/// About what a stream takes beside its buckets.
const STREAM_BYTES: usize = 160;

/// The sums of all streams.
#[derive(Debug, Default)]
pub struct Deltas {
    state: Mutex<State>,
    /// Points left out: older than their stream, not newer than its last one, or of one stream too many.
    pub dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    streams: HashMap<u128, Stream>,
    bytes: usize,
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Stream {
    sum: Sum,
    seen: Instant,
}

#[derive(Debug)]
enum Sum {
    Number(NumberPoint),
    Histogram(HistogramPoint),
    Exponential(ExponentialPoint),
}

impl Deltas {
    pub fn streams(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).streams.len()
    }

    /// Makes every delta of the request cumulative. Metrics without points left are left out whole.
    pub fn add_up(&self, request: &mut [ResourceMetrics]) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget_silent(now);
        for resource in request {
            let of_resource = identity(&resource.resource);
            for scope in &mut resource.scopes {
                let of_scope =
                    format!("{:?}{:?}{:?}", scope.name, scope.version, identity(&scope.attributes));
                scope.metrics.retain_mut(|metric| {
                    let of_metric = format!("{of_resource}{of_scope}{:?}{:?}", metric.name, metric.unit);
                    let (before, left) = state.metric(metric, &of_metric, now);
                    self.dropped.fetch_add((before - left) as u64, Ordering::Relaxed);
                    // A metric that never had points is refused where all are.
                    left > 0 || before == 0
                });
            }
        }
    }
}

impl State {
    fn forget_silent(&mut self, now: Instant) {
        if self.looked.is_some_and(|looked| now.saturating_duration_since(looked) < LOOK_INTERVAL) {
            return;
        }
        self.looked = Some(now);
        self.streams.retain(|_, stream| now.saturating_duration_since(stream.seen) <= STALE_AFTER);
        self.bytes = self.streams.values().map(|stream| stream.sum.bytes()).sum();
    }

    /// Adds up one metric; returns how many points it had and has now.
    fn metric(&mut self, metric: &mut Metric, of_metric: &str, now: Instant) -> (usize, usize) {
        match &mut metric.data {
            Data::Sum { points, temporality: t @ Temporality::Delta, monotonic } => {
                *t = Temporality::Cumulative;
                let kind = if *monotonic { "counter" } else { "sum" };
                self.points(points, &format!("{of_metric}{kind}"), now)
            }
            Data::Histogram { points, temporality: t @ Temporality::Delta } => {
                *t = Temporality::Cumulative;
                self.points(points, &format!("{of_metric}histogram"), now)
            }
            Data::Exponential { points, temporality: t @ Temporality::Delta } => {
                *t = Temporality::Cumulative;
                self.points(points, &format!("{of_metric}exponential"), now)
            }
            _ => (0, 0),
        }
    }

    fn points<P: Addable>(&mut self, points: &mut Vec<P>, of_metric: &str, now: Instant) -> (usize, usize) {
        let before = points.len();
        points.retain_mut(|point| {
            let key = format!("{of_metric}{}", identity(&point.point().attributes));
            self.point(point, xxhash_rust::xxh3::xxh3_128(key.as_bytes()), now)
        });
        (before, points.len())
    }

    /// Replaces a point by the sum it leads to; false when it has no place in its stream.
    fn point<P: Addable>(&mut self, point: &mut P, key: u128, now: Instant) -> bool {
        let stream = match self.streams.entry(key) {
            Entry::Occupied(stream) => stream.into_mut(),
            Entry::Vacant(place) => {
                let sum = point.first();
                if self.bytes + sum.bytes() > BYTES_MAX {
                    return false;
                }
                self.bytes += sum.bytes();
                place.insert(Stream { sum, seen: now });
                return true;
            }
        };
        stream.seen = now;
        let before = stream.sum.bytes();
        let Some(sum) = P::of(&mut stream.sum) else { return false };
        let (last, next) = (sum.point(), point.point());
        if next.start < last.start || next.time <= last.time {
            return false;
        }
        let time = next.time;
        sum.add(point);
        sum.point_mut().time = time;
        let Point { start, flags, .. } = *sum.point();
        point.take_values(sum);
        (point.point_mut().start, point.point_mut().flags) = (start, flags);
        self.bytes = (self.bytes + stream.sum.bytes()).saturating_sub(before);
        true
    }
}

impl Sum {
    fn bytes(&self) -> usize {
        STREAM_BYTES
            + 8 * match self {
                Sum::Number(_) => 0,
                Sum::Histogram(h) => h.bucket_counts.len() + h.explicit_bounds.len(),
                Sum::Exponential(h) => h.positive.counts.len() + h.negative.counts.len(),
            }
    }
}

/// Points that can be added to each other.
trait Addable: Sized {
    fn point(&self) -> &Point;
    fn point_mut(&mut self) -> &mut Point;
    /// The sum that a stream begins with. Attributes and exemplars are not part of it.
    fn first(&self) -> Sum;
    fn of(sum: &mut Sum) -> Option<&mut Self>;
    fn add(&mut self, next: &Self);
    /// Makes the values those of `sum`.
    fn take_values(&mut self, sum: &Self);
}

/// What a sum keeps of a point.
fn frame(point: &Point) -> Point {
    Point { start: point.start, time: point.time, flags: point.flags, ..Point::default() }
}

/// Known as long as everybody says it.
fn total(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? + b?)
}

impl Addable for NumberPoint {
    fn point(&self) -> &Point {
        &self.point
    }

    fn point_mut(&mut self) -> &mut Point {
        &mut self.point
    }

    fn first(&self) -> Sum {
        Sum::Number(NumberPoint { point: frame(&self.point), value: self.value })
    }

    fn of(sum: &mut Sum) -> Option<&mut NumberPoint> {
        if let Sum::Number(number) = sum { Some(number) } else { None }
    }

    fn add(&mut self, next: &NumberPoint) {
        self.value += next.value;
    }

    fn take_values(&mut self, sum: &NumberPoint) {
        self.value = sum.value;
    }
}

impl Addable for HistogramPoint {
    fn point(&self) -> &Point {
        &self.point
    }

    fn point_mut(&mut self) -> &mut Point {
        &mut self.point
    }

    fn first(&self) -> Sum {
        let mut sum = HistogramPoint { point: frame(&self.point), ..HistogramPoint::default() };
        sum.take_values(self);
        Sum::Histogram(sum)
    }

    fn of(sum: &mut Sum) -> Option<&mut HistogramPoint> {
        if let Sum::Histogram(histogram) = sum { Some(histogram) } else { None }
    }

    /// Other bounds cannot be added: the sum begins anew with them.
    fn add(&mut self, next: &HistogramPoint) {
        if self.explicit_bounds != next.explicit_bounds {
            self.point = frame(&next.point);
            self.take_values(next);
            return;
        }
        for (sum, count) in self.bucket_counts.iter_mut().zip(&next.bucket_counts) {
            *sum = sum.wrapping_add(*count);
        }
        self.count = self.count.wrapping_add(next.count);
        self.sum = total(self.sum, next.sum);
    }

    fn take_values(&mut self, sum: &HistogramPoint) {
        (self.count, self.sum) = (sum.count, sum.sum);
        self.bucket_counts.clone_from(&sum.bucket_counts);
        self.explicit_bounds.clone_from(&sum.explicit_bounds);
    }
}

impl Addable for ExponentialPoint {
    fn point(&self) -> &Point {
        &self.point
    }

    fn point_mut(&mut self) -> &mut Point {
        &mut self.point
    }

    fn first(&self) -> Sum {
        let mut sum = ExponentialPoint { point: frame(&self.point), ..ExponentialPoint::default() };
        sum.take_values(self);
        Sum::Exponential(sum)
    }

    fn of(sum: &mut Sum) -> Option<&mut ExponentialPoint> {
        if let Sum::Exponential(histogram) = sum { Some(histogram) } else { None }
    }

    fn add(&mut self, next: &ExponentialPoint) {
        exponential::add(self, next.clone());
        self.count = self.count.wrapping_add(next.count);
        self.sum = total(self.sum, next.sum);
    }

    fn take_values(&mut self, sum: &ExponentialPoint) {
        (self.count, self.sum, self.scale) = (sum.count, sum.sum, sum.scale);
        (self.zero_count, self.zero_threshold) = (sum.zero_count, sum.zero_threshold);
        self.positive.clone_from(&sum.positive);
        self.negative.clone_from(&sum.negative);
    }
}

/// Attributes as text that is the same whatever their order, and tells types apart.
fn identity(attributes: &Attributes) -> String {
    let mut all: Vec<String> = attributes.iter().map(|(key, value)| format!("{key:?}{value:?}")).collect();
    all.sort_unstable();
    format!("{all:?}")
}

#[cfg(test)]
mod tests {
    use model::span::AttributeValue;
    use wire::otlp::metrics::{Buckets, ScopeMetrics};

    use super::*;

    fn point(start: u64, time: u64) -> Point {
        Point { start, time, ..Point::default() }
    }

    /// One request with one delta metric; what is left of it.
    fn add_up(deltas: &Deltas, data: Data) -> Option<Data> {
        let metric = Metric { name: "m".to_owned(), data, ..Metric::default() };
        let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
        let mut request = vec![ResourceMetrics { scopes: vec![scope], ..ResourceMetrics::default() }];
        deltas.add_up(&mut request);
        request.remove(0).scopes.remove(0).metrics.pop().map(|metric| metric.data)
    }

    #[test]
    fn numbers_add_up_by_stream() {
        let deltas = Deltas::default();
        let sum = |start, time, who: &str, value| {
            let mut point = point(start, time);
            point.attributes = vec![("who".to_owned(), AttributeValue::String(who.to_owned()))];
            let points = vec![NumberPoint { point, value }];
            let data = Data::Sum { points, temporality: Temporality::Delta, monotonic: true };
            match add_up(&deltas, data)? {
                Data::Sum { mut points, temporality: Temporality::Cumulative, .. } => {
                    let point = points.pop()?;
                    Some((point.point.start, point.point.time, point.value))
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(sum(10, 20, "a", 1.0), Some((10, 20, 1.0)));
        assert_eq!(sum(20, 30, "a", 2.0), Some((10, 30, 3.0)), "a delta begins where the last one ended");
        assert_eq!(sum(20, 30, "b", 5.0), Some((20, 30, 5.0)));
        assert_eq!(sum(20, 30, "a", 2.0), None, "the same again");
        assert_eq!(sum(9, 40, "a", 2.0), None, "older than the stream");
        assert_eq!(deltas.dropped.load(Ordering::Relaxed), 2);
        assert_eq!(sum(30, 40, "a", 4.0), Some((10, 40, 7.0)));
        assert_eq!(deltas.streams(), 2);
        let mut state = deltas.state.lock().unwrap();
        let later = Instant::now() + STALE_AFTER + LOOK_INTERVAL;
        state.forget_silent(later);
        assert_eq!((state.streams.len(), state.bytes), (0, 0));
    }

    #[test]
    fn histograms_add_up_until_their_bounds_change() {
        let deltas = Deltas::default();
        let histogram = |time, bounds: &[f64], counts: &[u64], sum| {
            let count = counts.iter().sum();
            let (bucket_counts, explicit_bounds) = (counts.to_vec(), bounds.to_vec());
            let one =
                HistogramPoint { point: point(time - 1, time), count, sum, bucket_counts, explicit_bounds };
            let data = Data::Histogram { points: vec![one], temporality: Temporality::Delta };
            match add_up(&deltas, data) {
                Some(Data::Histogram { mut points, .. }) => points.pop().unwrap(),
                other => panic!("{other:?}"),
            }
        };
        histogram(10, &[1.0], &[1, 2], Some(1.5));
        let both = histogram(20, &[1.0], &[3, 0], Some(1.0));
        assert_eq!((both.bucket_counts, both.count, both.sum), (vec![4, 2], 6, Some(2.5)));
        assert_eq!(both.point.start, 9);
        assert_eq!(histogram(30, &[1.0], &[1, 1], None).sum, None);
        let anew = histogram(40, &[2.0], &[1, 1], Some(1.0));
        assert_eq!((anew.bucket_counts, anew.count, anew.point.start), (vec![1, 1], 2, 39));
    }

    #[test]
    fn exponential_histograms_meet_at_the_coarser_scale() {
        let deltas = Deltas::default();
        let histogram = |time, scale, offset, counts: &[u64]| {
            let positive = Buckets { offset, counts: counts.to_vec() };
            let count = counts.iter().sum();
            let one = ExponentialPoint {
                point: point(1, time),
                count,
                sum: Some(1.0),
                scale,
                positive,
                ..ExponentialPoint::default()
            };
            let data = Data::Exponential { points: vec![one], temporality: Temporality::Delta };
            match add_up(&deltas, data) {
                Some(Data::Exponential { mut points, .. }) => points.pop().unwrap(),
                other => panic!("{other:?}"),
            }
        };
        histogram(10, 1, -1, &[1, 2, 3, 4]);
        let both = histogram(20, 0, 0, &[10, 20]);
        assert_eq!((both.scale, both.count, both.sum), (0, 40, Some(2.0)));
        assert_eq!(both.positive, Buckets { offset: -1, counts: vec![1, 15, 24] });
        // Far apart: coarser until 160 buckets hold both.
        let far = histogram(30, 0, 1_000, &[1]);
        assert!(far.scale < 0 && far.positive.counts.len() <= 161, "{far:?}");
        assert_eq!(far.positive.counts.iter().sum::<u64>(), 41);
    }
}
