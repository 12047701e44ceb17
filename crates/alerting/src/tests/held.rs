//! Alerts in memory and on disk: merging, limits, restarts and crashes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::Labels;
use platform::{OsDisk, PowerLoss, Random, SimDisk};

use super::{Ends, START_NS, Stage, TokioClock, busy};
use crate::alert_record::{Entry, entries, put_again, put_alert, put_alive};
use crate::alerts::AlertStore;
use crate::manager::Limits;
use crate::{Alert, Annotations};

const SECOND: i64 = 1_000_000_000;
const GRACE: Duration = Duration::from_secs(300);

fn path() -> PathBuf {
    PathBuf::from("/data/alerts.journal")
}

fn open(disk: &SimDisk, now: i64) -> AlertStore {
    AlertStore::open(Arc::new(disk.clone()), &path(), Limits::default(), now, GRACE).unwrap()
}

/// An alert that starts and ends (and was reported) at these seconds; an end of 0 is a timeout's at 300.
fn alert(name: &str, starts: i64, ends: i64, updated: i64) -> Alert {
    Alert {
        labels: Labels::from_pairs([("alertname", "Down"), ("name", name)]),
        annotations: Annotations::from([("summary", "is down"), ("empty", "")]),
        starts_at: starts * SECOND,
        ends_at: if ends == 0 { 300 * SECOND } else { ends * SECOND },
        updated_at: updated * SECOND,
        generator_url: "http://prometheus/graph".into(),
        timeout: ends == 0,
        inherited: false,
    }
}

#[test]
fn reports_of_one_alert_are_merged() {
    // What was known, what comes, at what time; start, end and whether the end is a timeout's afterwards.
    type Case = ((i64, i64, i64), (i64, i64, i64), (i64, i64, bool));
    let cases: [Case; 8] = [
        // Overlapping and firing: the earlier start, the later end.
        ((10, 60, 10), (20, 80, 20), (10, 80, false)),
        // An explicit end beats a shorter one of a timeout, and a timeout's beats nothing.
        ((10, 400, 10), (20, 0, 20), (10, 400, true)),
        ((10, 0, 10), (20, 100, 20), (10, 100, false)),
        // Resolved: the end that was said, even when it is earlier.
        ((10, 400, 10), (10, 30, 30), (10, 30, false)),
        // Resolved twice: the later end.
        ((10, 25, 25), (10, 30, 30), (10, 30, false)),
        ((10, 30, 30), (10, 25, 31), (10, 30, false)),
        // Without overlap the new one stands alone.
        ((10, 20, 20), (30, 90, 30), (30, 90, false)),
        ((10, 20, 20), (20, 90, 20), (20, 90, false)),
    ];
    for (i, (old, new, expected)) in cases.into_iter().enumerate() {
        let store = open(&SimDisk::new(), 0);
        store.put(vec![alert("a", old.0, old.1, old.2)], old.2 * SECOND);
        store.put(vec![alert("a", new.0, new.1, new.2)], new.2 * SECOND);
        let held = store.list();
        let seen = (held[0].starts_at / SECOND, held[0].ends_at / SECOND, held[0].timeout);
        assert_eq!((seen, held.len()), (expected, 1), "case {i}");
    }
}

#[test]
fn a_name_has_its_limit_and_the_oldest_end_makes_room() {
    let limits = Limits { per_alertname: 2, ..Limits::default() };
    let disk = SimDisk::new();
    let store = AlertStore::open(Arc::new(disk), &path(), limits, 0, GRACE).unwrap();
    let put = |name: &str, ends: i64, now: i64| {
        let stored = store.put(vec![alert(name, now, ends, now)], now * SECOND);
        (stored.alerts.len(), stored.limited)
    };
    assert_eq!(put("a", 100, 1), (1, vec![]));
    assert_eq!(put("b", 200, 1), (1, vec![]));
    assert_eq!(put("c", 300, 2), (0, vec!["Down".to_owned()]));
    // Known ones are not held up.
    assert_eq!(put("a", 110, 3), (1, vec![]));
    // "a" is over: its place is free, although it is held until it is collected.
    assert_eq!(put("c", 300, 120), (1, vec![]));
    assert_eq!(put("d", 300, 121), (0, vec!["Down".to_owned()]));
    assert_eq!(store.collect(400 * SECOND, |_| false).len(), 3);
    assert_eq!(put("d", 600, 401), (1, vec![]));
}

#[test]
fn a_full_store_refuses_what_is_new() {
    let limits = Limits { alerts: 1, ..Limits::default() };
    let store = AlertStore::open(Arc::new(SimDisk::new()), &path(), limits, 0, GRACE).unwrap();
    let stored = store.put(vec![alert("a", 1, 9, 1), alert("b", 1, 9, 1), alert("a", 1, 20, 2)], 1);
    assert_eq!(
        (stored.alerts.len(), stored.refused),
        (2, vec!["too many alerts: the limit of 1 is reached".into()])
    );
}

#[test]
fn records_come_back_as_they_were_and_damage_is_seen() {
    let (mut record, original) = (Vec::new(), alert("ü", 5, 0, 6));
    put_alert(&mut record, &original);
    put_again(&mut record, original.fingerprint(), &original);
    put_alive(&mut record, 7);
    let read: Vec<Option<Entry>> = entries(&record).collect();
    let again = Entry::Again {
        fingerprint: original.fingerprint(),
        ends_at: original.ends_at,
        updated_at: original.updated_at,
        timeout: true,
    };
    assert_eq!(read, [Some(Entry::Alert(Box::new(original))), Some(again), Some(Entry::Alive { now: 7 })]);
    // No cut and no flipped bit makes it do anything but end early or read something else.
    for length in 0..record.len() {
        assert!(entries(&record[..length]).count() <= 3);
    }
    for bit in 0..record.len() * 8 {
        let mut damaged = record.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(entries(&damaged).count() <= record.len());
    }
}

#[test]
fn alerts_survive_and_the_last_report_counts() {
    let disk = SimDisk::new();
    {
        let store = open(&disk, 0);
        store.put(vec![alert("a", 1, 1000, 1), alert("b", 1, 1000, 1), alert("c", 1, 50, 1)], SECOND);
        // "a" goes on, "b" is resolved.
        store.put(vec![alert("a", 1, 2000, 60), alert("b", 1, 60, 60)], 60 * SECOND);
    }
    let ends = |now: i64| -> Vec<(String, i64)> {
        let store = open(&disk, now * SECOND);
        store.list().iter().map(|a| (a.labels.get("name").to_owned(), a.ends_at / SECOND)).collect()
    };
    let sorted = |now: i64| {
        let mut ends = ends(now);
        ends.sort();
        ends
    };
    let named = |a: i64, b: i64, c: i64| [("a".to_owned(), a), ("b".to_owned(), b), ("c".to_owned(), c)];
    // "c" came to its end while the process was alive.
    assert_eq!(sorted(100), named(2000, 60, 50));
    // A long absence: "a" was firing at the last word, and its sender gets the time to say so again.
    assert_eq!(sorted(5000), named(5300, 60, 50));
}

#[test]
fn acknowledged_alerts_survive_the_process_at_any_moment() {
    for seed in 0..60 {
        let (disk, mut random) = (SimDisk::new(), Random::new(seed));
        let mut acknowledged = Vec::new();
        {
            let store = open(&disk, 0);
            let at = disk.operations() + 1 + random.below(60);
            disk.fail_at(at, platform::Fault::Error(std::io::ErrorKind::StorageFull));
            for i in 0..40 {
                let name = format!("n{}", random.below(10));
                let batch = vec![alert(&name, 1, 1000 + i, 1 + i)];
                if store.put(batch, i * SECOND).unwritten.is_none() {
                    acknowledged.push((name, 1000 + i));
                }
                match random.below(6) {
                    0 => drop(store.sync()),
                    1 => drop(store.rewrite(i * SECOND)),
                    _ => {}
                }
            }
        }
        // The process died; what it had handed over is still there.
        let store = open(&disk, 50 * SECOND);
        for (name, ends) in &acknowledged {
            let held = store.list();
            let found = held.iter().find(|a| a.labels.get("name") == name);
            let found = found.unwrap_or_else(|| panic!("seed {seed}: {name} was acknowledged and is gone"));
            assert!(found.ends_at >= ends * SECOND, "seed {seed}: {name} fell back");
        }
    }
}

#[test]
fn synced_alerts_survive_power_loss() {
    for seed in 0..30 {
        let (disk, mut random) = (SimDisk::new(), Random::new(seed));
        let store = open(&disk, 0);
        store.put(vec![alert("a", 1, 1000, 1)], SECOND);
        store.sync().unwrap();
        store.put(vec![alert("b", 1, 1000, 1)], SECOND);
        disk.power_loss(PowerLoss::Damaged, &mut random);
        let held = open(&disk, 2 * SECOND).list();
        assert!(held.iter().any(|a| a.labels.get("name") == "a"), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_brings_alerts_back_and_tells_what_was_not_told() {
    let s = Stage::new(true);
    s.put("Down", "a", &[], Ends::In(20_000));
    s.put("Down", "b", &[], Ends::In(20_000));
    s.pass(31).await;
    assert_eq!(s.sink.told().len(), 1);
    // Resolved, and the process dies before anybody was told.
    s.put("Down", "a", &[], Ends::Now);
    s.manager.shutdown();
    let t = Stage::at(s.dir.clone(), s.clock.clone(), true);
    t.pass(1).await;
    assert_eq!(t.sink.told(), ["{}:{alertname=\"Down\"} some alerts resolved: -a +b"]);
    assert_eq!(t.views().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_resolution_the_receiver_did_not_take_outlives_garbage_collection_and_restart() {
    let s = Stage::new(true);
    tokio::spawn(s.manager.clone().maintain());
    s.put("Down", "a", &[], Ends::In(20_000));
    s.pass(31).await;
    s.put("Down", "a", &[], Ends::Now);
    s.sink.failures.lock().unwrap().extend(std::iter::repeat_with(busy).take(100_000));
    // Two rounds of collection.
    s.pass(3700).await;
    s.manager.shutdown();
    let t = Stage::at(s.dir.clone(), s.clock.clone(), true);
    t.pass(1).await;
    assert_eq!(t.sink.told(), ["{}:{alertname=\"Down\"} all alerts resolved: -a"]);
    // Told and collected: nothing of it is left.
    tokio::spawn(t.manager.clone().maintain());
    t.pass(3700).await;
    t.manager.shutdown();
    let journal = t.dir.path().join("alerts.journal");
    let store = AlertStore::open(Arc::new(OsDisk), &journal, Limits::default(), START_NS, GRACE).unwrap();
    assert_eq!(store.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_perhaps_told_before_a_death_is_told_to_be_over() {
    let s = Stage::new(true);
    s.put("Down", "a", &[], Ends::In(20_000));
    s.pass(31).await;
    s.manager.shutdown();
    // As if the process had died after the receiver answered and before that was noted.
    std::fs::remove_file(s.dir.path().join("nflog.journal")).unwrap();
    let t = Stage::at(s.dir.clone(), s.clock.clone(), true);
    t.put("Down", "a", &[], Ends::Now);
    // Nobody can have heard of this one.
    t.put("Never", "b", &[], Ends::Now);
    t.pass(400).await;
    assert_eq!(t.sink.told(), ["{}:{alertname=\"Down\"} all alerts resolved: -a"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_delay_holds_everything_back() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let s = Stage::with(dir, TokioClock::start(), true, |options| {
        options.start_delay = Duration::from_secs(600);
    });
    s.put("Down", "a", &[], Ends::In(20_000));
    s.pass(599).await;
    assert!(s.sink.told().is_empty());
    s.pass(2).await;
    assert_eq!(s.sink.told().len(), 1);
}

#[test]
fn a_disk_that_takes_nothing_does_not_stop_alerts() {
    let disk = SimDisk::new();
    let store = open(&disk, 0);
    disk.fail_at(disk.operations(), platform::Fault::Crash);
    let stored = store.put(vec![alert("a", 1, 1000, 1)], SECOND);
    assert!(stored.unwritten.is_some());
    assert_eq!((stored.alerts.len(), store.len()), (1, 1));
}
