//! What a write request is made of, whatever its version.

use model::{Exemplar, FloatHistogram, Labels, Metadata, TimestampMs};

/// One sample or exemplar of one series.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub labels: &'a Labels,
    pub t: TimestampMs,
    /// Since when the sample counts; zero when it does not say.
    pub start: TimestampMs,
    pub point: Point<'a>,
    /// What is known of the metric; only version 2 has a place for it.
    pub metadata: Option<&'a Metadata>,
}

#[derive(Debug, Clone, Copy)]
pub enum Point<'a> {
    Float(f64),
    Histogram(&'a FloatHistogram),
    /// Its own time, when it has one, wins over the row's.
    Exemplar(&'a Exemplar),
}
