//! Instant selection: the newest sample within the lookback window, at every step.

use model::{TimestampMs, Value, is_stale};
use storage::metrics::SampleColumns;

use crate::{Column, Steps};

/// What an instant selector sees of one series.
#[derive(Debug, Clone)]
pub struct Selected {
    pub column: Column,
    /// The time of the sample each step got, where asked for.
    pub times: Vec<TimestampMs>,
    /// How many steps got one.
    pub found: usize,
}

/// The samples each step sees, `offset` milliseconds ago, at most (exclusively) `lookback` old.
/// A staleness marker hides everything before it. With `at`, every step looks from that time.
pub fn select(
    samples: &SampleColumns,
    steps: Steps,
    offset: i64,
    at: Option<TimestampMs>,
    lookback: i64,
    want_times: bool,
) -> Selected {
    let len = steps.len();
    if samples.histograms.is_empty() && !want_times {
        return select_floats(samples, steps, offset, at, lookback);
    }
    let mut selected = Selected { column: Column::absent(len), times: Vec::new(), found: 0 };
    if want_times {
        selected.times = vec![0; len];
    }
    let mut cursor = Cursor::default();
    for step in 0..len {
        let reference = at.unwrap_or_else(|| steps.time(step)) - offset;
        let Some((t, value)) = cursor.advance(samples, reference) else { continue };
        if t <= reference - lookback || value.is_stale() {
            continue;
        }
        selected.column.set(step, value);
        selected.found += 1;
        if want_times {
            selected.times[step] = t;
        }
    }
    selected
}

/// As [`select`] where there are only floats.
fn select_floats(
    samples: &SampleColumns,
    steps: Steps,
    offset: i64,
    at: Option<TimestampMs>,
    lookback: i64,
) -> Selected {
    let mut found = 0;
    let mut pairs = samples.float_times.iter().copied().zip(samples.floats.iter().copied()).peekable();
    let mut newest = None;
    let column = Column::from_fn(steps.len(), |step| {
        let reference = at.unwrap_or_else(|| steps.time(step)) - offset;
        while let Some(pair) = pairs.next_if(|(t, _)| *t <= reference) {
            newest = Some(pair);
        }
        let (t, value) = newest?;
        if t <= reference - lookback || is_stale(value) {
            return None;
        }
        found += 1;
        Some(value)
    });
    Selected { column, times: Vec::new(), found }
}

/// Walks both halves of the columns forward in time.
#[derive(Default)]
struct Cursor {
    floats: usize,
    histograms: usize,
}

impl Cursor {
    /// The newest sample not after `t`. `t` never decreases between calls.
    fn advance(&mut self, samples: &SampleColumns, t: TimestampMs) -> Option<(TimestampMs, Value)> {
        let count = |times: &[i64], from: usize| times[from..].iter().take_while(|s| **s <= t).count();
        self.floats += count(&samples.float_times, self.floats);
        self.histograms += samples.histograms[self.histograms..].iter().take_while(|(s, _)| *s <= t).count();
        let float = self.floats.checked_sub(1).map(|i| (samples.float_times[i], samples.floats[i]));
        let histogram = self.histograms.checked_sub(1).map(|i| &samples.histograms[i]);
        match (float, histogram) {
            (Some((ft, _)), Some((ht, h))) if *ht > ft => Some((*ht, Value::Histogram(h.clone()))),
            (Some((ft, v)), _) => Some((ft, Value::Float(v))),
            (None, Some((ht, h))) => Some((*ht, Value::Histogram(h.clone()))),
            (None, None) => None,
        }
    }
}

/// Removes staleness markers: range vectors do not see them.
pub fn remove_stale(samples: &mut SampleColumns) {
    // Nearly never; a look at all of them without branches settles it.
    if samples.floats.iter().fold(false, |any, v| any | is_stale(*v)) {
        let mut kept = 0;
        for i in 0..samples.floats.len() {
            if !is_stale(samples.floats[i]) {
                samples.floats[kept] = samples.floats[i];
                samples.float_times[kept] = samples.float_times[i];
                kept += 1;
            }
        }
        samples.floats.truncate(kept);
        samples.float_times.truncate(kept);
    }
    samples.histograms.retain(|(_, h)| !is_stale(h.sum));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples at 0 s, 10 s, 20 s (stale), 30 s with values 0, 1, stale, 3.
    fn samples() -> SampleColumns {
        SampleColumns {
            float_times: vec![0, 10_000, 20_000, 30_000],
            floats: vec![0.0, 1.0, model::stale_nan(), 3.0],
            ..SampleColumns::default()
        }
    }

    #[test]
    fn each_step_sees_the_newest_sample_of_its_window() {
        let see = |steps: Steps, offset, at, lookback| -> Vec<Option<f64>> {
            let selected = select(&samples(), steps, offset, at, lookback, false);
            (0..steps.len()).map(|i| selected.column.float(i)).collect()
        };
        let every_5s = Steps::range(0, 30_000, 5_000);
        assert_eq!(
            see(every_5s, 0, None, 300_000),
            [Some(0.0), Some(0.0), Some(1.0), Some(1.0), None, None, Some(3.0)]
        );
        // The window is open on the left.
        assert_eq!(see(Steps::instant(15_000), 0, None, 5_000), [None]);
        assert_eq!(see(Steps::instant(15_000), 0, None, 5_001), [Some(1.0)]);
        assert_eq!(
            see(Steps::range(20_000, 40_000, 10_000), 10_000, None, 300_000),
            [Some(1.0), None, Some(3.0)]
        );
        assert_eq!(see(Steps::range(0, 20_000, 10_000), 0, Some(30_000), 300_000), [Some(3.0); 3]);
    }

    #[test]
    fn ranges_do_not_see_staleness_markers() {
        let mut columns = samples();
        remove_stale(&mut columns);
        assert_eq!((columns.float_times, columns.floats), (vec![0, 10_000, 30_000], vec![0.0, 1.0, 3.0]));
    }
}
