use std::sync::Arc;

use model::{Labels, Matcher};
use platform::ManualClock;
use storage::metrics::{MetricsStore, SampleColumns};

use crate::{Settings, Store};

fn labels(name: &str) -> Labels {
    Labels::from_pairs([("__name__", name)])
}

fn floats(samples: &[(i64, f64)]) -> SampleColumns {
    let (float_times, floats) = samples.iter().copied().unzip();
    SampleColumns { float_times, floats, ..SampleColumns::default() }
}

fn read(store: &Store, name: &str) -> Vec<(i64, f64)> {
    let querier = store.querier(i64::MIN, i64::MAX).unwrap();
    let matcher = Matcher::new(model::MatchOp::Equal, "__name__", name).unwrap();
    let mut out = Vec::new();
    for series in querier.select(&[matcher]).unwrap() {
        let mut columns = SampleColumns::default();
        querier.read(&series, i64::MIN, i64::MAX, &mut columns).unwrap();
        out.extend(columns.float_times.into_iter().zip(columns.floats));
    }
    out
}

#[test]
fn windows_are_there_at_once_and_after_a_restart_and_what_was_first_stays() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { background: false, ..Settings::default() };
    let open = || Store::open(dir.path(), settings.clone(), Arc::new(ManualClock::at_ms(0))).unwrap();
    let store = open();
    let mut appender = store.appender();
    appender.append(None, &labels("a"), 5_000, model::Value::Float(1.0)).unwrap();
    appender.commit().unwrap();
    store.flush().unwrap();

    let importer = store.importer();
    let (mint, maxt) = importer.window(5_000);
    assert!(mint <= 5_000 && 5_000 <= maxt && importer.window(maxt + 1).0 == maxt + 1);
    let mut window = importer.begin(5_000);
    window.add(&labels("a"), &floats(&[(4_000, 8.0), (5_000, 9.0), (6_000, 7.0)])).unwrap();
    window.add(&labels("b"), &floats(&[(1, 2.0)])).unwrap();
    assert!(window.add(&labels("a"), &floats(&[(1, 2.0)])).is_err(), "out of order");
    assert!(window.add(&labels("c"), &floats(&[(maxt + 1, 2.0)])).is_err(), "outside");
    assert!(window.add(&labels("c"), &floats(&[(2, 2.0), (2, 2.0)])).is_err(), "one time twice");
    assert_eq!(read(&store, "b"), [], "not before the end");
    let imported = window.finish().unwrap();
    assert_eq!((imported.parts, imported.series, imported.samples), (1, 2, 4));
    let expected = [(4_000, 8.0), (5_000, 1.0), (6_000, 7.0)];
    assert_eq!(read(&store, "a"), expected);
    // Nothing in it: nothing happens.
    assert_eq!(importer.begin(0).finish().unwrap().parts, 0);
    drop(importer.begin(0));
    store.close().unwrap();
    drop(store);
    let store = open();
    assert_eq!((read(&store, "a"), read(&store, "b")), (expected.to_vec(), vec![(1, 2.0)]));
    store.merge().unwrap();
    assert_eq!((read(&store, "a"), read(&store, "b")), (expected.to_vec(), vec![(1, 2.0)]));
}
