//! Grouping, deduplication, retries, resolution.

use model::Matcher;

use super::{Ends, Stage, busy};
use crate::{InhibitRule, IntervalSpec, NotifyError, RouteSpec, RouteTree, Silence, TimeInterval};

#[tokio::test(start_paused = true)]
async fn a_group_waits_then_tells_once_and_repeats() {
    let s = Stage::new(true);
    s.put("Down", "a", &[], Ends::In(20_000));
    s.pass(10).await;
    s.put("Down", "b", &[], Ends::In(20_000));
    s.put("Up", "c", &[], Ends::In(20_000));
    assert!(s.sink.told().is_empty());
    s.pass(31).await;
    assert_eq!(
        s.sink.told(),
        ["{}:{alertname=\"Down\"} first notification: +a +b", "{}:{alertname=\"Up\"} first notification: +c"]
    );
    s.pass(3600).await;
    assert_eq!(s.sink.told().len(), 2);
    s.pass(3 * 3600 + 400).await;
    assert_eq!(s.sink.told().len(), 4);
    assert_eq!(s.sink.told()[2], "{}:{alertname=\"Down\"} repeat interval elapsed: +a +b");
}

#[tokio::test(start_paused = true)]
async fn new_and_resolved_alerts_are_told_at_the_next_interval() {
    let s = Stage::new(true);
    s.put("Down", "a", &[], Ends::In(20_000));
    s.put("Down", "b", &[], Ends::In(20_000));
    s.pass(31).await;
    s.put("Down", "c", &[], Ends::In(20_000));
    s.pass(300).await;
    s.put("Down", "a", &[], Ends::Now);
    s.pass(300).await;
    s.put("Down", "b", &[], Ends::Now);
    s.put("Down", "c", &[], Ends::Now);
    s.pass(300).await;
    let reasons: Vec<String> =
        s.sink.told().iter().map(|t| t.split("} ").nth(1).unwrap().to_owned()).collect();
    assert_eq!(
        reasons,
        [
            "first notification: +a +b",
            "new alerts added: +a +b +c",
            "some alerts resolved: -a +b +c",
            "all alerts resolved: -b -c"
        ]
    );
    s.pass(3000).await;
    assert_eq!(s.sink.told().len(), 4);
    // The alert fires again: a new story.
    s.put("Down", "a", &[], Ends::In(20_000));
    s.pass(301).await;
    assert!(s.sink.told()[4].ends_with("first notification: +a"), "{:?}", s.sink.told());
}

#[tokio::test(start_paused = true)]
async fn without_send_resolved_only_firing_alerts_are_told() {
    let s = Stage::new(false);
    s.put("Down", "a", &[], Ends::In(20_000));
    s.put("Down", "b", &[], Ends::In(20_000));
    s.pass(31).await;
    s.put("Down", "a", &[], Ends::Now);
    s.pass(300).await;
    s.put("Down", "b", &[], Ends::Now);
    s.pass(600).await;
    assert_eq!(s.sink.told().len(), 1);
    s.put("Down", "b", &[], Ends::In(1000));
    s.pass(301).await;
    assert!(s.sink.told()[1].ends_with("first notification: +b"));
}

#[tokio::test(start_paused = true)]
async fn an_alert_without_end_resolves_by_timeout() {
    let s = Stage::new(true);
    s.put("Down", "a", &[], Ends::Timeout);
    s.pass(31).await;
    s.pass(600).await;
    assert!(s.sink.told()[1].ends_with("all alerts resolved: -a"), "{:?}", s.sink.told());
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_until_the_deadline_and_then_at_the_next_flush() {
    let s = Stage::new(true);
    s.sink.failures.lock().unwrap().extend([busy(), busy(), busy()]);
    s.put("Down", "a", &[], Ends::In(20_000));
    s.pass(29).await;
    assert!(s.sink.told().is_empty());
    s.pass(10).await;
    assert_eq!(s.sink.told().len(), 1);

    // A refusal is final for this flush, not for the alert.
    s.sink.failures.lock().unwrap().push(NotifyError::permanent("no such channel"));
    s.put("Other", "b", &[], Ends::In(20_000));
    s.pass(60).await;
    assert_eq!(s.sink.told().len(), 1);
    s.pass(300).await;
    assert_eq!(s.sink.told().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_restart_neither_repeats_nor_forgets() {
    let s = Stage::new(true);
    s.put("Down", "a", &[], Ends::In(20_000));
    s.put("Down", "b", &[], Ends::In(20_000));
    s.pass(31).await;
    assert_eq!(s.sink.told().len(), 1);
    // The process dies without a word; another one opens the same directory.
    s.manager.shutdown();
    let t = Stage::at(s.dir.clone(), s.clock.clone(), true);
    t.put("Down", "a", &[], Ends::In(20_000));
    t.put("Down", "b", &[], Ends::Now);
    t.pass(31).await;
    assert_eq!(t.sink.told(), ["{}:{alertname=\"Down\"} some alerts resolved: +a -b"]);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_what_was_told() {
    let s = Stage::new(true);
    s.put("Down", "a", &[], Ends::In(20_000));
    s.pass(31).await;
    s.apply(|_| {});
    s.pass(1000).await;
    assert_eq!(s.sink.told().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_alert_does_not_wait_again() {
    let s = Stage::new(true);
    s.pass(100).await;
    let mut alert = crate::Alert {
        labels: model::Labels::from_pairs([("alertname", "Down"), ("name", "a")]),
        annotations: Default::default(),
        starts_at: s.clock.now_ns() - 60_000_000_000,
        ends_at: s.clock.now_ns() + 60_000_000_000,
        updated_at: 0,
        generator_url: String::new(),
        timeout: false,
        inherited: false,
    };
    s.manager.put(vec![(alert.clone(), true)]).unwrap();
    s.pass(1).await;
    assert_eq!(s.sink.told().len(), 1);
    alert.labels = model::Labels::empty();
    assert_eq!(s.manager.put(vec![(alert, true)]).unwrap_err(), ["at least one label pair required"]);
}

fn silence(s: &Stage, matcher: Matcher, secs: i64) -> Silence {
    let now = s.clock.now_ns();
    Silence {
        id: String::new(),
        matchers: vec![matcher],
        starts_at: now,
        ends_at: now + secs * 1_000_000_000,
        updated_at: now,
        created_by: "me".into(),
        comment: "why".into(),
        annotations: Default::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn silenced_alerts_are_told_when_the_silence_ends() {
    let s = Stage::new(true);
    let id = s.manager.set_silence(silence(&s, Matcher::equal("name", "a"), 7200)).unwrap();
    s.put("Down", "a", &[], Ends::In(20_000));
    s.put("Down", "b", &[], Ends::In(20_000));
    s.pass(31).await;
    assert_eq!(s.sink.told(), ["{}:{alertname=\"Down\"} first notification: +b"]);
    let view = s.views();
    let silenced: Vec<_> = view.iter().filter(|v| v.silenced_by == [id.clone()]).collect();
    assert_eq!((view.len(), silenced.len()), (2, 1));
    s.manager.expire_silence(&id).unwrap();
    s.pass(301).await;
    assert!(s.sink.told()[1].ends_with("new alerts added: +a +b"));
}

#[tokio::test(start_paused = true)]
async fn inhibition_mutes_while_the_source_fires() {
    let s = Stage::new(true);
    let rule = || InhibitRule {
        name: String::new(),
        source: vec![Matcher::equal("severity", "critical")],
        target: vec![Matcher::equal("severity", "warning")],
        equal: vec!["host".into()],
    };
    s.apply(|settings| settings.inhibit_rules = vec![rule()]);
    s.put("Dead", "src", &[("severity", "critical"), ("host", "h1")], Ends::In(20_000));
    s.put("Slow", "w1", &[("severity", "warning"), ("host", "h1")], Ends::In(20_000));
    s.put("Slow", "w2", &[("severity", "warning"), ("host", "h2")], Ends::In(20_000));
    s.pass(31).await;
    let mut told = s.sink.told();
    told.sort();
    assert_eq!(
        told,
        [
            "{}:{alertname=\"Dead\"} first notification: +src",
            "{}:{alertname=\"Slow\"} first notification: +w2"
        ]
    );
    // Survives a reload, which builds new groups from the stored alerts.
    s.apply(|settings| settings.inhibit_rules = vec![rule()]);
    s.pass(301).await;
    assert_eq!(s.sink.told().len(), 2);
    s.put("Dead", "src", &[("severity", "critical"), ("host", "h1")], Ends::Now);
    s.pass(301).await;
    assert!(s.sink.told().iter().any(|t| t.ends_with("new alerts added: +w1 +w2")), "{:?}", s.sink.told());
}

#[tokio::test(start_paused = true)]
async fn an_alert_on_both_sides_of_a_rule_is_not_muted_by_its_like() {
    let s = Stage::new(true);
    s.apply(|settings| {
        settings.inhibit_rules = vec![InhibitRule {
            name: String::new(),
            source: vec![Matcher::equal("alertname", "Down")],
            target: vec![Matcher::equal("alertname", "Down")],
            equal: Vec::new(),
        }];
    });
    s.put("Down", "a", &[], Ends::In(1000));
    s.put("Down", "b", &[], Ends::In(1000));
    s.pass(31).await;
    assert_eq!(s.sink.told(), ["{}:{alertname=\"Down\"} first notification: +a +b"]);
}

#[tokio::test(start_paused = true)]
async fn muted_routes_are_silent_in_their_interval() {
    let s = Stage::new(true);
    let nights = IntervalSpec { times: vec![("22:00".into(), "23:00".into())], ..IntervalSpec::default() };
    s.apply(|settings| {
        settings.intervals.insert("nights".into(), vec![TimeInterval::new(&nights).unwrap()]);
        let spec = RouteSpec {
            receiver: Some("team".into()),
            mute_time_intervals: vec!["nights".into()],
            ..RouteSpec::default()
        };
        settings.routes = RouteTree::new(&spec);
    });
    s.put("Down", "a", &[], Ends::In(20_000));
    s.pass(31).await;
    assert!(s.sink.told().is_empty());
    assert_eq!(s.manager.query_groups(&Default::default())[0].alerts[0].muted_by, ["nights"]);
    // 46 minutes and 40 seconds after the start it is 23:00.
    s.pass(3000).await;
    assert_eq!(s.sink.told().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn empty_groups_disappear() {
    let s = Stage::new(true);
    tokio::spawn(s.manager.clone().maintain());
    s.put("Down", "a", &[], Ends::In(20_000));
    s.pass(31).await;
    assert_eq!(s.manager.query_groups(&Default::default()).len(), 1);
    s.put("Down", "a", &[], Ends::Now);
    s.pass(400).await;
    let applied = s.manager.applied().unwrap();
    assert!(applied.dispatcher.groups().is_empty());
}
