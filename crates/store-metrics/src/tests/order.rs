//! Which samples are accepted, and what the refusals say.

use std::sync::Arc;

use model::{FloatHistogram, Labels, Value, stale_nan};
use storage::{ErrorKind, MetricsStore};

use super::{HOUR, append, floats, open, series, settings};
use crate::{Settings, Store};

const NOW: i64 = 100 * HOUR;

/// A store whose series `m` ends at `NOW` with the value 1.
fn store_with_one(dir: &std::path::Path, out_of_order_window_ms: i64) -> Store {
    let store = open(dir, Settings { out_of_order_window_ms, ..settings() });
    append(&store, &[(&series("m", 1), NOW, 1.0)]);
    store
}

fn offer(store: &Store, labels: &Labels, t: i64, value: Value) -> Result<(), (ErrorKind, String)> {
    let mut appender = store.appender();
    let result = appender.append(None, labels, t, value).map(drop).map_err(|e| (e.kind, e.message));
    appender.commit().unwrap();
    result
}

#[test]
fn times_are_judged_as_the_original_does() {
    use ErrorKind::{DuplicateTimestamp, OutOfBounds, OutOfOrder};
    let (m, other) = (series("m", 1), series("other", 1));
    let check = |window: i64, labels: &Labels, t: i64, v: f64, expected: Result<(), (ErrorKind, &str)>| {
        let dir = tempfile::tempdir().unwrap();
        let store = store_with_one(dir.path(), window);
        let expected = expected.map_err(|(kind, text)| (kind, text.to_owned()));
        assert_eq!(offer(&store, labels, t, Value::Float(v)), expected, "window {window}, t {}", t - NOW);
    };
    check(0, &m, NOW + 1, 2.0, Ok(()));
    check(0, &m, NOW, 1.0, Ok(()));
    let twice =
        format!("duplicate sample for timestamp {NOW}; overrides not allowed: existing 1, new value 2");
    check(0, &m, NOW, 2.0, Err((DuplicateTimestamp, &twice)));
    check(0, &m, NOW - 1, 2.0, Err((OutOfOrder, "out of order sample")));
    check(0, &m, NOW - 2 * HOUR, 2.0, Err((OutOfBounds, "out of bounds")));
    // Another series may begin up to half a window ago.
    check(0, &other, NOW - HOUR, 2.0, Ok(()));
    check(0, &other, NOW - HOUR - 1, 2.0, Err((OutOfBounds, "out of bounds")));
    check(3 * HOUR, &m, NOW - 1, 2.0, Ok(()));
    check(3 * HOUR, &m, NOW - 3 * HOUR, 2.0, Ok(()));
    check(3 * HOUR, &m, NOW - 3 * HOUR - 1, 2.0, Err((OutOfBounds, "too old sample")));
    check(3 * HOUR, &other, NOW - 3 * HOUR, 2.0, Ok(()));
    check(60_000, &m, NOW - 60_001, 2.0, Err((OutOfBounds, "too old sample")));
}

#[test]
fn one_batch_is_judged_by_its_own_samples_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with_one(dir.path(), 0);
    let m = series("m", 1);
    let mut appender = store.appender();
    let mut offer =
        |t: i64, v: f64| appender.append(None, &m, t, Value::Float(v)).map(drop).map_err(|e| e.kind);
    assert_eq!(offer(NOW + 10, 1.0), Ok(()));
    assert_eq!(offer(NOW + 10, 1.0), Ok(()));
    assert_eq!(offer(NOW + 10, 2.0), Err(ErrorKind::DuplicateTimestamp));
    assert_eq!(offer(NOW + 5, 2.0), Err(ErrorKind::OutOfOrder));
    assert_eq!(offer(NOW + 20, 3.0), Ok(()));
    appender.commit().unwrap();
    assert_eq!(floats(&store, &m), format!("{NOW}=1 {}=1 {}=3", NOW + 10, NOW + 20));
}

#[test]
fn late_samples_appear_in_their_place_and_survive() {
    let dir = tempfile::tempdir().unwrap();
    let window = Settings { out_of_order_window_ms: HOUR, ..settings() };
    let m = series("m", 1);
    let expected = format!("{}=0.5 {}=0.7 {NOW}=1", NOW - 20, NOW - 10);
    {
        let store = store_with_one(dir.path(), HOUR);
        append(&store, &[(&m, NOW - 10, 0.7)]);
        append(&store, &[(&m, NOW - 20, 0.5), (&m, NOW - 10, 9.0)]);
        assert_eq!(floats(&store, &m), expected);
    }
    let store = open(dir.path(), window);
    assert_eq!(floats(&store, &m), expected);
    store.flush().unwrap();
    append(&store, &[(&m, NOW - 15, 0.6)]);
    store.flush().unwrap();
    store.merge().unwrap();
    assert_eq!(floats(&store, &m), format!("{}=0.5 {}=0.6 {}=0.7 {NOW}=1", NOW - 20, NOW - 15, NOW - 10));
}

#[test]
fn batches_that_cross_each_other_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with_one(dir.path(), 0);
    let m = series("m", 1);
    let (mut first, mut second) = (store.appender(), store.appender());
    first.append(None, &m, NOW + 10, Value::Float(10.0)).unwrap();
    second.append(None, &m, NOW + 20, Value::Float(20.0)).unwrap();
    second.commit().unwrap();
    first.commit().unwrap();
    assert_eq!(floats(&store, &m), format!("{NOW}=1 {}=10 {}=20", NOW + 10, NOW + 20));
}

#[test]
fn bad_samples_are_refused_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with_one(dir.path(), 0);
    let (kind, text) = offer(&store, &Labels::empty(), NOW + 1, Value::Float(1.0)).unwrap_err();
    assert_eq!((kind, text.as_str()), (ErrorKind::Invalid, "empty labelset: invalid sample"));
    let broken = FloatHistogram { positive_buckets: vec![1.0], ..FloatHistogram::default() };
    let (kind, _) = offer(&store, &series("h", 1), NOW + 1, Value::Histogram(Arc::new(broken))).unwrap_err();
    assert_eq!(kind, ErrorKind::Invalid);
}

#[test]
fn the_series_limit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Settings { series_max: 2, ..settings() });
    append(&store, &[(&series("m", 1), NOW, 1.0), (&series("m", 2), NOW, 1.0)]);
    let (kind, text) = offer(&store, &series("m", 3), NOW, Value::Float(1.0)).unwrap_err();
    assert_eq!(kind, ErrorKind::LimitExceeded);
    assert!(text.contains("limit of 2 series") && text.contains("series_max"), "{text}");
    assert_eq!(offer(&store, &series("m", 2), NOW + 1, Value::Float(1.0)), Ok(()));
}

#[test]
fn stale_markers_keep_their_bits_and_end_histograms_as_histograms() {
    let dir = tempfile::tempdir().unwrap();
    let (m, h) = (series("m", 1), series("h", 1));
    let check = |store: &Store| {
        let all = super::read_all(store, &[], i64::MIN, i64::MAX);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].1.histograms.len(), 2);
        assert!(model::is_stale(all[0].1.histograms[1].1.sum));
        assert_eq!(all[0].1.floats.len(), 0);
        assert!(model::is_stale(all[1].1.floats[1]));
    };
    let store = store_with_one(dir.path(), 0);
    offer(&store, &h, NOW, Value::Histogram(Arc::default())).unwrap();
    for labels in [&m, &h] {
        offer(&store, labels, NOW + 1, Value::Float(stale_nan())).unwrap();
    }
    check(&store);
    drop(store);
    let store = open(dir.path(), settings());
    check(&store);
    store.flush().unwrap();
    check(&store);
}

#[test]
fn references_skip_the_labels_and_outlive_their_series() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with_one(dir.path(), 0);
    let (m, other) = (series("m", 1), series("other", 1));
    let mut appender = store.appender();
    let reference = appender.append(None, &m, NOW + 1, Value::Float(2.0)).unwrap();
    assert_eq!(appender.append(Some(reference), &m, NOW + 2, Value::Float(3.0)).unwrap(), reference);
    appender.commit().unwrap();
    // Time goes on without `m`, which is flushed and forgotten.
    append(&store, &[(&other, NOW + 10 * HOUR, 1.0)]);
    store.maintain().unwrap();
    assert_eq!(store.gauges().head_series, 1);
    let mut appender = store.appender();
    let again = appender.append(Some(reference), &m, NOW + 10 * HOUR, Value::Float(4.0)).unwrap();
    appender.commit().unwrap();
    assert_ne!(again, reference);
    let expected = format!("{NOW}=1 {}=2 {}=3 {}=4", NOW + 1, NOW + 2, NOW + 10 * HOUR);
    assert_eq!(floats(&store, &m), expected);
}
