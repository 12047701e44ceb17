//! Random pushes, flushes, merges, crashes and queries; every answer is compared with the oracle's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::span::{AttributeValue, Resource, Scope, Span, SpanEvent, SpanKind, SpanLink, StatusCode};
use platform::{Fault, Random};
use storage::TraceStore;
use storage::traces::TraceQuery;

use super::oracle::Oracle;
use super::{DAY_START, SECOND, World, settings, span_id, trace_id};

const SERVICES: [&str; 4] = ["frontend", "cart", "payment", "zé"];
const NAMES: [&str; 3] = ["GET /", "query", "publish"];
const KEYS: [&str; 4] = ["http.status", "user", "retry", "error"];

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len() as u64) as usize]
}

fn value(random: &mut Random) -> AttributeValue {
    match random.below(8) {
        0 => AttributeValue::Int(random.below(3) as i64 - 1),
        1 => AttributeValue::Double(random.below(3) as f64 / 2.0),
        2 => AttributeValue::Bool(random.one_in(2)),
        3 => AttributeValue::Array(vec![AttributeValue::Int(1), AttributeValue::Empty]),
        4 => AttributeValue::Bytes(vec![1, 2]),
        _ => AttributeValue::String(pick(random, &["a", "b", "true", ""]).to_string()),
    }
}

fn some_attributes(random: &mut Random) -> Vec<(String, AttributeValue)> {
    (0..random.below(4)).map(|_| (pick(random, &KEYS).to_string(), value(random))).collect()
}

/// Ids are unique by construction: the n-th span of its trace.
fn random_span(random: &mut Random, oracle: &Oracle) -> Span {
    let trace = trace_id(1 + random.below(12) as u8);
    let siblings = oracle.spans.iter().filter(|span| span.trace_id == trace).count() as u8;
    let resource =
        Resource { service: pick(random, &SERVICES).to_string(), attributes: some_attributes(random) };
    let scope = Scope {
        name: pick(random, &["", "lib"]).to_string(),
        version: pick(random, &["", "1.0"]).to_string(),
        attributes: some_attributes(random),
    };
    // A few days apart, so that partitions matter; some starts are equal.
    let start = DAY_START + random.below(4) as i64 * 86_400 * SECOND + random.below(50) as i64 * SECOND;
    let events = (0..random.below(3)).map(|_| SpanEvent {
        time: start + random.below(100) as i64,
        name: "event".to_string(),
        attributes: some_attributes(random),
    });
    let events = events.collect();
    let links = (0..random.below(2)).map(|_| SpanLink {
        trace_id: trace_id(9),
        span_id: span_id(9),
        trace_state: "a=b".to_string(),
        attributes: some_attributes(random),
    });
    let links = links.collect();
    Span {
        trace_id: trace,
        span_id: span_id(siblings + 1),
        // Perhaps a span that came, will come, or never comes.
        parent_span_id: span_id(random.below(u64::from(siblings) + 4) as u8),
        trace_state: String::new(),
        flags: random.below(2) as u32,
        name: pick(random, &NAMES).to_string(),
        kind: SpanKind::from_number(random.below(6) as i32),
        start,
        duration_ns: random.below(5) * 1_000_000,
        status: [StatusCode::Unset, StatusCode::Ok, StatusCode::Error][random.below(3) as usize],
        status_message: pick(random, &["", "boom"]).to_string(),
        attributes: some_attributes(random),
        events,
        links,
        resource: Arc::new(resource),
        scope: Arc::new(scope),
    }
}

fn random_query(random: &mut Random) -> TraceQuery {
    let from = DAY_START + random.below(4) as i64 * 86_400 * SECOND + random.below(50) as i64 * SECOND;
    let (start_min, start_max) = match random.below(3) {
        0 => (i64::MIN, i64::MAX),
        1 => (from, from + 86_400 * SECOND),
        _ => (from, from + 20 * SECOND),
    };
    let mut tags = Vec::new();
    for _ in 0..random.below(3) {
        let key = pick(random, &["http.status", "user", "error", "span.kind", "resource.user", "scope.name"]);
        let text = pick(random, &["a", "b", "true", "false", "", "1", "0.5", "server", "lib", "0102"]);
        tags.push((key.to_string(), text.to_string()));
    }
    let duration = |random: &mut Random| random.one_in(4).then(|| Duration::from_millis(random.below(5)));
    TraceQuery {
        service: random.one_in(2).then(|| pick(random, &SERVICES).to_string()),
        operation: random.one_in(4).then(|| pick(random, &NAMES).to_string()),
        tags,
        start_min,
        start_max,
        duration_min: duration(random),
        duration_max: duration(random),
        limit: 1 + random.below(15) as usize,
    }
}

fn compare(world: &World, oracle: &Oracle, random: &mut Random, what: &str) {
    let store = world.store();
    for n in 1..=13 {
        assert_eq!(store.trace(trace_id(n), None, None).unwrap(), oracle.trace(trace_id(n)), "{what}");
    }
    for _ in 0..10 {
        let query = random_query(random);
        assert_eq!(store.find(&query).unwrap(), oracle.find(&query), "{what}: {query:?}");
        let (min, max) = (query.start_min, query.start_max);
        assert_eq!(store.edges(min, max).unwrap(), oracle.edges(min, max), "{what}: edges {min}..{max}");
    }
    assert_eq!(store.services().unwrap(), oracle.services(), "{what}");
    for service in SERVICES {
        assert_eq!(store.operations(service, None).unwrap(), oracle.operations(service), "{what}");
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
                    let mut batch = Vec::new();
                    for _ in 0..random.below(6) {
                        let span = random_span(&mut random, &oracle);
                        oracle.spans.push(span.clone());
                        batch.push(span);
                    }
                    world.store().push(batch).unwrap();
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
        let mut unsure = Vec::new();
        while !world.disk.crashed() {
            let span = random_span(&mut random, &oracle);
            match world.store().push(vec![span.clone()]) {
                Ok(()) => oracle.spans.push(span),
                Err(_) => unsure.push(span),
            }
            match random.below(4) {
                0 => drop(world.store().flush()),
                1 => drop(world.store().maintain()),
                _ => {}
            }
        }
        world.crash();
        // A push that failed in the crash may have happened all the same, but only as a whole.
        for span in unsure {
            if world.store().trace(span.trace_id, None, None).unwrap().contains(&span) {
                oracle.spans.push(span);
            }
        }
        compare(&world, &oracle, &mut random, &format!("seed {seed}"));
    }
}
