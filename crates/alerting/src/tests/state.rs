//! Silences and the notification log on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::Matcher;
use platform::{Clock, Disk, ManualClock, PowerLoss, Random, SimDisk};

use crate::journal::Journal;
use crate::metrics::SilenceMetrics;
use crate::silences::{SilenceLimits, Silences};
use crate::{MatcherMode, Silence, SilenceError, SilenceState};

const HOUR: i64 = 3_600_000_000_000;

fn open(disk: &SimDisk, clock: &Arc<ManualClock>) -> Silences {
    Silences::open(
        Arc::new(disk.clone()),
        &PathBuf::from("/data/silences.journal"),
        clock.clone(),
        Duration::from_secs(120 * 3600),
        SilenceLimits::default(),
        MatcherMode::Fallback,
        SilenceMetrics::new(&expfmt::Registry::new()),
    )
    .unwrap()
}

fn silence(clock: &ManualClock, value: &str) -> Silence {
    let now = clock.now_ns();
    Silence {
        id: String::new(),
        matchers: vec![Matcher::equal("job", value)],
        starts_at: now,
        ends_at: now + HOUR,
        updated_at: 0,
        created_by: "me".into(),
        comment: "why".into(),
        annotations: Default::default(),
    }
}

#[test]
fn updates_keep_the_id_only_where_history_stays_true() {
    let (disk, clock) = (SimDisk::new(), Arc::new(ManualClock::at_ms(1_000_000)));
    let s = open(&disk, &clock);
    let id = s.set(silence(&clock, "a")).unwrap();
    let stored = s.get(&id).unwrap();

    // Longer: the same silence.
    clock.advance(Duration::from_secs(60));
    let longer = Silence { ends_at: stored.ends_at + HOUR, ..(*stored).clone() };
    assert_eq!(s.set(longer.clone()).unwrap(), id);

    // Other matchers: a new one, and the old one ends.
    let other = Silence { matchers: vec![Matcher::equal("job", "b")], ..longer };
    let second = s.set(other).unwrap();
    assert_ne!(second, id);
    assert_eq!(s.get(&id).unwrap().state(clock.now_ns() + 1), SilenceState::Expired);
    assert_eq!(s.get(&second).unwrap().starts_at, clock.now_ns());

    // An expired one cannot come back under its id.
    let revived = Silence { id: id.clone(), ..silence(&clock, "a") };
    assert_ne!(s.set(revived).unwrap(), id);
    let unknown = Silence { id: "nope".into(), ..silence(&clock, "a") };
    assert!(matches!(s.set(unknown), Err(SilenceError::NotFound)));
}

#[test]
fn bad_silences_are_refused_with_the_reason() {
    let (disk, clock) = (SimDisk::new(), Arc::new(ManualClock::at_ms(1_000_000)));
    let s = open(&disk, &clock);
    let check = |silence: Silence, expected: &str| {
        assert_eq!(s.set(silence).unwrap_err().to_string(), expected);
    };
    let good = silence(&clock, "a");
    check(
        Silence { matchers: Vec::new(), ..good.clone() },
        "invalid silence: at least one matcher set required",
    );
    check(
        Silence { matchers: vec![Matcher::equal("a", "")], ..good.clone() },
        "invalid silence: matcher set 0: at least one matcher must not match the empty string",
    );
    check(Silence { ends_at: 0, ..good }, "invalid silence: end time must not be before start time");
    assert!(s.list().is_empty());
}

#[test]
fn acknowledged_silences_survive_power_loss_and_refused_ones_do_not_appear() {
    for seed in 0..30 {
        let (disk, clock) = (SimDisk::new(), Arc::new(ManualClock::at_ms(1_000_000)));
        let mut random = Random::new(seed);
        let mut acknowledged = Vec::new();
        {
            let s = open(&disk, &clock);
            disk.fail_at(disk.operations() + 1 + random.below(40), platform::Fault::Crash);
            for i in 0..20 {
                if let Ok(id) = s.set(silence(&clock, &format!("job{i}"))) {
                    acknowledged.push(id);
                }
            }
        }
        disk.power_loss(PowerLoss::Damaged, &mut random);
        let s = open(&disk, &clock);
        for id in &acknowledged {
            assert!(s.get(id).is_some(), "seed {seed}: {id} was acknowledged and is gone");
        }
        // What follows the damage is stored as well.
        let next = s.set(silence(&clock, "next")).unwrap();
        drop(s);
        assert!(open(&disk, &clock).get(&next).is_some());
    }
}

#[test]
fn expired_silences_are_forgotten_after_the_retention() {
    let (disk, clock) = (SimDisk::new(), Arc::new(ManualClock::at_ms(1_000_000)));
    let s = open(&disk, &clock);
    let id = s.set(silence(&clock, "a")).unwrap();
    clock.advance(Duration::from_secs(3600 * 100));
    s.collect().unwrap();
    assert!(s.get(&id).is_some());
    clock.advance(Duration::from_secs(3600 * 30));
    s.collect().unwrap();
    assert!(s.get(&id).is_none());
    drop(s);
    assert!(open(&disk, &clock).list().is_empty());
}

#[test]
fn a_damaged_record_costs_only_itself() {
    let disk = SimDisk::new();
    let path = PathBuf::from("/d/x.journal");
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), path.clone()).unwrap();
    for text in ["one", "two", "three"] {
        journal.write(text.as_bytes()).unwrap();
    }
    drop(journal);
    // Magic 8, record one 8 + 3, header of two 8: the first byte of "two".
    disk.flip_bit(&path, (8 + 11 + 8) * 8).unwrap();
    let (_, recovered) = Journal::open(Arc::new(disk.clone()), path.clone()).unwrap();
    assert_eq!((recovered.records, recovered.damaged), (vec![b"one".to_vec(), b"three".to_vec()], 1));

    let file = disk.open_write(&path).unwrap();
    file.append(&[9, 0, 0, 0, 1, 2]).unwrap();
    let (_, recovered) = Journal::open(Arc::new(disk.clone()), path.clone()).unwrap();
    assert_eq!((recovered.records.len(), recovered.torn_bytes), (2, 6));
    let (_, again) = Journal::open(Arc::new(disk), path).unwrap();
    assert_eq!(again.torn_bytes, 0);
}

#[test]
fn another_file_is_not_overwritten() {
    let disk = SimDisk::new();
    let path = PathBuf::from("/d/x.journal");
    disk.create_dir_all(&PathBuf::from("/d")).unwrap();
    disk.create(&path).unwrap().append(b"something else").unwrap();
    assert!(Journal::open(Arc::new(disk), path).is_err());
}
