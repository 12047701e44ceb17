//! Sliding windows over one series: for every step the samples of `(start, end]`, found by two
//! pointers that only move forward.

use std::ops::Range;
use std::sync::Arc;

use model::{FloatHistogram, TimestampMs};
use storage::metrics::SampleColumns;

use crate::{Column, Steps};

/// What one step sees of a series, plus where that lies within the whole.
#[derive(Debug, Clone)]
pub struct Window<'a> {
    /// The time of the step.
    pub step_time: TimestampMs,
    /// Exclusive.
    pub start: TimestampMs,
    /// Inclusive.
    pub end: TimestampMs,
    pub samples: &'a SampleColumns,
    pub floats: Range<usize>,
    pub histograms: Range<usize>,
}

impl<'a> Window<'a> {
    pub fn values(&self) -> &'a [f64] {
        &self.samples.floats[self.floats.clone()]
    }

    pub fn times(&self) -> &'a [TimestampMs] {
        &self.samples.float_times[self.floats.clone()]
    }

    pub fn histograms(&self) -> &'a [(TimestampMs, Arc<FloatHistogram>)] {
        &self.samples.histograms[self.histograms.clone()]
    }

    pub fn len(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Samples for the sample limit: a histogram weighs as much as its size in floats.
    pub fn weight(&self) -> usize {
        self.floats.len() + self.histograms().iter().map(|(_, h)| crate::histogram::weight(h)).sum::<usize>()
    }
}

/// How windows lie relative to their steps, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct WindowShape {
    pub range: i64,
    pub offset: i64,
    /// All windows end here (minus the offset) instead of at their step.
    pub at: Option<TimestampMs>,
}

impl WindowShape {
    /// The first (exclusive) and last time any window reaches.
    pub fn bounds(&self, steps: Steps) -> (TimestampMs, TimestampMs) {
        let last = steps.time(steps.len().saturating_sub(1));
        let (first, last) = self.at.map_or((steps.start, last), |at| (at, at));
        (first - self.offset - self.range, last - self.offset)
    }
}

/// Calls `f` for every step's window.
pub fn each<'a>(
    samples: &'a SampleColumns,
    steps: Steps,
    shape: WindowShape,
    mut f: impl FnMut(usize, Window<'a>),
) {
    let mut floats = 0..0;
    let mut histograms = 0..0;
    for step in 0..steps.len() {
        let step_time = steps.time(step);
        let end = shape.at.unwrap_or(step_time) - shape.offset;
        let start = end - shape.range;
        let before = |times: &[i64], bound: i64| times.iter().take_while(|t| **t <= bound).count();
        floats.start += before(&samples.float_times[floats.start..], start);
        floats.end = floats.end.max(floats.start);
        floats.end += before(&samples.float_times[floats.end..], end);
        let before = |times: &[(i64, _)], bound: i64| times.iter().take_while(|(t, _)| *t <= bound).count();
        histograms.start += before(&samples.histograms[histograms.start..], start);
        histograms.end = histograms.end.max(histograms.start);
        histograms.end += before(&samples.histograms[histograms.end..], end);
        f(
            step,
            Window { step_time, start, end, samples, floats: floats.clone(), histograms: histograms.clone() },
        );
    }
}

/// The values of a column as samples: what a subquery hands to its function.
pub fn samples_of(column: &Column, steps: Steps, out: &mut SampleColumns) {
    out.clear();
    for (step, value) in column.iter() {
        out.push(steps.time(step), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_open_on_the_left_and_slide() {
        let samples = SampleColumns {
            float_times: (0..10).map(|i| i * 10).collect(),
            floats: (0..10).map(f64::from).collect(),
            ..SampleColumns::default()
        };
        let see = |steps, range, offset, at| {
            let mut seen = Vec::new();
            each(&samples, steps, WindowShape { range, offset, at }, |_, w| seen.push(w.values().to_vec()));
            seen
        };
        assert_eq!(
            see(Steps::range(20, 60, 20), 20, 0, None),
            [vec![1.0, 2.0], vec![3.0, 4.0], vec![5.0, 6.0]]
        );
        assert_eq!(see(Steps::instant(95), 10, 0, None), [vec![9.0]]);
        assert_eq!(see(Steps::instant(200), 10, 0, None), [Vec::<f64>::new()]);
        assert_eq!(see(Steps::instant(50), 10, 20, None), [vec![3.0]]);
        assert_eq!(see(Steps::range(0, 10, 10), 10, 0, Some(70)), [vec![7.0], vec![7.0]]);
        // A step longer than the range leaves samples out.
        assert_eq!(see(Steps::range(10, 70, 30), 10, 0, None), [vec![1.0], vec![4.0], vec![7.0]]);
    }
}
