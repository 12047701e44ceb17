//! One behaviour each.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{Labels, LogEntry, Matcher};
use platform::Random;
use storage::logs::{Direction, Needle, TimeRangeNs};
use storage::{ErrorKind, LogStore};

use super::{ALWAYS, DAY, NOW, SECOND, World, batch, entry, lines, push, read, settings, stream};
use crate::{LogStoreSettings, Logs, RetentionRule};

#[test]
fn equal_times_keep_the_order_of_arrival_through_flushes_and_merges() {
    let mut world = World::new(settings());
    let mut expected = Vec::new();
    for n in 0..12 {
        let line = format!("line {n}");
        push(world.store(), "a", &[(NOW, &line)]);
        expected.push((NOW, line));
        if n % 2 == 1 {
            world.store().flush().unwrap();
        }
        if n == 9 {
            world.store().maintain().unwrap();
        }
    }
    push(world.store(), "a", &[(NOW, "line 3"), (NOW, "last")]);
    expected.push((NOW, "last".to_string()));
    assert_eq!(lines(world.store(), "a", Direction::Forward), expected);
    world.crash();
    assert_eq!(lines(world.store(), "a", Direction::Forward), expected);
    expected.reverse();
    assert_eq!(lines(world.store(), "a", Direction::Backward), expected);
}

#[test]
fn large_streams_are_read_in_groups_and_needles_skip_most() {
    let world = World::new(settings());
    let mut random = Random::new(5);
    let mut expected = Vec::new();
    for n in 0..30_000i64 {
        let filler = random.below(1000);
        let line = format!(
            "level=info ts={n} caller=server.go:{} msg=\"handled request number {filler} in the usual way, \
             nothing to see here\"{}",
            filler % 100,
            if n == 20_123 { " culprit-7f3a9b" } else { "" }
        );
        expected.push(LogEntry { ts: NOW + n, line, structured_metadata: Labels::empty() });
    }
    world.store().push(vec![batch("big", expected.clone())]).unwrap();
    for stage in ["head", "part"] {
        let querier = world.store().querier().unwrap();
        let handles = querier.select(&[Matcher::equal("job", "big")], ALWAYS).unwrap();
        assert_eq!(read(querier.as_ref(), &handles[0], ALWAYS, Direction::Forward, &[]), expected, "{stage}");
        let range = TimeRangeNs { start: NOW + 9_000, end: NOW + 9_010 };
        let found = read(querier.as_ref(), &handles[0], range, Direction::Forward, &[]);
        assert_eq!(found, expected[9_000..9_010], "{stage}");
        let needles = [Needle("culprit-7f3a9b".into())];
        let mut found = read(querier.as_ref(), &handles[0], ALWAYS, Direction::Backward, &needles);
        found.retain(|entry| entry.line.contains("culprit-7f3a9b"));
        assert_eq!(found, expected[20_123..20_124], "{stage}");
        let statistics = querier.statistics(&[], ALWAYS).unwrap();
        let bytes: usize = expected.iter().map(|entry| entry.line.len()).sum();
        assert_eq!((statistics.entries, statistics.bytes), (30_000, bytes as u64), "{stage}");
        world.store().flush().unwrap();
    }
    let metrics = world.store().metrics();
    assert!(metrics.groups_skipped.load(Ordering::Relaxed) >= 2, "{metrics:?}");
}

#[test]
fn reading_stops_when_the_visitor_breaks() {
    let world = World::new(settings());
    push(world.store(), "a", &[(NOW, "1"), (NOW + 1, "2"), (NOW + 2, "3")]);
    let querier = world.store().querier().unwrap();
    let handles = querier.select(&[], ALWAYS).unwrap();
    let mut seen = Vec::new();
    let visit = &mut |entry: storage::logs::EntryRef<'_>| {
        seen.push(entry.line.to_string());
        if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    querier.read(&handles[0], ALWAYS, Direction::Backward, &[], visit).unwrap();
    assert_eq!(seen, ["3", "2"]);
}

#[test]
fn a_view_does_not_see_later_pushes_and_outlives_flushes() {
    let world = World::new(settings());
    push(world.store(), "a", &[(NOW, "before")]);
    let querier = world.store().querier().unwrap();
    push(world.store(), "a", &[(NOW + 1, "after")]);
    push(world.store(), "b", &[(NOW + 1, "after")]);
    world.store().flush().unwrap();
    push(world.store(), "a", &[(NOW + 2, "later")]);
    let handles = querier.select(&[], ALWAYS).unwrap();
    let streams: Vec<String> = handles.iter().map(|handle| handle.labels.to_string()).collect();
    assert_eq!(streams, ["{job=\"a\"}"]);
    let found = read(querier.as_ref(), &handles[0], ALWAYS, Direction::Forward, &[]);
    assert_eq!(found, [entry(NOW, "before")]);
    assert_eq!(lines(world.store(), "a", Direction::Forward).len(), 3);
}

#[test]
fn handles_of_other_queriers_are_refused() {
    let world = World::new(settings());
    push(world.store(), "a", &[(NOW, "x")]);
    let handles = world.store().querier().unwrap().select(&[], ALWAYS).unwrap();
    let other = world.store().querier().unwrap();
    let visit = &mut |_: storage::logs::EntryRef<'_>| ControlFlow::Continue(());
    let error = other.read(&handles[0], ALWAYS, Direction::Forward, &[], visit).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
}

#[test]
fn listeners_hear_what_is_new_until_they_break() {
    let world = World::new(settings());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = heard.clone();
    world.store().subscribe(Box::new(move |batch| {
        let mut heard = ear.lock().unwrap();
        heard.extend(batch.entries.iter().map(|entry| entry.line.clone()));
        if heard.len() >= 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }));
    push(world.store(), "a", &[(NOW, "1"), (NOW, "1"), (NOW, "2")]);
    push(world.store(), "a", &[(NOW, "2")]);
    push(world.store(), "a", &[(NOW, "1"), (NOW, "3")]);
    push(world.store(), "a", &[(NOW, "4")]);
    assert_eq!(*heard.lock().unwrap(), ["1", "2", "3"]);
    assert_eq!(world.store().metrics().listeners.load(Ordering::Relaxed), 0);
    assert_eq!(world.store().metrics().entries_duplicate.load(Ordering::Relaxed), 3);
}

#[test]
fn limits_are_named() {
    let world = World::new(LogStoreSettings {
        head_bytes_flush: 1 << 20,
        head_bytes_max: 1 << 20,
        push_wait_max: Duration::ZERO,
        ..settings()
    });
    let refused = |batch| {
        let error = world.store().push(vec![batch]).unwrap_err();
        (error.kind, error.message)
    };
    let (kind, message) = refused(batch("a", vec![entry(NOW, &"x".repeat((16 << 20) + 1))]));
    assert_eq!(kind, ErrorKind::LimitExceeded);
    assert_eq!(
        message,
        "a line of 16777217 bytes in stream {job=\"a\"} exceeds the limit LINE_BYTES_MAX=16777216"
    );
    let (kind, message) = refused(batch(&"x".repeat(70_000), vec![entry(NOW, "x")]));
    assert_eq!(kind, ErrorKind::LimitExceeded);
    assert!(message.contains("STREAM_LABELS_BYTES_MAX"), "{message}");
    assert_eq!(refused(batch("a", vec![entry(i64::MAX, "x")])).0, ErrorKind::Invalid);
    push(world.store(), "a", &[(NOW, &"x".repeat(1 << 20))]);
    let (kind, message) = refused(batch("a", vec![entry(NOW, "one more")]));
    assert_eq!(kind, ErrorKind::LimitExceeded);
    assert!(message.ends_with("the limit is head_bytes_max=1048576"), "{message}");
    world.store().maintain().unwrap();
    push(world.store(), "a", &[(NOW, "one more")]);
}

#[test]
fn a_flush_is_due_by_size_or_age() {
    let settings = LogStoreSettings { head_age_flush: Duration::from_secs(60), ..settings() };
    let world = World::new(settings);
    let flushes = || world.store().metrics().flushes.load(Ordering::Relaxed);
    push(world.store(), "a", &[(NOW, "1")]);
    world.store().maintain().unwrap();
    assert_eq!(flushes(), 0);
    world.clock.advance(Duration::from_secs(60));
    world.store().maintain().unwrap();
    assert_eq!(flushes(), 1);
    assert_eq!(world.store().metrics().head_entries.load(Ordering::Relaxed), 0);
    assert_eq!(lines(world.store(), "a", Direction::Forward), [(NOW, "1".to_string())]);
}

#[test]
fn retention_by_time_removes_old_days() {
    let world = World::new(LogStoreSettings { retention: Duration::from_secs(2 * 86_400), ..settings() });
    push(world.store(), "a", &[(NOW - 4 * DAY, "old"), (NOW, "new")]);
    world.store().flush().unwrap();
    world.store().maintain().unwrap();
    assert_eq!(lines(world.store(), "a", Direction::Forward), [(NOW, "new".to_string())]);
}

#[test]
fn retention_by_bytes_removes_the_oldest() {
    let world = World::new(LogStoreSettings { retention_bytes: 1, ..settings() });
    push(world.store(), "a", &[(NOW, "x")]);
    world.store().flush().unwrap();
    world.store().maintain().unwrap();
    assert!(lines(world.store(), "a", Direction::Forward).is_empty());
}

#[test]
fn retention_rules_rewrite_parts() {
    let rule = |job: &str, days: u64| RetentionRule {
        matchers: vec![Matcher::equal("job", job)],
        priority: 1,
        period: Duration::from_secs(days * 86_400),
    };
    let retention = Duration::from_secs(3 * 86_400);
    let rules = vec![rule("short", 1), rule("long", 9)];
    let world = World::new(settings());
    world.store().set_retention(retention, rules);
    for days in [2, 4, 10] {
        for job in ["short", "normal", "long"] {
            push(world.store(), job, &[(NOW - days * DAY, "x")]);
        }
    }
    world.store().flush().unwrap();
    world.store().maintain().unwrap();
    let days = |job| -> Vec<i64> {
        let found = lines(world.store(), job, Direction::Backward);
        found.into_iter().map(|(ts, _)| (NOW - ts) / DAY).collect()
    };
    assert_eq!((days("short"), days("normal"), days("long")), (vec![], vec![2], vec![2, 4]));
}

#[test]
fn label_queries_keep_to_the_range() {
    let world = World::new(settings());
    push(world.store(), "old", &[(NOW - 5 * DAY, "x")]);
    world.store().flush().unwrap();
    push(world.store(), "new", &[(NOW, "x")]);
    let other = stream(&[("job", "new"), ("host", "h")]);
    let entries = vec![entry(NOW + 10 * SECOND, "x")];
    world.store().push(vec![storage::logs::StreamBatch { labels: other, entries }]).unwrap();
    let querier = world.store().querier().unwrap();
    let range = TimeRangeNs { start: NOW - DAY, end: NOW + SECOND };
    assert_eq!(querier.label_values("job", &[], range).unwrap(), ["new"]);
    assert_eq!(querier.label_values("job", &[], ALWAYS).unwrap(), ["new", "old"]);
    assert_eq!(querier.label_names(&[], range).unwrap(), ["job"]);
    assert_eq!(querier.label_names(&[], ALWAYS).unwrap(), ["host", "job"]);
    assert_eq!(querier.label_names(&[Matcher::equal("job", "old")], ALWAYS).unwrap(), ["job"]);
}

#[test]
fn statistics_take_a_share_of_what_overlaps() {
    let world = World::new(settings());
    let entries: Vec<(i64, &str)> = (0..100).map(|n| (NOW + n, "12345678")).collect();
    push(world.store(), "a", &entries);
    for stage in ["head", "part"] {
        let querier = world.store().querier().unwrap();
        let range = TimeRangeNs { start: NOW + 50, end: NOW + DAY };
        let found = querier.statistics(&[], range).unwrap();
        assert_eq!((found.streams, found.blocks, found.entries, found.bytes), (1, 1, 50, 400), "{stage}");
        world.store().flush().unwrap();
    }
}

#[test]
fn a_real_disk_a_thread_and_a_clean_close() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(platform::SystemClock::new());
    for round in 0..3 {
        let store = Logs::open(dir.path(), LogStoreSettings::default(), clock.clone()).unwrap();
        let line = format!("round {round}");
        push(&store, "a", &[(NOW + round, &line)]);
        assert_eq!(lines(&store, "a", Direction::Forward).len() as i64, round + 1);
        store.close().unwrap();
        assert_eq!(lines(&store, "a", Direction::Forward).len() as i64, round + 1);
        let refused = store.push(vec![batch("a", vec![entry(NOW, "late")])]).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Closed);
    }
}
