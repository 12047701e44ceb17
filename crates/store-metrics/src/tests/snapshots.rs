//! A snapshot opens as a store of its own and neither disturbs the other.

use model::Matcher;
use storage::MetricsStore;
use storage::metrics::MetricsAdmin;

use super::{HOUR, append, floats, open, read_all, series, settings};

const NOW: i64 = 100 * HOUR;

#[test]
fn snapshots_hold_head_and_parts_and_live_on_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (series("m", 1), series("m", 2));
    let store = open(dir.path(), settings());
    append(&store, &[(&a, NOW, 1.0), (&b, NOW, 2.0)]);
    store.flush().unwrap();
    append(&store, &[(&a, NOW + 1, 3.0)]);
    store.delete_series(&[Matcher::equal("host", "h2")], NOW, NOW).unwrap();

    let whole = store.snapshot(false).unwrap();
    let parts_only = store.snapshot(true).unwrap();
    assert_ne!(whole, parts_only);
    for name in [&whole, &parts_only] {
        let (time, digits) = name.split_once("Z-").unwrap();
        assert_eq!((time.len(), time.as_bytes()[8], digits.len()), (15, b'T', 16), "{name}");
        assert!(digits.bytes().all(|c| c.is_ascii_hexdigit()), "{name}");
    }
    let before = read_all(&store, &[], i64::MIN, i64::MAX);
    let folder = |name: &str| dir.path().join("snapshots").join(name);

    // What happens to the copy does not reach the original, and the other way round.
    append(&store, &[(&a, NOW + 2, 4.0)]);
    let copy = open(&folder(&whole), settings());
    assert_eq!(read_all(&copy, &[], i64::MIN, i64::MAX), before);
    append(&copy, &[(&a, NOW + 2, 5.0)]);
    copy.flush().unwrap();
    copy.clean_tombstones().unwrap();
    store.flush().unwrap();
    assert_eq!(floats(&store, &a), format!("{NOW}=1 {}=3 {}=4", NOW + 1, NOW + 2));
    drop(copy);
    let copy = open(&folder(&whole), settings());
    assert_eq!(floats(&copy, &a), format!("{NOW}=1 {}=3 {}=5", NOW + 1, NOW + 2));
    assert_eq!(floats(&copy, &b), "");

    let copy = open(&folder(&parts_only), settings());
    assert_eq!(floats(&copy, &a), format!("{NOW}=1"));
    append(&copy, &[(&b, NOW + 9, 6.0)]);
    drop(copy);
    let copy = open(&folder(&parts_only), settings());
    assert_eq!(floats(&copy, &b), format!("{}=6", NOW + 9));
}

#[test]
fn blocks_tell_how_they_came_about() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), settings());
    for hour in 0..5 {
        append(&store, &[(&series("m", 1), NOW + hour, 1.0), (&series("m", 2), NOW + hour, 2.0)]);
        store.flush().unwrap();
    }
    let before = store.blocks();
    assert_eq!(before.len(), 5);
    for block in &before {
        assert_eq!((block.series, block.samples, block.chunks, block.level), (2, 2, 2, 1));
        assert_eq!(block.max_time, block.min_time + 1);
        assert_eq!(block.sources, std::slice::from_ref(&block.id));
        assert_eq!(block.id.len(), 26);
    }
    store.merge().unwrap();
    store.delete_series(&[Matcher::equal("host", "h2")], NOW, NOW).unwrap();
    let after = store.blocks();
    let [block] = &after[..] else { panic!("{after:?}") };
    assert_eq!((block.min_time, block.max_time, block.samples, block.level), (NOW, NOW + 5, 10, 2));
    let sources: Vec<String> = before.into_iter().map(|block| block.id).collect();
    assert_eq!((&block.sources, block.tombstones), (&sources, 1));
}
