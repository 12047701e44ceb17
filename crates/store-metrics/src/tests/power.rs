//! The store on a disk that dies at every change it makes: what was committed is there afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use kernel::FsyncPolicy;
use model::{Matcher, Value};
use platform::{Fault, PowerLoss, Random, SimDisk};
use storage::metrics::MetricsAdmin;
use storage::{MetricsStore, StoreError};

use super::{HOUR, clock, read_all, series, settings};
use crate::{Settings, Store};

const NOW: i64 = 100 * HOUR;

type Samples = BTreeMap<(u32, i64), f64>;

/// What a run was told to have been stored or deleted, and what was asked for without an answer.
#[derive(Default)]
struct Ledger {
    stored: Samples,
    unanswered: Samples,
    deleting: Option<(i64, i64)>,
}

fn open(disk: &SimDisk) -> Result<Store, StoreError> {
    let settings = Settings {
        fsync: FsyncPolicy::Always,
        wal_segment_bytes: 2 << 10,
        out_of_order_window_ms: 2 * HOUR,
        ..settings()
    };
    Store::open_on(Arc::new(disk.clone()), Path::new("/data"), settings, clock())
}

/// Scrapes through ten hours with flushes, merges and a deletion, until the disk dies.
fn live(disk: &SimDisk, ledger: &mut Ledger) -> Result<(), StoreError> {
    let store = open(disk)?;
    for step in 0..40i64 {
        let t = NOW + step * HOUR / 4;
        let mut samples: Samples =
            (0..4).map(|host| ((host, t), step as f64 + f64::from(host) / 10.0)).collect();
        if step % 7 == 3 {
            samples.insert((1, t - HOUR + 1), -1.0);
        }
        let mut appender = store.appender();
        for ((host, t), v) in &samples {
            appender.append(None, &series("m", *host), *t, Value::Float(*v))?;
        }
        ledger.unanswered = samples;
        appender.commit()?;
        let samples = std::mem::take(&mut ledger.unanswered);
        ledger.stored.extend(samples);
        if step % 3 == 2 {
            store.maintain()?;
        }
        if step == 20 {
            let range = (NOW + 3 * HOUR, NOW + 4 * HOUR);
            ledger.deleting = Some(range);
            store.delete_series(&[Matcher::equal("host", "h2")], range.0, range.1)?;
            ledger.deleting = None;
            ledger.stored.retain(|(host, t), _| *host != 2 || !(range.0..=range.1).contains(t));
        }
        if step % 15 == 14 {
            store.flush()?;
            store.merge()?;
            store.clean_tombstones()?;
        }
    }
    Ok(())
}

fn check(disk: &SimDisk, ledger: &Ledger, place: u64) {
    let store = open(disk).unwrap_or_else(|error| panic!("death at {place}: cannot open: {error}"));
    let mut found = Samples::new();
    for (labels, columns) in read_all(&store, &[], i64::MIN, i64::MAX) {
        let host: u32 = labels.get("host")[1..].parse().unwrap();
        found.extend(columns.float_times.iter().zip(&columns.floats).map(|(t, v)| ((host, *t), *v)));
    }
    for (key, v) in &ledger.stored {
        let deleting =
            ledger.deleting.is_some_and(|(mint, maxt)| key.0 == 2 && (mint..=maxt).contains(&key.1));
        assert!(found.get(key) == Some(v) || deleting, "death at {place}: {key:?} is lost");
    }
    for (key, v) in &found {
        let known = ledger.stored.get(key).or(ledger.unanswered.get(key));
        assert_eq!(known, Some(v), "death at {place}: {key:?} came from nowhere");
    }
    // It goes on as if nothing had been.
    store.maintain().unwrap();
    store.flush().unwrap();
}

#[test]
fn power_may_fail_at_any_change_of_the_disk() {
    let disk = SimDisk::new();
    let mut ledger = Ledger::default();
    live(&disk, &mut ledger).unwrap();
    let changes = disk.operations();
    assert!(changes > 150, "{changes} changes");
    check(&disk, &ledger, changes);
    for place in 0..changes {
        let disk = SimDisk::new();
        disk.fail_at(place, Fault::Crash);
        let mut ledger = Ledger::default();
        let _ = live(&disk, &mut ledger);
        assert!(disk.crashed());
        if place % 4 == 0 {
            disk.kill();
        } else {
            disk.power_loss(PowerLoss::Torn, &mut Random::new(place));
        }
        check(&disk, &ledger, place);
    }
}

#[test]
fn a_disk_that_refuses_for_a_moment_costs_nothing_that_was_acknowledged() {
    let changes = {
        let disk = SimDisk::new();
        live(&disk, &mut Ledger::default()).unwrap();
        disk.operations()
    };
    for place in (0..changes).step_by(3) {
        let disk = SimDisk::new();
        disk.fail_at(place, Fault::Error(std::io::ErrorKind::StorageFull));
        let mut ledger = Ledger::default();
        let _ = live(&disk, &mut ledger);
        check(&disk, &ledger, place);
    }
}
