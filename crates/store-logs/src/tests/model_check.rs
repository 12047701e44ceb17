//! Random pushes, flushes, merges, crashes and reads; every answer is compared with the oracle's.

use std::sync::atomic::Ordering;

use model::{Labels, LogEntry, MatchOp, Matcher};
use platform::{Fault, Random};
use storage::LogStore;
use storage::logs::{Direction, Needle, StreamBatch, TimeRangeNs};

use super::oracle::Oracle;
use super::{ALWAYS, DAY, NOW, SECOND, World, read, settings, stream};

const JOBS: [&str; 3] = ["api", "db", "zé"];
const WORDS: [&str; 6] = ["timeout", "connection refused", "ok", "über", "GET /index.html", ""];

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len() as u64) as usize]
}

fn random_time(random: &mut Random) -> i64 {
    // A few days, so that partitions matter; few distinct seconds, so that times repeat.
    NOW - random.below(3) as i64 * DAY + random.below(12) as i64 * SECOND
}

fn random_entry(random: &mut Random) -> LogEntry {
    let line = format!("{} id={} {}", pick(random, &WORDS), random.below(4), pick(random, &WORDS));
    let mut metadata = Vec::new();
    for key in ["detected_level", "trace_id", "user"] {
        if random.one_in(3) {
            metadata.push((key, format!("v{}", random.below(3))));
        }
    }
    LogEntry { ts: random_time(random), line, structured_metadata: Labels::from_pairs(metadata) }
}

fn random_push(random: &mut Random) -> Vec<StreamBatch> {
    let batch = |random: &mut Random| StreamBatch {
        labels: match random.below(4) {
            0 => stream(&[("job", pick(random, &JOBS))]),
            _ => stream(&[("job", pick(random, &JOBS)), ("host", pick(random, &["a", "b"]))]),
        },
        entries: (0..random.below(8)).map(|_| random_entry(random)).collect(),
    };
    (0..1 + random.below(3)).map(|_| batch(random)).collect()
}

fn random_range(random: &mut Random) -> TimeRangeNs {
    if random.one_in(3) {
        return ALWAYS;
    }
    let start = random_time(random);
    TimeRangeNs { start, end: start + 1 + random.below(8) as i64 * SECOND }
}

fn compare(world: &World, oracle: &Oracle, random: &mut Random, what: &str) {
    let querier = world.store().querier().unwrap();
    for _ in 0..6 {
        let range = random_range(random);
        let matchers = match random.below(4) {
            0 => vec![],
            1 => vec![Matcher::equal("job", pick(random, &JOBS))],
            2 => vec![Matcher::new(MatchOp::Regex, "host", "a|").unwrap()],
            _ => vec![Matcher::not_equal("job", pick(random, &JOBS))],
        };
        let handles = querier.select(&matchers, range).unwrap();
        let sorted = handles.windows(2).all(|pair| pair[0].labels < pair[1].labels);
        assert!(sorted, "{what}: streams are sorted and appear once");
        for wanted in oracle.select(&matchers, range) {
            assert!(handles.iter().any(|handle| handle.labels == wanted), "{what}: {wanted} is missing");
        }
        let needles: Vec<Needle> =
            (0..random.below(3)).map(|_| Needle(pick(random, &WORDS).into())).collect();
        let mut entries = 0;
        for handle in &handles {
            assert!(Matcher::all_match(&matchers, &handle.labels), "{what}");
            for direction in [Direction::Forward, Direction::Backward] {
                let expected = oracle.read(&handle.labels, range, direction);
                let found = read(querier.as_ref(), handle, range, direction, &[]);
                assert_eq!(found, expected, "{what}: {handle:?} {range:?} {direction:?}");
                // With needles a superset of the lines that have them, in order.
                let has = |entry: &LogEntry| needles.iter().all(|needle| entry.line.contains(&needle.0));
                let mut found = read(querier.as_ref(), handle, range, direction, &needles);
                found.retain(has);
                let expected: Vec<LogEntry> = expected.into_iter().filter(has).collect();
                assert_eq!(found, expected, "{what}: {handle:?} {range:?} {direction:?} {needles:?}");
            }
            entries += oracle.read(&handle.labels, range, Direction::Forward).len();
        }
        let statistics = querier.statistics(&matchers, range).unwrap();
        assert_eq!(statistics.streams, handles.len() as u64, "{what}");
        if range == ALWAYS {
            // Duplicates in different parts count until these are merged.
            assert!(statistics.entries >= entries as u64, "{what}: {statistics:?} {entries}");
        }
    }
    for name in ["job", "host", "nobody"] {
        assert_eq!(querier.label_values(name, &[], ALWAYS).unwrap(), oracle.values(name), "{what}");
    }
}

#[test]
fn answers_do_not_depend_on_flushes_merges_and_crashes() {
    let mut merges = 0;
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let mut world = World::new(settings());
        let mut oracle = Oracle::default();
        for step in 0..40 {
            match random.below(8) {
                0..4 => {
                    let batches = random_push(&mut random);
                    oracle.push(&batches);
                    world.store().push(batches).unwrap();
                }
                4 | 5 => world.store().flush().unwrap(),
                6 => world.store().maintain().unwrap(),
                _ => {
                    merges += world.store().metrics().merges.load(Ordering::Relaxed);
                    world.crash();
                }
            }
            if step % 5 == 4 {
                compare(&world, &oracle, &mut random, &format!("seed {seed}, step {step}"));
            }
        }
        merges += world.store().metrics().merges.load(Ordering::Relaxed);
    }
    assert!(merges > 10, "only {merges} merges were exercised");
}

#[test]
fn acknowledged_pushes_survive_a_crash_at_any_write() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let mut world = World::new(settings());
        let mut oracle = Oracle::default();
        world.disk.fail_at(world.disk.operations() + random.below(40), Fault::Crash);
        let mut unsure: Option<Vec<StreamBatch>> = None;
        while !world.disk.crashed() {
            let batches = random_push(&mut random);
            match world.store().push(batches.clone()) {
                Ok(()) => oracle.push(&batches),
                Err(_) => unsure = Some(batches),
            }
            match random.below(4) {
                0 => drop(world.store().flush()),
                1 => drop(world.store().maintain()),
                _ => {}
            }
        }
        world.crash();
        // A push that failed in the crash may have happened all the same, but only as a whole.
        if let Some(batches) = unsure {
            let mut with = Oracle { streams: oracle.streams.clone() };
            with.push(&batches);
            let total = |oracle: &Oracle| oracle.streams.values().map(Vec::len).sum::<usize>();
            if found_entries(&world) == total(&with) {
                oracle = with;
            }
        }
        compare(&world, &oracle, &mut random, &format!("seed {seed}"));
    }
}

fn found_entries(world: &World) -> usize {
    let querier = world.store().querier().unwrap();
    let handles = querier.select(&[], ALWAYS).unwrap();
    let count = |handle| read(querier.as_ref(), handle, ALWAYS, Direction::Forward, &[]).len();
    handles.iter().map(count).sum()
}
