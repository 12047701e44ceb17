//! Start times: from the log, from chunks in memory and from parts.

use model::FloatHistogram;

use super::*;

const START: i64 = 500 * HOUR;

/// Appends one sample that began to count `age` before it; zero says nothing.
fn append_one(store: &Store, labels: &Labels, t: i64, age: i64, value: Value) {
    let mut appender = store.appender();
    let start = if age == 0 { 0 } else { t - age };
    appender.append_with_start(None, labels, start, t, value).unwrap();
    appender.commit().unwrap();
}

fn starts(store: &Store, labels: &Labels) -> Vec<(i64, i64)> {
    let all = read_all(store, &[], i64::MIN, i64::MAX);
    all.iter().find(|(l, _)| l == labels).map(|(_, columns)| columns.start_times.clone()).unwrap_or_default()
}

#[test]
fn start_times_survive_restarts_flushes_and_merges() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { out_of_order_window_ms: 12 * HOUR, ..settings() };
    let mut store = open(dir.path(), settings.clone());
    let (counter, histogram, plain) = (series("c", 1), series("h", 1), series("p", 1));
    let mut expected: Vec<(i64, i64)> = Vec::new();
    for i in 0..1_000i64 {
        let t = START + i * 60_000;
        // A counter that is reset every 400 samples and forgets to say so now and then.
        let age = if i % 50 == 7 { 0 } else { (i % 400 + 1) * 60_000 };
        append_one(&store, &counter, t, age, Value::Float((i % 400) as f64));
        append_one(&store, &plain, t, 0, Value::Float(1.0));
        if age > 0 {
            expected.push((t, t - age));
        }
        let h = FloatHistogram { count: i as f64, sum: 1.0, ..FloatHistogram::default() };
        append_one(&store, &histogram, t, i + 1, Value::Histogram(h.into()));
    }
    // Late, between two samples of one run: one with another start, one without.
    let late = START + 990 * 60_000 + 1;
    append_one(&store, &counter, late, 77, Value::Float(5.0));
    append_one(&store, &counter, late + 1, 0, Value::Float(6.0));
    // Nothing counts from the future.
    append_one(&store, &counter, START + 1_000 * 60_000, -1, Value::Float(7.0));
    expected.push((late, late - 77));
    expected.sort_unstable();
    let of_histogram: Vec<(i64, i64)> =
        (0..1_000).map(|i| START + i * 60_000).zip(0..).map(|(t, i)| (t, t - i - 1)).collect();
    let check = |store: &Store, when: &str| {
        assert_eq!(starts(store, &counter), expected, "{when}");
        assert_eq!(starts(store, &histogram), of_histogram, "{when}");
        assert_eq!(starts(store, &plain), [], "{when}");
    };
    check(&store, "head");
    for (round, when) in ["replayed", "flushed", "reopened", "merged"].into_iter().enumerate() {
        match round {
            1 => store.maintain().unwrap(),
            3 => {
                store.flush().unwrap();
                store.merge().unwrap();
            }
            _ => {
                drop(store);
                store = open(dir.path(), settings.clone());
            }
        }
        check(&store, when);
    }
    let querier = store.querier(START, START + 10 * 60_000).unwrap();
    let handle = querier.select(&[Matcher::equal("__name__", "c")]).unwrap().remove(0);
    let mut columns = SampleColumns::default();
    querier.read(&handle, START + 5 * 60_000, START + 8 * 60_000, &mut columns).unwrap();
    assert_eq!(columns.start_times.len(), 3, "the seventh sample says nothing");
}
