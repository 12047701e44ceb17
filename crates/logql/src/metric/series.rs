//! Series as columns over the steps of a query.

use model::{Labels, TimestampMs, TimestampNs};

/// The steps of a query. An instant query has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    pub start: TimestampNs,
    pub step: i64,
    pub count: usize,
}

impl Steps {
    pub fn instant(at: TimestampNs) -> Steps {
        Steps { start: at, step: 0, count: 1 }
    }

    /// `start, start+step, …` up to and including `end`.
    pub fn range(start: TimestampNs, end: TimestampNs, step: i64) -> Steps {
        let count = if step <= 0 || end < start { 1 } else { (end - start) / step + 1 };
        Steps { start, step, count: usize::try_from(count).unwrap_or(usize::MAX) }
    }

    pub fn at(&self, index: usize) -> TimestampNs {
        self.start.saturating_add(self.step.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX)))
    }

    pub fn last(&self) -> TimestampNs {
        self.at(self.count.saturating_sub(1))
    }
}

/// Marks a step without a value. The staleness marker's bits never come out of arithmetic.
pub(crate) fn absent() -> f64 {
    model::stale_nan()
}

pub(crate) fn is_present(v: f64) -> bool {
    !model::is_stale(v)
}

/// A series with one value, or [`absent`], per step.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub labels: Labels,
    pub values: Vec<f64>,
}

impl Series {
    pub fn absent(labels: Labels, steps: usize) -> Series {
        Series { labels, values: vec![absent(); steps] }
    }

    pub fn is_empty(&self) -> bool {
        self.values.iter().all(|v| !is_present(*v))
    }
}

/// A value of a reply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub t: TimestampMs,
    pub v: f64,
}

/// A series of a reply: only the steps that have a value.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesPoints {
    pub labels: Labels,
    pub points: Vec<Point>,
}

impl Series {
    pub(crate) fn into_points(self, steps: &Steps) -> SeriesPoints {
        let point = |(i, v): (usize, f64)| Point { t: steps.at(i).div_euclid(1_000_000), v };
        let points = self.values.into_iter().enumerate().filter(|(_, v)| is_present(*v)).map(point).collect();
        SeriesPoints { labels: self.labels, points }
    }
}
