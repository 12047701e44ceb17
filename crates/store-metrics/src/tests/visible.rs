//! What readers see while others write, flush and merge.

use std::sync::atomic::{AtomicBool, Ordering};

use model::{Labels, MatchOp, Matcher, Value};
use storage::MetricsStore;
use storage::metrics::SampleColumns;

use super::{HOUR, append, floats, open, read_all, series, settings};
use crate::Settings;

const NOW: i64 = 100 * HOUR;

#[test]
fn a_querier_sees_its_own_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), settings());
    let m = series("m", 1);
    append(&store, &[(&m, NOW, 1.0)]);
    let querier = store.querier(i64::MIN, i64::MAX).unwrap();
    append(&store, &[(&m, NOW + 1, 2.0), (&series("m", 2), NOW + 1, 2.0)]);
    store.flush().unwrap();
    append(&store, &[(&m, NOW + 2, 3.0)]);
    let mut columns = SampleColumns::default();
    let handles = querier.select(&[Matcher::equal("host", "h1")]).unwrap();
    querier.read(&handles[0], i64::MIN, i64::MAX, &mut columns).unwrap();
    assert_eq!(columns.float_times, [NOW]);
    // The newer reader finds the flushed samples once, although the head still holds them for the older.
    assert_eq!(floats(&store, &m), format!("{NOW}=1 {}=2 {}=3", NOW + 1, NOW + 2));
    drop(querier);
    store.maintain().unwrap();
    assert_eq!(floats(&store, &m), format!("{NOW}=1 {}=2 {}=3", NOW + 1, NOW + 2));
    let stranger = storage::metrics::SeriesHandle { labels: m, token: u64::MAX };
    assert!(store.querier(0, 1).unwrap().read(&stranger, 0, 1, &mut columns).is_err());
}

#[test]
fn batches_appear_whole_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let window_ms = 1_000;
    let store = open(dir.path(), Settings { window_ms, partition_ms: 20_000, ..settings() });
    let all: Vec<Labels> = (0..40).map(|host| series("m", host)).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..300i64 {
                let mut appender = store.appender();
                for labels in &all {
                    appender.append(None, labels, NOW + round * 20, Value::Float(round as f64)).unwrap();
                }
                appender.commit().unwrap();
            }
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                store.maintain().unwrap();
                store.merge().unwrap();
            }
        });
        let mut seen = 0;
        while !done.load(Ordering::Acquire) {
            let read = read_all(&store, &[], i64::MIN, i64::MAX);
            let Some((_, first)) = read.first() else { continue };
            assert_eq!(read.len(), all.len());
            let expected: Vec<i64> = (0..first.len() as i64).map(|round| NOW + round * 20).collect();
            for (labels, columns) in &read {
                assert_eq!(columns.float_times, expected, "{labels}");
            }
            assert!(first.len() >= seen, "time went back");
            seen = first.len();
        }
    });
    assert_eq!(read_all(&store, &[], i64::MIN, i64::MAX)[0].1.len(), 300);
    assert!(!store.parts().is_empty());
}

#[test]
fn labels_come_from_head_and_parts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), settings());
    let named =
        |name: &str, label: &str, value: &str| Labels::from_pairs([("__name__", name), (label, value)]);
    append(&store, &[(&named("old", "a", "1"), NOW, 1.0), (&named("old", "a", "2"), NOW, 1.0)]);
    store.flush().unwrap();
    append(
        &store,
        &[(&named("new", "b", "1"), NOW + 9 * HOUR, 1.0), (&named("new", "a", "3"), NOW + 9 * HOUR, 1.0)],
    );
    store.maintain().unwrap();
    let querier = store.querier(i64::MIN, i64::MAX).unwrap();
    let m = |op, name: &str, value: &str| [Matcher::new(op, name, value).unwrap()];
    assert_eq!(querier.label_names(&[]).unwrap(), ["__name__", "a", "b"]);
    assert_eq!(querier.label_names(&m(MatchOp::Equal, "__name__", "old")).unwrap(), ["__name__", "a"]);
    assert_eq!(querier.label_values("a", &[]).unwrap(), ["1", "2", "3"]);
    assert_eq!(querier.label_values("a", &m(MatchOp::Regex, "a", "[23]")).unwrap(), ["2", "3"]);
    assert_eq!(querier.label_values("none", &[]).unwrap(), Vec::<String>::new());
    let recent = store.querier(NOW + HOUR, i64::MAX).unwrap();
    assert_eq!(recent.label_values("a", &[]).unwrap(), ["3"]);
    let stats = store.statistics(1);
    assert_eq!((stats.series, stats.chunks, stats.label_pairs), (2, 2, 3));
    assert_eq!(stats.series_by_metric_name, [("new".to_owned(), 2)]);
    assert_eq!(stats.series_by_label_pair, [("__name__=new".to_owned(), 2)]);
    assert_eq!(stats.bytes_by_label_name, [("__name__".to_owned(), 6)]);
    assert_eq!(store.time_range(), Some((NOW, NOW + 9 * HOUR)));
}

#[test]
fn old_parts_expire_by_time_and_by_size() {
    let dir = tempfile::tempdir().unwrap();
    let m = series("m", 1);
    let store = open(dir.path(), Settings { retention_ms: 24 * HOUR, ..settings() });
    for hour in 0..60 {
        append(&store, &[(&m, NOW + hour * HOUR, hour as f64)]);
        store.maintain().unwrap();
    }
    let (oldest, newest) = store.time_range().unwrap();
    // Whole parts go, so a partition may stay longer.
    assert!(
        newest - oldest >= 24 * HOUR && newest - oldest < 50 * HOUR,
        "{} hours",
        (newest - oldest) / HOUR
    );
    drop(store);
    let store = open(dir.path(), Settings { retention_bytes: 1, retention_ms: 0, ..settings() });
    store.maintain().unwrap();
    assert!(store.parts().is_empty());
    assert!(!floats(&store, &m).is_empty(), "the head stays");
}

#[test]
fn memory_pressure_flushes_early_and_forgets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Settings { head_bytes_max: 1_000, ..settings() });
    let m = series("m", 1);
    for i in 0..1_000 {
        append(
            &store,
            &[(&m, NOW + i * 1_000, 1.0 / i as f64), (&series("m", 2 + i as u32 % 50), NOW + i * 1_000, 0.3)],
        );
        if i % 100 == 0 {
            store.maintain().unwrap();
        }
    }
    assert!(store.metrics().flushes.load(Ordering::Relaxed) > 1 && !store.parts().is_empty());
    assert_eq!(read_all(&store, &[Matcher::equal("host", "h1")], i64::MIN, i64::MAX)[0].1.len(), 1_000);
    drop(store);
    let store = open(dir.path(), settings());
    assert_eq!(read_all(&store, &[Matcher::equal("host", "h1")], i64::MIN, i64::MAX)[0].1.len(), 1_000);
}
