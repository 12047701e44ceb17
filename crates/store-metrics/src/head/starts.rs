//! Since when samples count: start times of one series, kept as runs.
//!
//! A counter keeps its start until it is reset, so a whole life is one run. A series whose samples say
//! nothing has no runs and pays nothing.

use model::TimestampMs;
use storage::metrics::SampleColumns;

/// Consecutive samples in time order that all began to count at `start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartRun {
    /// The times of its first and last sample.
    pub from: TimestampMs,
    pub to: TimestampMs,
    pub start: TimestampMs,
}

/// What of a start is kept: zero when it says nothing or contradicts the sample's time.
pub fn kept(start: TimestampMs, t: TimestampMs) -> TimestampMs {
    if start > t { 0 } else { start }
}

/// Notes the start of a sample at `t`, which follows the one at `previous`.
pub fn note(runs: &mut Vec<StartRun>, previous: TimestampMs, t: TimestampMs, start: TimestampMs) {
    match runs.last_mut() {
        Some(run) if run.start == start && run.to == previous => run.to = t,
        _ => runs.push(StartRun { from: t, to: t, start }),
    }
}

/// Appends the start times that `runs` give to the samples `columns` holds, in order of time.
pub fn expand(runs: &[StartRun], columns: &mut SampleColumns) {
    let SampleColumns { float_times, histograms, start_times, .. } = columns;
    for run in runs {
        let floats = inside(float_times, run, |t| *t);
        let histograms = inside(histograms, run, |(t, _)| *t);
        let begin = start_times.len();
        start_times.extend(floats.iter().map(|t| (*t, run.start)));
        start_times.extend(histograms.iter().map(|(t, _)| (*t, run.start)));
        if !floats.is_empty() && !histograms.is_empty() {
            start_times[begin..].sort_unstable();
        }
    }
}

fn inside<'a, T>(samples: &'a [T], run: &StartRun, time: impl Fn(&T) -> TimestampMs) -> &'a [T] {
    let from = samples.partition_point(|sample| time(sample) < run.from);
    let to = samples.partition_point(|sample| time(sample) <= run.to);
    samples.get(from..to).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_starts_of_neighbours_are_one_run() {
        let (mut runs, mut previous) = (Vec::new(), i64::MIN);
        let mut columns = SampleColumns::default();
        for (t, start) in [(10, 5), (20, 5), (30, 0), (40, 5), (50, 45), (60, 45)] {
            if start != 0 {
                note(&mut runs, previous, t, start);
            }
            previous = t;
            columns.push(t, model::Value::Float(0.0));
        }
        assert_eq!(runs.len(), 3);
        expand(&runs, &mut columns);
        assert_eq!(columns.start_times, [(10, 5), (20, 5), (40, 5), (50, 45), (60, 45)]);
    }

    #[test]
    fn a_start_after_its_sample_says_nothing() {
        assert_eq!((kept(11, 10), kept(10, 10), kept(-3, 10), kept(0, 10)), (0, 10, -3, 0));
    }
}
