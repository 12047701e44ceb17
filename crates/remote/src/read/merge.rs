//! One series from several places.

use storage::metrics::SampleColumns;

/// Adds what `more` has in `mint..=maxt` and `out` has not. Where both have a sample, `out`'s stays.
pub fn merge(out: &mut SampleColumns, more: &SampleColumns, mint: i64, maxt: i64) {
    let within = |t: i64| (mint..=maxt).contains(&t);
    let floats: Vec<(i64, f64)> = more
        .float_times
        .iter()
        .copied()
        .zip(more.floats.iter().copied())
        .filter(|(t, _)| within(*t) && !has(out, *t))
        .collect();
    let histograms: Vec<_> =
        more.histograms.iter().filter(|(t, _)| within(*t) && !has(out, *t)).cloned().collect();
    let starts: Vec<_> =
        more.start_times.iter().filter(|(t, _)| within(*t) && !has(out, *t)).copied().collect();
    if !floats.is_empty() {
        let mut all: Vec<(i64, f64)> =
            out.float_times.drain(..).zip(out.floats.drain(..)).chain(floats).collect();
        all.sort_by_key(|(t, _)| *t);
        all.dedup_by_key(|(t, _)| *t);
        for (t, v) in all {
            out.float_times.push(t);
            out.floats.push(v);
        }
    }
    if !histograms.is_empty() {
        out.histograms.extend(histograms);
        out.histograms.sort_by_key(|(t, _)| *t);
        out.histograms.dedup_by_key(|(t, _)| *t);
    }
    if !starts.is_empty() {
        out.start_times.extend(starts);
        out.start_times.sort_unstable();
        out.start_times.dedup_by_key(|(t, _)| *t);
    }
}

fn has(columns: &SampleColumns, t: i64) -> bool {
    columns.float_times.binary_search(&t).is_ok()
        || columns.histograms.binary_search_by_key(&t, |(t, _)| *t).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::FloatHistogram;

    use super::*;

    #[test]
    fn times_ascend_and_what_is_there_stays() {
        let columns = |floats: &[(i64, f64)], histograms: &[i64]| SampleColumns {
            float_times: floats.iter().map(|(t, _)| *t).collect(),
            floats: floats.iter().map(|(_, v)| *v).collect(),
            histograms: histograms.iter().map(|t| (*t, Arc::new(FloatHistogram::default()))).collect(),
            start_times: Vec::new(),
        };
        let mut out = columns(&[(2, 2.0), (4, 4.0)], &[5]);
        merge(&mut out, &columns(&[(1, 9.0), (2, 9.0), (3, 9.0), (5, 9.0), (9, 9.0)], &[4, 6]), 1, 8);
        assert_eq!(out, columns(&[(1, 9.0), (2, 2.0), (3, 9.0), (4, 4.0)], &[5, 6]));
    }
}
