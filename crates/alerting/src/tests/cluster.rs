//! Several engines that share silences and the notification log, without a network between them.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::Matcher;
use platform::Clock;
use tokio::sync::watch;

use super::{Ends, Stage, TokioClock};
use crate::manager::lock;
use crate::{Alertmanager, Cluster, Silence, StateKey};

const SECOND: i64 = 1_000_000_000;

/// A member whose position and settling are decided by the test. Everything said is kept.
struct Wire {
    position: usize,
    settled: watch::Receiver<bool>,
    said: Mutex<Vec<(StateKey, Vec<u8>)>>,
}

impl Cluster for Wire {
    fn position(&self) -> usize {
        self.position
    }

    fn settled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut settled = self.settled.clone();
        Box::pin(async move {
            let _ = settled.wait_for(|is_settled| *is_settled).await;
        })
    }

    fn broadcast(&self, key: StateKey, part: Vec<u8>) {
        lock(&self.said).push((key, part));
    }
}

struct Member {
    stage: Stage,
    wire: Arc<Wire>,
    settle: watch::Sender<bool>,
}

fn member(position: usize, clock: &Arc<dyn Clock>, settled: bool) -> Member {
    let stage = Stage::at(Arc::new(tempfile::tempdir().unwrap()), clock.clone(), true);
    let (settle, receiver) = watch::channel(settled);
    let wire = Arc::new(Wire { position, settled: receiver, said: Mutex::default() });
    assert!(stage.manager.join(wire.clone(), Duration::from_secs(15)));
    assert!(!stage.manager.join(wire.clone(), Duration::from_secs(15)), "a seat is taken once");
    Member { stage, wire, settle }
}

/// Carries what one member said to the other; how many messages that were.
fn carry(from: &Member, to: &Member) -> usize {
    let said = std::mem::take(&mut *lock(&from.wire.said));
    for (key, part) in &said {
        to.stage.manager.merge(*key, part).unwrap();
    }
    said.len()
}

fn silence(manager: &Alertmanager, comment: &str) -> Silence {
    let now = manager.clock().now_ns();
    Silence {
        id: String::new(),
        matchers: vec![
            Matcher::equal("alertname", "disk"),
            Matcher::new(model::MatchOp::NotRegex, "name", "x.*").unwrap(),
        ],
        starts_at: now,
        ends_at: now + 3600 * SECOND,
        updated_at: 0,
        created_by: "me".into(),
        comment: comment.into(),
        annotations: [("ticket".to_owned(), "7".to_owned())].into(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_lets_those_before_it_go_first() {
    let clock = TokioClock::start();
    let (first, second) = (member(0, &clock, true), member(1, &clock, true));
    for m in [&first, &second] {
        m.stage.put("disk", "a", &[], Ends::Timeout);
    }
    first.stage.pass(31).await;
    assert_eq!(first.stage.sink.told().len(), 1);
    assert_eq!(second.stage.sink.told().len(), 0, "it waits for the peer timeout");
    assert_eq!(carry(&first, &second), 1);
    second.stage.pass(20).await;
    assert_eq!(second.stage.sink.told().len(), 0, "the first has told");
    // What was new to the second is told on, and is news to nobody.
    assert_eq!(carry(&second, &first), 1);
    assert_eq!(carry(&first, &second), 0);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_hears_nothing_tells_itself() {
    let clock = TokioClock::start();
    let second = member(1, &clock, true);
    second.stage.put("disk", "a", &[], Ends::Timeout);
    second.stage.pass(44).await;
    assert_eq!(second.stage.sink.told().len(), 0);
    second.stage.pass(2).await;
    assert_eq!(second.stage.sink.told().len(), 1, "30 s group wait and 15 s peer timeout");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_before_the_cluster_has_settled() {
    let clock = TokioClock::start();
    let m = member(0, &clock, false);
    m.stage.put("disk", "a", &[], Ends::Timeout);
    m.stage.pass(60).await;
    assert_eq!(m.stage.sink.told().len(), 0);
    m.settle.send(true).unwrap();
    m.stage.pass(1).await;
    assert_eq!(m.stage.sink.told().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn silences_and_their_changes_reach_the_others() {
    let clock = TokioClock::start();
    let (a, b) = (member(0, &clock, true), member(1, &clock, true));
    let id = a.stage.manager.set_silence(silence(&a.stage.manager, "first")).unwrap();
    assert_eq!(carry(&a, &b), 1);
    let there = b.stage.manager.silence(&id).unwrap();
    assert_eq!(format!("{there:?}"), format!("{:?}", a.stage.manager.silence(&id).unwrap()));

    // The younger change wins, whichever way and however often changes travel.
    a.stage.pass(1).await;
    let longer = Silence { comment: "second".into(), ..(*there).clone() };
    assert_eq!(b.stage.manager.set_silence(longer).unwrap(), id);
    let old = a.stage.manager.full_state(StateKey::Silences);
    let new = b.stage.manager.full_state(StateKey::Silences);
    for state in [&old, &new, &old] {
        for m in [&a, &b] {
            m.stage.manager.merge(StateKey::Silences, state).unwrap();
        }
    }
    for m in [&a, &b] {
        assert_eq!(m.stage.manager.silence(&id).unwrap().comment, "second");
    }

    // Survives a restart of the member that only heard of it.
    let again = Stage::at(a.stage.dir.clone(), clock.clone(), true);
    assert_eq!(again.manager.silence(&id).unwrap().comment, "second");
}

#[tokio::test(start_paused = true)]
async fn what_may_be_forgotten_is_not_taken_in() {
    let clock = TokioClock::start();
    let (a, b) = (member(0, &clock, true), member(1, &clock, true));
    a.stage.manager.set_silence(silence(&a.stage.manager, "old")).unwrap();
    a.stage.put("disk", "b", &[("name", "x")], Ends::Timeout);
    a.stage.pass(31).await;
    let states = StateKey::ALL.map(|key| (key, a.stage.manager.full_state(key)));
    assert!(states.iter().all(|(_, state)| !state.is_empty()));
    // Retention (five days) after the end of both.
    b.stage.pass(6 * 24 * 3600).await;
    for (key, state) in &states {
        b.stage.manager.merge(*key, state).unwrap();
        assert!(b.stage.manager.full_state(*key).is_empty(), "{key:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn large_updates_are_not_told_on() {
    let clock = TokioClock::start();
    let (a, b) = (member(0, &clock, true), member(1, &clock, true));
    a.stage.manager.set_silence(silence(&a.stage.manager, &"long ".repeat(200))).unwrap();
    assert_eq!(carry(&a, &b), 1);
    assert_eq!(b.stage.manager.silences().len(), 1);
    assert_eq!(lock(&b.wire.said).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn malformed_states_change_nothing() {
    let clock = TokioClock::start();
    let a = member(0, &clock, true);
    for key in StateKey::ALL {
        for bytes in [&[0u8][..], &[5, 1], &[0xff; 40], b"\x02\x0a\x00"] {
            assert!(a.stage.manager.merge(key, bytes).is_err() || a.stage.manager.silences().is_empty());
        }
        assert_eq!(StateKey::from_name(key.as_str()), Some(key));
    }
    assert_eq!(StateKey::from_name("other"), None);
}
