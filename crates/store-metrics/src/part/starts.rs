//! Start times behind a values column, as runs of samples that began to count at the same time.
//!
//! ```text
//! starts = n uvarint, n × { gap uvarint, length uvarint, time of the run's first sample - start ivarint }
//! ```
//!
//! A gap counts samples without a start time since the previous run.

use codec::{CodecError, Cursor, write_ivarint, write_uvarint};
use model::TimestampMs;

/// Whether any of the samples at `times` has a start time.
pub fn present(times: &[TimestampMs], starts: &[(TimestampMs, TimestampMs)]) -> bool {
    !of(times, starts).is_empty()
}

/// Appends the start times of the samples at `times`; both columns ascend.
pub fn encode(times: &[TimestampMs], starts: &[(TimestampMs, TimestampMs)], out: &mut Vec<u8>) {
    // First sample, samples, start.
    let mut runs: Vec<(usize, usize, TimestampMs)> = Vec::new();
    let mut at = 0;
    for (t, start) in of(times, starts) {
        at += times.get(at..).unwrap_or(&[]).partition_point(|time| time < t);
        if times.get(at) != Some(t) {
            continue;
        }
        match runs.last_mut() {
            Some((first, len, same)) if *same == *start && *first + *len == at => *len += 1,
            _ => runs.push((at, 1, *start)),
        }
    }
    write_uvarint(out, runs.len() as u64);
    let mut next = 0;
    for (first, len, start) in runs {
        write_uvarint(out, (first - next) as u64);
        write_uvarint(out, len as u64);
        write_ivarint(out, times[first].wrapping_sub(start));
        next = first + len;
    }
}

/// Appends the start times of the samples `from..to` of `times` to `out`.
pub fn decode(
    cursor: &mut Cursor<'_>,
    times: &[TimestampMs],
    (from, to): (usize, usize),
    out: &mut Vec<(TimestampMs, TimestampMs)>,
) -> Result<(), CodecError> {
    let mut next = 0usize;
    for _ in 0..cursor.count(3)? {
        let first = next.saturating_add(cursor.usize()?);
        next = first.saturating_add(cursor.usize()?);
        let start = cursor.ivarint()?;
        let run = times.get(first..next).ok_or(CodecError("start times of samples that are not there"))?;
        let start = run.first().map_or(0, |t| t.wrapping_sub(start));
        let kept = times.get(first.max(from)..next.min(to)).unwrap_or(&[]);
        out.extend(kept.iter().map(|t| (*t, start)));
    }
    Ok(())
}

fn of<'s>(
    times: &[TimestampMs],
    starts: &'s [(TimestampMs, TimestampMs)],
) -> &'s [(TimestampMs, TimestampMs)] {
    let (Some(min_t), Some(max_t)) = (times.first(), times.last()) else { return &[] };
    let from = starts.partition_point(|(t, _)| t < min_t);
    let to = starts.partition_point(|(t, _)| t <= max_t);
    starts.get(from..to).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn start_times_come_back(
            samples in proptest::collection::vec((1..50i64, proptest::option::of(0..3i64)), 0..60),
            range in (0..60usize, 0..60usize),
        ) {
            let (mut times, mut starts, mut t) = (Vec::new(), Vec::new(), 0);
            for (step, start) in samples {
                t += step;
                times.push(t);
                starts.extend(start.map(|start| (t, start)));
            }
            let mut bytes = Vec::new();
            encode(&times, &starts, &mut bytes);
            let mut all = Vec::new();
            decode(&mut Cursor::new(&bytes), &times, (0, times.len()), &mut all).unwrap();
            prop_assert_eq!(&all, &starts);
            let (from, to) = (range.0.min(times.len()), range.1.min(times.len()));
            let mut some = Vec::new();
            decode(&mut Cursor::new(&bytes), &times, (from, to), &mut some).unwrap();
            let inside = times.get(from..to).unwrap_or(&[]);
            starts.retain(|(t, _)| inside.contains(t));
            prop_assert_eq!(&some, &starts);
        }

        #[test]
        fn damage_is_an_error_not_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(&mut Cursor::new(&bytes), &[1, 2, 3], (0, 3), &mut Vec::new());
        }
    }
}
