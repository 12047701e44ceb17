//! The instants a query is evaluated for.

use model::TimestampMs;

/// `start, start + interval, …` up to `end`. An instant query has one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    pub start: TimestampMs,
    pub end: TimestampMs,
    /// Milliseconds, at least 1.
    pub interval: i64,
}

impl Steps {
    pub fn instant(t: TimestampMs) -> Steps {
        Steps { start: t, end: t, interval: 1 }
    }

    pub fn range(start: TimestampMs, end: TimestampMs, interval: i64) -> Steps {
        Steps { start, end, interval: interval.max(1) }
    }

    pub fn len(&self) -> usize {
        if self.end < self.start {
            return 0;
        }
        usize::try_from(self.end.saturating_sub(self.start) / self.interval).map_or(usize::MAX, |n| n + 1)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn time(&self, step: usize) -> TimestampMs {
        self.start + step as i64 * self.interval
    }

    pub fn times(&self) -> impl Iterator<Item = TimestampMs> + use<> {
        let steps = *self;
        (0..steps.len()).map(move |i| steps.time(i))
    }
}
