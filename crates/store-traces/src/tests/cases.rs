//! Behaviours one by one.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::span::{AttributeValue, Span, SpanEvent, SpanKind, StatusCode};
use platform::{ManualClock, OsDisk};
use storage::traces::{Operation, ServiceEdge, TraceQuery};
use storage::{ErrorKind, TraceStore};

use super::*;

fn any_time() -> TraceQuery {
    TraceQuery { start_min: i64::MIN, start_max: i64::MAX, ..TraceQuery::default() }
}

/// Runs `check` on a store that holds `spans` in memory, then in a part, then after a restart.
fn in_every_state(spans: &[Span], check: impl Fn(&Traces, &str)) {
    let mut world = World::new(settings());
    world.store().push(spans.to_vec()).unwrap();
    check(world.store(), "in the head");
    world.crash();
    check(world.store(), "in the head after a crash");
    world.store().flush().unwrap();
    check(world.store(), "in a part");
    world.crash();
    check(world.store(), "in a part after a restart");
}

fn found(store: &Traces, query: &TraceQuery) -> Vec<u8> {
    store.find(query).unwrap().into_iter().map(|id| id.0[0]).collect()
}

#[test]
fn searches_by_each_criterion() {
    let slow = Span { duration_ns: 5_000_000_000, ..span(2, 1, "cart", "checkout", 20) };
    let spans = [span(1, 1, "frontend", "GET", 10), slow, span(3, 1, "cart", "list", 30)];
    in_every_state(&spans, |store, state| {
        let check = |query: TraceQuery, expected: &[u8]| {
            assert_eq!(found(store, &query), expected, "{state}: {query:?}");
        };
        check(any_time(), &[3, 2, 1]);
        check(TraceQuery { limit: 2, ..any_time() }, &[3, 2]);
        check(TraceQuery { service: Some("cart".into()), ..any_time() }, &[3, 2]);
        check(TraceQuery { service: Some("none".into()), ..any_time() }, &[]);
        check(TraceQuery { operation: Some("GET".into()), ..any_time() }, &[1]);
        let both = TraceQuery { operation: Some("list".into()), ..any_time() };
        check(TraceQuery { service: Some("cart".into()), ..both.clone() }, &[3]);
        check(TraceQuery { service: Some("frontend".into()), ..both }, &[]);
        let second = |s: i64| DAY_START + s * SECOND;
        check(TraceQuery { start_min: second(20), ..any_time() }, &[3, 2]);
        check(TraceQuery { start_max: second(20), ..any_time() }, &[2, 1]);
        check(TraceQuery { start_min: second(31), ..any_time() }, &[]);
        check(TraceQuery { duration_min: Some(Duration::from_secs(5)), ..any_time() }, &[2]);
        check(TraceQuery { duration_max: Some(Duration::from_millis(1)), ..any_time() }, &[3, 1]);
        check(TraceQuery { duration_max: Some(Duration::from_nanos(999_999)), ..any_time() }, &[]);
    });
}

#[test]
fn tags_are_found_wherever_they_sit_and_whatever_their_type() {
    let mut own = span(1, 1, "s", "o", 1);
    own.attributes = vec![
        ("text".into(), AttributeValue::String("yes".into())),
        ("int".into(), AttributeValue::Int(200)),
        ("float".into(), AttributeValue::Double(72.5)),
        ("bool".into(), AttributeValue::Bool(true)),
    ];
    own.kind = SpanKind::Client;
    let mut resource = span(2, 1, "s", "o", 2);
    resource.resource = Arc::new(Resource { service: "s".into(), attributes: attributes(&[("place", "r")]) });
    let mut scope = span(3, 1, "s", "o", 3);
    scope.scope = Arc::new(Scope {
        name: "lib".into(),
        version: "1.2".into(),
        attributes: attributes(&[("place", "s")]),
    });
    let mut event = span(4, 1, "s", "o", 4);
    event.events =
        vec![SpanEvent { time: 0, name: "e".into(), attributes: attributes(&[("place", "e"), ("n", "1")]) }];
    let mut link = span(5, 1, "s", "o", 5);
    link.links =
        vec![model::span::SpanLink { attributes: attributes(&[("place", "l")]), ..Default::default() }];
    let mut failed = span(6, 1, "s", "o", 6);
    failed.status = StatusCode::Error;
    let mut fine = span(7, 1, "s", "o", 7);
    fine.status = StatusCode::Ok;
    let mut old_style = span(8, 1, "s", "o", 8);
    old_style.attributes = vec![("error".into(), AttributeValue::Bool(true))];

    in_every_state(&[own, resource, scope, event, link, failed, fine, old_style], |store, state| {
        let check = |tags: &[(&str, &str)], expected: &[u8]| {
            let tags = tags.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            assert_eq!(found(store, &TraceQuery { tags, ..any_time() }), expected, "{state}");
        };
        check(&[("text", "yes")], &[1]);
        check(&[("text", "no")], &[]);
        check(&[("int", "200"), ("float", "72.5"), ("bool", "true")], &[1]);
        check(&[("int", "200"), ("place", "r")], &[]);
        check(&[("place", "r")], &[2]);
        check(&[("resource.place", "r")], &[2]);
        check(&[("resource.place", "s")], &[]);
        check(&[("place", "s")], &[3]);
        check(&[("scope.name", "lib"), ("scope.version", "1.2")], &[3]);
        check(&[("place", "e"), ("n", "1")], &[4]);
        check(&[("place", "l")], &[5]);
        check(&[("span.kind", "client")], &[1]);
        check(&[("span.status", "error")], &[6]);
        check(&[("error", "true")], &[8, 6]);
        check(&[("error", "false")], &[7]);
        check(&[("error", "maybe")], &[]);
    });
}

#[test]
fn one_span_must_meet_everything() {
    let mut a = span(1, 1, "s", "first", 1);
    a.attributes = attributes(&[("k", "v")]);
    let b = span(1, 2, "s", "second", 2);
    in_every_state(&[a, b], |store, state| {
        let tags = vec![("k".to_string(), "v".to_string())];
        let query =
            |name: &str| TraceQuery { operation: Some(name.into()), tags: tags.clone(), ..any_time() };
        assert_eq!(found(store, &query("first")), [1], "{state}");
        assert_eq!(found(store, &query("second")), [] as [u8; 0], "{state}");
    });
}

#[test]
fn results_are_newest_first_and_ties_go_by_id() {
    let spans: Vec<Span> = [(5, 10), (1, 10), (3, 10), (2, 20), (4, 0)]
        .into_iter()
        .map(|(trace, start)| span(trace, 1, "s", "o", start))
        .collect();
    in_every_state(&spans, |store, state| {
        assert_eq!(found(store, &any_time()), [2, 1, 3, 5, 4], "{state}");
        for limit in 1..5 {
            assert_eq!(
                found(store, &TraceQuery { limit, ..any_time() }),
                [2, 1, 3, 5, 4][..limit],
                "{state}"
            );
        }
    });
}

#[test]
fn a_trace_is_put_together_from_everywhere() {
    let mut world = World::new(settings());
    world.store().push(vec![span(1, 3, "b", "late", 30), span(2, 1, "x", "other", 1)]).unwrap();
    world.store().flush().unwrap();
    // A day later by its own clock: another partition, another part.
    world.store().push(vec![span(1, 2, "a", "mid", 100_000)]).unwrap();
    world.store().flush().unwrap();
    world.crash();
    world.store().push(vec![span(1, 1, "a", "root", 10)]).unwrap();
    let names = |min, max| {
        let spans = world.store().trace(trace_id(1), min, max).unwrap();
        spans.into_iter().map(|span| span.name).collect::<Vec<_>>()
    };
    assert_eq!(names(None, None), ["root", "late", "mid"]);
    let time = |s: i64| Some(DAY_START + s * SECOND);
    assert_eq!(names(time(0), time(40)), ["root", "late"]);
    assert_eq!(names(time(-10_000), time(-9_000)), [] as [&str; 0]);
    assert!(world.store().trace(trace_id(99), None, None).unwrap().is_empty());
}

#[test]
fn services_and_operations_are_sorted_and_have_kinds() {
    let client = Span { kind: SpanKind::Client, ..span(1, 2, "b", "op", 2) };
    let spans = [span(1, 1, "b", "op", 1), client, span(2, 1, "a", "x", 3), span(3, 1, "", "nobody", 4)];
    in_every_state(&spans, |store, state| {
        assert_eq!(store.services().unwrap(), ["a", "b"], "{state}");
        let operation = |kind_number| Operation { name: "op".into(), kind_number };
        assert_eq!(store.operations("b", None).unwrap(), [operation(2), operation(3)], "{state}");
        assert_eq!(store.operations("b", Some(SpanKind::Client)).unwrap(), [operation(3)], "{state}");
        assert_eq!(store.operations("none", None).unwrap(), [], "{state}");
    });
}

#[test]
fn edges_join_parents_and_children_across_parts() {
    let child = |trace: u8, id: u8, parent: u8, service: &str, start: i64| Span {
        parent_span_id: span_id(parent),
        ..span(trace, id, service, "o", start)
    };
    let mut world = World::new(settings());
    world.store().push(vec![child(1, 2, 1, "cart", 20), child(1, 3, 2, "cart", 30)]).unwrap();
    world.store().flush().unwrap();
    // The parent comes later than its child.
    world.store().push(vec![span(1, 1, "web", "o", 10), child(2, 2, 9, "cart", 40)]).unwrap();
    let edge = |parent: &str, child: &str, calls| ServiceEdge {
        parent: parent.to_string(),
        child: child.to_string(),
        calls,
    };
    let expected = [edge("cart", "cart", 1), edge("web", "cart", 1)];
    assert_eq!(world.store().edges(i64::MIN, i64::MAX).unwrap(), expected, "parent in the head");
    world.store().flush().unwrap();
    world.crash();
    assert_eq!(world.store().edges(i64::MIN, i64::MAX).unwrap(), expected, "parent in another part");
    let time = |s: i64| DAY_START + s * SECOND;
    assert_eq!(world.store().edges(time(25), time(35)).unwrap(), [edge("cart", "cart", 1)]);
    assert_eq!(world.store().edges(time(15), time(25)).unwrap(), [edge("web", "cart", 1)]);
}

#[test]
fn retention_counts_from_arrival() {
    let mut world = World::new(TraceStoreSettings { retention: Duration::from_secs(3600), ..settings() });
    world.store().push(vec![span(1, 1, "s", "ancient", 0)]).unwrap();
    world.store().flush().unwrap();
    world.store().maintain().unwrap();
    assert_eq!(found(world.store(), &any_time()), [1], "an old timestamp is no reason to go");
    world.clock.advance(Duration::from_secs(1800));
    world.store().push(vec![span(2, 1, "s", "o", 0)]).unwrap();
    world.store().flush().unwrap();
    world.clock.advance(Duration::from_secs(1900));
    world.store().maintain().unwrap();
    assert_eq!(found(world.store(), &any_time()), [2]);
    world.crash();
    assert_eq!(found(world.store(), &any_time()), [2]);
    assert_eq!(world.store().services().unwrap(), ["s"]);
}

#[test]
fn retention_by_bytes_removes_the_oldest() {
    let world = World::new(TraceStoreSettings { retention_bytes: 1, ..settings() });
    world.store().push(vec![span(1, 1, "s", "o", 0)]).unwrap();
    world.store().flush().unwrap();
    world.store().maintain().unwrap();
    assert_eq!(found(world.store(), &any_time()), [] as [u8; 0]);
    assert_eq!(world.store().metrics().parts_expired.load(Ordering::Relaxed), 1);
}

#[test]
fn the_head_is_flushed_when_large_or_old() {
    let world = World::new(TraceStoreSettings { head_bytes_flush: 20_000, ..settings() });
    let parts = || world.store().kernel_metrics().parts.load(Ordering::Relaxed);
    world.store().push(vec![span(1, 1, "s", "o", 0)]).unwrap();
    world.store().maintain().unwrap();
    assert_eq!(parts(), 0);
    world.clock.advance(Duration::from_secs(301));
    world.store().maintain().unwrap();
    assert_eq!(parts(), 1);
    for n in 0..100 {
        world.store().push(vec![span(1, n, "s", "o", 0)]).unwrap();
    }
    world.store().maintain().unwrap();
    assert_eq!(parts(), 2);
    assert_eq!(world.store().metrics().head_spans.load(Ordering::Relaxed), 0);
}

#[test]
fn a_full_head_refuses_with_its_limits_name_and_recovery_stays_bounded() {
    let small = TraceStoreSettings {
        head_bytes_flush: 10_000,
        head_bytes_max: 30_000,
        push_wait_max: Duration::ZERO,
        ..settings()
    };
    let mut world = World::new(small);
    let mut pushed = 0u8;
    let refused = loop {
        match world.store().push(vec![span(1, pushed, "s", "o", 0)]) {
            Ok(()) => pushed += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind, ErrorKind::LimitExceeded);
    assert!(refused.message.contains("head_bytes_max=30000"), "{refused}");
    assert_eq!(world.store().metrics().spans_refused.load(Ordering::Relaxed), 1);
    world.crash();
    assert!(world.store().metrics().head_bytes.load(Ordering::Relaxed) < 15_000, "flushed while replaying");
    assert_eq!(world.store().trace(trace_id(1), None, None).unwrap().len(), usize::from(pushed));
    world.crash();
    assert_eq!(world.store().trace(trace_id(1), None, None).unwrap().len(), usize::from(pushed));
}

#[test]
fn what_breaks_a_rule_is_refused_as_a_whole() {
    let world = World::new(settings());
    let mut deep = AttributeValue::Int(1);
    for _ in 0..100 {
        deep = AttributeValue::Array(vec![deep]);
    }
    let nested = Span { attributes: vec![("deep".into(), deep)], ..span(1, 1, "s", "o", 0) };
    let many = vec![("k".to_string(), AttributeValue::Empty); crate::limits::SPAN_ATTRIBUTES_MAX + 1];
    let crowded = Span { attributes: many, ..span(1, 1, "s", "o", 0) };
    let nameless = Span { trace_id: Default::default(), ..span(1, 1, "s", "o", 0) };
    let huge = Span { status_message: "x".repeat(crate::limits::SPAN_BYTES_MAX), ..span(1, 1, "s", "o", 0) };
    for (bad, kind, word) in [
        (nested, ErrorKind::LimitExceeded, "attribute_depth_max=64"),
        (crowded, ErrorKind::LimitExceeded, "span_attributes_max=65536"),
        (huge, ErrorKind::LimitExceeded, "span_bytes_max"),
        (nameless, ErrorKind::Invalid, "trace id"),
    ] {
        let error = world.store().push(vec![span(2, 1, "s", "o", 0), bad]).unwrap_err();
        assert_eq!(error.kind, kind);
        assert!(error.message.contains(word), "{error}");
    }
    assert_eq!(found(world.store(), &any_time()), [] as [u8; 0], "all or none");
    world.store().push(vec![]).unwrap();
    let limit = world.settings.search_limit_max + 1;
    let error = world.store().find(&TraceQuery { limit, ..any_time() }).unwrap_err();
    assert!(error.message.contains("search_limit_max=10000"), "{error}");
}

#[test]
fn scattered_times_make_few_parts() {
    let world = World::new(settings());
    let spans: Vec<Span> = (0..100).map(|n| span(n as u8 + 1, 1, "s", "o", n * 100_000)).collect();
    world.store().push(spans).unwrap();
    world.store().flush().unwrap();
    assert_eq!(world.store().kernel_metrics().parts.load(Ordering::Relaxed), 16);
    assert_eq!(found(world.store(), &TraceQuery { limit: 200, ..any_time() }).len(), 100);
}

#[test]
fn edge_times_and_durations_are_kept() {
    let extreme = |trace, start| Span { start, duration_ns: u64::MAX, ..span(trace, 1, "s", "o", 0) };
    in_every_state(&[extreme(1, i64::MIN), extreme(2, 0), extreme(3, i64::MAX)], |store, state| {
        assert_eq!(found(store, &any_time()), [3, 2, 1], "{state}");
        assert_eq!(store.trace(trace_id(1), None, None).unwrap()[0].start, i64::MIN, "{state}");
        let exactly = TraceQuery { start_min: i64::MAX, start_max: i64::MAX, ..TraceQuery::default() };
        assert_eq!(found(store, &exactly), [3], "{state}");
    });
}

#[test]
fn a_real_store_flushes_in_the_background_and_on_close() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ms(0));
    let settings = TraceStoreSettings { head_bytes_flush: 10_000, ..TraceStoreSettings::default() };
    let open = || Traces::open(dir.path(), settings.clone(), clock.clone()).unwrap();
    let store = open();
    for n in 0..50 {
        store.push(vec![span(1, n, "s", "o", 0)]).unwrap();
    }
    // The runner bounds this; the thread looks twice a second and when the bell rings.
    while store.kernel_metrics().parts.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    store.close().unwrap();
    assert_eq!(store.metrics().head_spans.load(Ordering::Relaxed), 0);
    let refused = store.push(vec![span(2, 1, "s", "o", 0)]).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Closed);
    assert_eq!(store.trace(trace_id(1), None, None).unwrap().len(), 50);
    drop(store);
    assert_eq!(open().trace(trace_id(1), None, None).unwrap().len(), 50);
}

#[test]
fn a_damaged_block_costs_its_spans_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ms(0));
    let open = || Traces::open_on(Arc::new(OsDisk), dir.path(), super::settings(), clock.clone()).unwrap();
    let store = open();
    for trace in [1, 2] {
        // Days apart: a part each.
        store.push(vec![span(trace, 1, "s", "o", i64::from(trace) * 100_000)]).unwrap();
    }
    store.flush().unwrap();
    let parts = dir.path().join("parts");
    let mut files: Vec<_> = std::fs::read_dir(parts).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut bytes = std::fs::read(&files[0]).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&files[0], bytes).unwrap();
    assert_eq!(found(&store, &any_time()), [2]);
    assert_eq!(store.metrics().corrupt_reads.load(Ordering::Relaxed), 1);
    assert_eq!(store.trace(trace_id(1), None, None).unwrap_err().kind, ErrorKind::Corrupt);
    let kinds: BTreeSet<_> = store.services().unwrap().into_iter().collect();
    assert_eq!(kinds, BTreeSet::from(["s".to_string()]));
}
