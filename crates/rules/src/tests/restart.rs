//! What a new process makes of the series the old one wrote.

use super::{Fixture, MINUTE, START, state};
use crate::{AlertState, RuleKind};

const STEP: i64 = 15_000;

/// Fires from START on, until the expression gives nothing from `end` on.
fn fired(f: &Fixture, yaml: &str, end: i64, last_evaluation: i64) {
    f.engine.until(end, &[("host", "a")], 7.0);
    let group = f.group(yaml);
    let mut time = START;
    while time <= last_evaluation {
        f.eval(&group, time);
        time += STEP;
    }
}

const RULE: &str =
    "{alert: Hot, expr: x, labels: {sev: page}, annotations: {s: '{{ $value }} on {{ $labels.host }}'}}";

#[test]
fn an_alert_that_ended_during_the_outage_is_reported() {
    let f = Fixture::new();
    fired(&f, RULE, START + 3 * MINUTE, START + 2 * MINUTE);
    // A new process, two minutes later; the condition is gone.
    let (group, begin) = (f.group(RULE), START + 4 * MINUTE);
    assert!(f.eval(&group, begin).is_empty(), "nobody knows yet what is there");
    let sent = f.eval(&group, begin + STEP);
    assert_eq!(sent.len(), 1);
    let alert = &sent[0];
    assert_eq!(alert.labels.to_string(), "{alertname=\"Hot\", host=\"a\", sev=\"page\"}");
    assert_eq!((alert.resolved_at, alert.fired_at), (Some(begin + STEP), Some(START + 2 * MINUTE)));
    assert_eq!(alert.annotations["s"], "7 on a", "as it was when it last fired");
    assert_eq!(state(&group), (AlertState::Inactive, 0));
    // It is repeated as every end is, and forgotten in the end.
    assert_eq!(f.eval(&group, begin + 2 * MINUTE).len(), 1);
    f.eval(&group, begin + 15 * MINUTE + STEP);
    f.eval(&group, begin + 15 * MINUTE + 2 * STEP);
    assert!(f.eval(&group, begin + 20 * MINUTE).is_empty());
}

#[test]
fn an_end_that_was_written_down_but_perhaps_not_heard_is_repeated() {
    let f = Fixture::new();
    // It ended, and its series with it, five minutes before the process did.
    fired(&f, RULE, START + MINUTE, START + 6 * MINUTE);
    let group = f.group(RULE);
    f.eval(&group, START + 8 * MINUTE);
    let sent = f.eval(&group, START + 8 * MINUTE + STEP);
    assert_eq!((sent.len(), sent[0].resolved_at), (1, Some(START + MINUTE)));
}

#[test]
fn old_ends_and_alerts_that_never_fired_are_nobodys_business() {
    let f = Fixture::new();
    fired(&f, RULE, START + MINUTE, START + 2 * MINUTE);
    let group = f.group(RULE);
    f.eval(&group, START + 20 * MINUTE);
    assert!(f.eval(&group, START + 20 * MINUTE + STEP).is_empty());

    let f = Fixture::new();
    let waiting = "{alert: Slow, expr: x, for: 30m}";
    fired(&f, waiting, START + MINUTE, START + MINUTE);
    let group = f.group(waiting);
    f.eval(&group, START + 2 * MINUTE);
    assert!(f.eval(&group, START + 2 * MINUTE + STEP).is_empty());
}

#[test]
fn an_alert_that_goes_on_has_not_ended() {
    let f = Fixture::new();
    fired(&f, RULE, START + 60 * MINUTE, START + 2 * MINUTE);
    let group = f.group(RULE);
    assert_eq!(f.eval(&group, START + 4 * MINUTE)[0].resolved_at, None);
    assert!(f.eval(&group, START + 4 * MINUTE + STEP).is_empty());
    let RuleKind::Alerting { alerts, .. } = &group.state().rules[0].kind else { panic!() };
    assert_eq!(alerts.len(), 1);
}

#[test]
fn an_alert_that_had_fired_for_long_fires_on() {
    let f = Fixture::new();
    let yaml = "{alert: Slow, expr: x, for: 20m}";
    fired(&f, yaml, START + 90 * MINUTE, START + 30 * MINUTE);
    let group = f.group(yaml);
    f.eval(&group, START + 35 * MINUTE);
    assert_eq!(state(&group).0, AlertState::Pending);
    assert_eq!(f.eval(&group, START + 35 * MINUTE + STEP).len(), 1);
    let RuleKind::Alerting { alerts, .. } = &group.state().rules[0].kind else { panic!() };
    assert_eq!((alerts[0].state, alerts[0].active_at), (AlertState::Firing, START));
}

#[test]
fn the_look_back_of_a_group_is_kept_in_mind() {
    let f = Fixture::new();
    let text = "groups: [{name: g, query_offset: 1m, rules: [{alert: Hot, expr: x}]}]\n";
    f.engine.until(START + 2 * MINUTE, &[("host", "a")], 1.0);
    let group = f.build(text, false);
    for step in 0..8 {
        f.eval(&group, START + step * STEP);
    }
    assert_eq!(f.stored("ALERTS", START - MINUTE).len(), 1, "samples stand where the query looked");
    let group = f.build(text, false);
    f.eval(&group, START + 4 * MINUTE);
    let sent = f.eval(&group, START + 4 * MINUTE + STEP);
    assert_eq!((sent.len(), sent[0].active_at), (1, START + 7 * STEP));
}
