//! Start timestamps: what the time a counter began at tells about resets.

use model::TimestampMs;
use storage::metrics::SampleColumns;

/// The start times of a series' samples, beside its columns; 0 where a sample has none. Both lists are
/// empty when no sample has one.
#[derive(Default)]
pub(super) struct Starts {
    pub floats: Vec<TimestampMs>,
    pub histograms: Vec<TimestampMs>,
}

impl Starts {
    pub fn fill(&mut self, samples: &SampleColumns) {
        self.floats.clear();
        self.histograms.clear();
        if samples.start_times.is_empty() {
            return;
        }
        let of = |t: TimestampMs| {
            let found = samples.start_times.binary_search_by_key(&t, |(time, _)| *time);
            found.map_or(0, |i| samples.start_times[i].1)
        };
        self.floats.extend(samples.float_times.iter().map(|t| of(*t)));
        self.histograms.extend(samples.histograms.iter().map(|(t, _)| of(*t)));
    }
}

/// A sample's time and start time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub t: TimestampMs,
    pub start: TimestampMs,
}

/// Whether a counter began anew between two samples, by their start times alone.
///
/// A start after the previous sample says so. A start at the previous sample does too, if that one had a
/// start of its own (delta samples follow each other like this), but not if it had none or counts from
/// itself (a counter whose beginning is unknown).
pub(super) fn began_anew(previous: Life, current: Life) -> bool {
    if current.start == 0 || current.start >= current.t {
        return false;
    }
    let follows = current.start == previous.t && previous.start != 0 && previous.start < previous.t;
    current.start > previous.t || follows
}

/// Whether the counter claims to have begun before the previous sample without being that counter.
pub(super) fn overlaps(previous: Life, current: Life) -> bool {
    current.start != 0 && current.start < previous.t && current.start != previous.start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_times_tell_resets() {
        let check = |previous: (i64, i64), current: (i64, i64), anew: bool, overlap: bool| {
            let [previous, current] = [previous, current].map(|(t, start)| Life { t, start });
            assert_eq!(began_anew(previous, current), anew, "{previous:?} {current:?}");
            assert_eq!(overlaps(previous, current), overlap, "{previous:?} {current:?}");
        };
        check((100, 0), (200, 0), false, false);
        check((100, 50), (200, 50), false, false);
        check((100, 50), (200, 150), true, false);
        check((100, 50), (200, 100), true, false);
        check((100, 0), (200, 100), false, false);
        check((100, 100), (200, 100), false, false);
        check((100, 160), (200, 100), false, false);
        check((100, 100), (200, 200), false, false);
        check((100, 20), (200, 60), false, true);
    }
}
