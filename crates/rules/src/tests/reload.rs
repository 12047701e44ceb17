//! Groups that change while they run, and rules that run side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::{Fixture, MINUTE, START, state};
use crate::manager::Builder;
use crate::{AlertState, Health, QueriedSample, QueryEngine, Reading, Settings, parse_file};

#[test]
fn a_changed_group_keeps_what_its_rules_knew() {
    let f = Fixture::new();
    f.engine.say(&[(&[("host", "a")], 1.0)]);
    let before = f.build(
        "groups: [{name: g, rules: [{alert: A, expr: x, for: 1m}, {record: gone, expr: x}, {record: kept, expr: x}]}]\n",
        false,
    );
    f.eval(&before, START);
    let after = f.build(
        "groups: [{name: g, rules: [{record: kept, expr: y}, {alert: A, expr: y, for: 1m}, {alert: New, expr: y, for: 1h}]}]\n",
        false,
    );
    after.inherit(&before);
    f.eval(&after, START + MINUTE);
    let rules = after.state().rules;
    let crate::RuleKind::Alerting { state, alerts, .. } = &rules[1].kind else { panic!() };
    assert_eq!((*state, alerts[0].active_at), (AlertState::Firing, START));
    assert_eq!(f.stored("kept", START + MINUTE)["{host=\"a\"}"], "1");
    assert_eq!(f.stored("gone", START + MINUTE)["{host=\"a\"}"], "stale");
}

#[test]
fn rules_of_one_name_are_told_apart_by_their_order() {
    let f = Fixture::new();
    f.engine.say(&[(&[("host", "a")], 1.0)]);
    let text = "groups: [{name: g, rules: [{record: r, expr: x, labels: {n: '1'}}, {record: r, expr: x, labels: {n: '1'}}]}]\n";
    let (before, after) = (f.build(text, false), f.build(text, false));
    f.eval(&before, START);
    after.inherit(&before);
    f.engine.say(&[]);
    f.eval(&after, START + MINUTE);
    assert_eq!(f.stored("r", START + MINUTE)["{host=\"a\", n=\"1\"}"], "stale");
}

#[test]
fn a_rule_added_while_running_has_nothing_to_restore() {
    let f = Fixture::new();
    f.engine.say(&[(&[], 1.0)]);
    let group = f.group("{alert: A, expr: x, for: 1h}");
    group.is_new();
    f.eval(&group, START);
    assert_eq!(f.stored("ALERTS_FOR_STATE", START).len(), 1);
    assert_eq!(state(&group).0, AlertState::Pending);
}

#[test]
fn a_rule_that_gives_too_much_gives_nothing() {
    let f = Fixture::new();
    let text = "groups: [{name: g, limit: 1, rules: [{alert: A, expr: x}, {record: r, expr: x}]}]\n";
    let group = f.build(text, false);
    f.engine.say(&[(&[("a", "1")], 1.0)]);
    assert_eq!(f.eval(&group, START).len(), 1);
    f.engine.say(&[(&[("a", "1")], 1.0), (&[("a", "2")], 1.0)]);
    assert!(f.eval(&group, START + MINUTE).is_empty(), "no alert of a rule that failed");
    let errors: Vec<String> = group.state().rules.into_iter().map(|r| r.last_error).collect();
    assert_eq!(errors, ["exceeded limit of 1 with 2 alerts", "exceeded limit of 1 with 2 series"]);
    assert_eq!(state(&group).1, 0);
    assert!(f.stored("r", START + MINUTE).is_empty(), "a failure ends no series");
}

#[test]
fn samples_that_come_too_late_make_a_rule_unhealthy() {
    let f = Fixture::new();
    f.engine.say(&[(&[], 1.0)]);
    let group = f.group("{record: r, expr: x}");
    f.eval(&group, START + 120 * MINUTE);
    f.engine.say(&[(&[], 2.0)]);
    f.eval(&group, START);
    let rule = &group.state().rules[0];
    assert_eq!(rule.health, Health::Err);
    assert!(!rule.last_error.is_empty());
}

/// Answers when as many queries as wanted wait at the same time.
struct Meeting {
    wanted: usize,
    here: Mutex<usize>,
    changed: Condvar,
    most: AtomicUsize,
}

impl QueryEngine for Meeting {
    fn instant(&self, expr: &str, _: i64) -> Result<Vec<QueriedSample>, String> {
        if expr == "panic" {
            panic!("as asked");
        }
        let mut here = self.here.lock().unwrap();
        *here += 1;
        self.most.fetch_max(*here, Ordering::SeqCst);
        self.changed.notify_all();
        let limit = Duration::from_secs(20);
        let (mut here, timeout) =
            self.changed.wait_timeout_while(here, limit, |here| *here < self.wanted).unwrap();
        if timeout.timed_out() {
            return Err("nobody came".into());
        }
        *here += 1000;
        Ok(Vec::new())
    }
}

fn meeting(f: &Fixture, wanted: usize, rules: &str) -> (Arc<Meeting>, crate::group::Group) {
    let engine =
        Arc::new(Meeting { wanted, here: Mutex::new(0), changed: Condvar::new(), most: AtomicUsize::new(0) });
    let spec = parse_file("t.yml", &format!("groups: [{{name: g, rules: {rules}}}]\n"), &Reading::default());
    let spec = spec.unwrap().remove(0);
    let as_engine: Arc<dyn QueryEngine> = engine.clone();
    let settings = Settings { interval_ms: 15_000, ..Settings::default() };
    let builder = Builder { settings: &settings, engine: &as_engine, metrics: &f.metrics, concurrent: true };
    let group = builder.group("t.yml", &spec);
    (engine, group)
}

#[test]
fn independent_rules_run_side_by_side() {
    let f = Fixture::new();
    let rules = "[{record: a, expr: w}, {record: b, expr: x}, {record: c, expr: y}, {alert: D, expr: z}]";
    // Three places and the group's own thread.
    let (engine, group) = meeting(&f, 4, rules);
    f.eval(&group, START);
    assert!(group.state().rules.iter().all(|r| r.health == Health::Ok), "{:?}", group.state());
    assert_eq!(engine.most.load(Ordering::SeqCst), 4);
}

#[test]
fn a_panic_is_the_rules_own_misfortune() {
    let f = Fixture::new();
    let (_, group) = meeting(&f, 1, "[{record: a, expr: panic}, {record: b, expr: x}]");
    for turn in 0..5 {
        f.eval(&group, START + turn * MINUTE);
        let rules = group.state().rules;
        assert_eq!(rules[0].last_error, "the evaluation panicked");
        assert_eq!(rules[1].health, Health::Ok);
    }
}
