//! Clusters on a simulated network that loses, doubles, delays and divides, from a seed.

use std::collections::BTreeSet;

use super::*;
use crate::message::{IndirectPing, Ping, Source, Suspect, VERSIONS};
use crate::packet::Envelope;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn options(index: usize) -> Options {
    Options {
        name: format!("m{index:02}"),
        address: address(index),
        gossip_interval: 200 * MS,
        probe_interval: SECOND,
        probe_timeout: 500 * MS,
        push_pull_interval: 60 * SECOND,
        fanout: 3,
        room: Envelope::default().room(),
    }
}

fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1 + index as u8], 9094))
}

/// What the network does to packets.
#[derive(Clone, Copy, Default)]
struct Weather {
    /// Of a hundred packets, so many are lost, and so many arrive twice.
    lost: usize,
    doubled: usize,
    delay_ms_max: usize,
}

struct Sim {
    now: Time,
    random: Random,
    weather: Weather,
    cores: Vec<Option<Core>>,
    /// Members in different parts do not hear each other.
    part: Vec<usize>,
    /// Packets under way: when, from, to, what.
    air: Vec<(Time, usize, usize, Vec<u8>)>,
    heard: Vec<BTreeSet<Vec<u8>>>,
    events: Vec<Vec<Event>>,
    packets: usize,
}

impl Sim {
    fn new(members: usize, seed: u64, weather: Weather) -> Sim {
        let random = Random::new(seed);
        let mut sim = Sim {
            now: SECOND,
            weather,
            cores: (0..members).map(|_| None).collect(),
            part: vec![0; members],
            air: Vec::new(),
            heard: vec![BTreeSet::new(); members],
            events: vec![Vec::new(); members],
            packets: 0,
            random,
        };
        (0..members).for_each(|i| sim.start(i));
        sim
    }

    fn start(&mut self, index: usize) {
        let seed = self.random.next();
        self.cores[index] = Some(Core::new(options(index), Random::new(seed), self.now));
    }

    fn core(&mut self, index: usize) -> &mut Core {
        self.cores[index].as_mut().expect("a running member")
    }

    /// Exchanges everything between two members, both ways, if the network lets them.
    fn exchange(&mut self, a: usize, b: usize) {
        if self.part[a] != self.part[b] || self.cores[a].is_none() || self.cores[b].is_none() {
            return;
        }
        let (ours, theirs) = (self.core(a).nodes(), self.core(b).nodes());
        for (index, nodes) in [(a, theirs), (b, ours)] {
            let (now, mut out) = (self.now, Vec::new());
            self.core(index).merge(now, nodes, &mut out).unwrap();
            self.perform(index, out);
        }
        // The state of the layer above goes with it.
        let all: BTreeSet<Vec<u8>> = self.heard[a].union(&self.heard[b]).cloned().collect();
        (self.heard[a], self.heard[b]) = (all.clone(), all);
    }

    fn perform(&mut self, index: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, body, checksum } => {
                    let Some(to) = (0..self.cores.len()).find(|i| address(*i) == to) else { continue };
                    self.packets += 1;
                    let packet = Envelope::default().close(&body, checksum);
                    assert!(packet.len() <= crate::packet::PACKET_BYTES_MAX, "{}", packet.len());
                    let lost = self.random.below(100) < self.weather.lost;
                    let copies = if self.random.below(100) < self.weather.doubled { 2 } else { 1 };
                    for _ in 0..if lost { 0 } else { copies } {
                        let delay = 1 + self.random.below(self.weather.delay_ms_max + 1);
                        self.air.push((self.now + MS * delay as u32, index, to, packet.clone()));
                    }
                }
                Effect::StreamPing { to, seq, .. } => {
                    let Some(peer) = (0..self.cores.len()).find(|i| address(*i) == to.address) else {
                        continue;
                    };
                    if self.part[index] == self.part[peer] && self.cores[peer].is_some() {
                        self.core(index).stream_pong(seq);
                    }
                }
                Effect::PushPull { to } => {
                    if let Some(peer) = (0..self.cores.len()).find(|i| address(*i) == to.address) {
                        self.exchange(index, peer);
                    }
                }
                Effect::User(bytes) => {
                    // As the layer above does: news are told on.
                    if self.heard[index].insert(bytes.clone()) {
                        self.core(index).broadcast(&bytes);
                    }
                }
                Effect::Event(event) => self.events[index].push(event),
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += 10 * MS;
            let (due, later) =
                std::mem::take(&mut self.air).into_iter().partition(|(at, ..)| *at <= self.now);
            self.air = later;
            let mut due: Vec<(Time, usize, usize, Vec<u8>)> = due;
            self.random.shuffle(&mut due);
            for (_, from, to, packet) in due {
                if self.part[from] != self.part[to] || self.cores[to].is_none() {
                    continue;
                }
                let (messages, malformed) = Envelope::default().open(&packet).unwrap();
                assert_eq!(malformed, 0);
                for message in messages {
                    let (now, mut out) = (self.now, Vec::new());
                    self.core(to).handle(now, address(from), message, &mut out);
                    self.perform(to, out);
                }
            }
            for index in 0..self.cores.len() {
                if self.cores[index].as_ref().is_some_and(|core| core.next_tick() <= self.now) {
                    let (now, mut out) = (self.now, Vec::new());
                    self.core(index).tick(now, &mut out);
                    self.perform(index, out);
                }
            }
        }
    }

    /// Runs until `done`, at most `limit`.
    fn run_until(&mut self, limit: Duration, what: &str, done: impl Fn(&Sim) -> bool) {
        let end = self.now + limit;
        while !done(self) {
            assert!(self.now < end, "after {limit:?}: {what}: {:?}", self.views());
            self.run(100 * MS);
        }
    }

    fn views(&self) -> Vec<Option<Vec<String>>> {
        let names = |core: &Core| core.living().into_iter().map(|peer| peer.name).collect();
        self.cores.iter().map(|core| core.as_ref().map(names)).collect()
    }

    /// Whether every running member sees exactly the running members of its part.
    fn agrees(&self) -> bool {
        let running = |i: &usize| self.cores[*i].is_some();
        (0..self.cores.len()).filter(running).all(|i| {
            let same_part = (0..self.cores.len()).filter(running).filter(|j| self.part[*j] == self.part[i]);
            let expected: Vec<String> = same_part.map(|j| options(j).name).collect();
            self.views()[i].as_ref() == Some(&expected)
        })
    }

    fn join_all(&mut self) {
        for i in 1..self.cores.len() {
            self.exchange(i, 0);
        }
    }
}

#[test]
fn members_find_each_other_and_know_their_places() {
    let mut sim = Sim::new(5, 1, Weather::default());
    sim.join_all();
    sim.run_until(5 * SECOND, "all see all", Sim::agrees);
    for i in 0..5 {
        assert_eq!(sim.core(i).position(), i);
    }
    sim.run(60 * SECOND);
    assert!(sim.agrees());
    let joined = sim.events[2].iter().filter(|e| matches!(e, Event::Joined(_))).count();
    let left = sim.events[2].iter().filter(|e| matches!(e, Event::Left(_))).count();
    let pongs = sim.events[2].iter().filter(|e| matches!(e, Event::Pong(..))).count();
    assert_eq!((joined, left), (4, 0));
    assert!(pongs > 50, "{pongs} pings answered in a minute");
}

#[test]
fn bad_weather_does_not_make_the_living_dead() {
    for seed in 0..10 {
        let weather = Weather { lost: 10, doubled: 10, delay_ms_max: 100 };
        let mut sim = Sim::new(5, seed, weather);
        sim.join_all();
        sim.run_until(20 * SECOND, "all see all", Sim::agrees);
        sim.run(300 * SECOND);
        assert!(sim.agrees(), "seed {seed}: {:?}", sim.views());
    }
}

#[test]
fn who_stops_is_found_dead_and_who_comes_back_is_found_alive() {
    for members in [2, 3, 7] {
        let mut sim = Sim::new(members, 7, Weather { lost: 2, doubled: 2, delay_ms_max: 20 });
        sim.join_all();
        sim.run_until(10 * SECOND, "all see all", Sim::agrees);
        sim.cores[members - 1] = None;
        sim.run_until(60 * SECOND, "the others miss it", Sim::agrees);
        sim.run(5 * SECOND);
        // Under its old name at its old address, with nothing remembered.
        sim.start(members - 1);
        sim.exchange(members - 1, 0);
        sim.run_until(30 * SECOND, "it is back", Sim::agrees);
    }
}

#[test]
fn goodbyes_are_believed_at_once() {
    let mut sim = Sim::new(4, 3, Weather::default());
    sim.join_all();
    sim.run_until(5 * SECOND, "all see all", Sim::agrees);
    let (now, mut out) = (sim.now, Vec::new());
    sim.core(2).leave(now, &mut out);
    sim.perform(2, out);
    sim.run(2 * SECOND);
    assert!(!sim.core(2).has_news());
    sim.cores[2] = None;
    assert!(sim.agrees(), "{:?}", sim.views());
}

#[test]
fn what_one_says_all_hear() {
    for seed in 0..10 {
        let mut sim = Sim::new(6, seed, Weather { lost: 20, doubled: 20, delay_ms_max: 50 });
        sim.join_all();
        sim.run_until(180 * SECOND, "all see all", Sim::agrees);
        for i in 0..6usize {
            let text = format!("from {i}: {}", "x".repeat(i * 130)).into_bytes();
            sim.heard[i].insert(text.clone());
            sim.core(i).broadcast(&text);
        }
        // Three tellings by every member do not get through everywhere; exchanges bring the rest.
        let all_heard = |sim: &Sim| sim.heard.iter().all(|heard| heard.len() == 6);
        sim.run_until(180 * SECOND, "all have heard", all_heard);
        sim.run(10 * SECOND);
        assert!((0..6).all(|i| sim.core(i).queued() == 0), "what was told enough is forgotten");
    }
}

#[test]
fn on_a_good_network_news_take_a_few_rounds() {
    let mut sim = Sim::new(9, 5, Weather { delay_ms_max: 10, ..Weather::default() });
    sim.join_all();
    sim.run_until(20 * SECOND, "all see all", Sim::agrees);
    sim.run(5 * SECOND);
    let before = sim.packets;
    sim.run(10 * SECOND);
    let idle = sim.packets - before;
    assert!(idle <= 9 * 11 * 2, "a ping and its answer per member and second, not {idle} packets");
    sim.heard[4].insert(b"news".to_vec());
    sim.core(4).broadcast(b"news");
    sim.run_until(2 * SECOND, "all have heard", |sim| sim.heard.iter().all(|heard| heard.len() == 1));
}

#[test]
fn a_divided_cluster_comes_together_again() {
    for seed in 0..20 {
        let mut sim = Sim::new(5, seed, Weather { lost: 5, doubled: 5, delay_ms_max: 50 });
        sim.join_all();
        sim.run_until(20 * SECOND, "all see all", Sim::agrees);
        for _ in 0..3 {
            for i in 0..5 {
                sim.part[i] = sim.random.below(2);
            }
            sim.run_until(90 * SECOND, "each part sees itself", Sim::agrees);
            sim.part = vec![0; 5];
            // The layer above tries again to join whom it lost.
            sim.join_all();
            sim.run_until(60 * SECOND, "all see all again", Sim::agrees);
        }
    }
}

fn pair() -> Sim {
    let mut sim = Sim::new(2, 1, Weather::default());
    sim.join_all();
    sim.run(5 * SECOND);
    sim
}

fn stranger() -> SocketAddr {
    "192.0.2.1:53".parse().unwrap()
}

#[test]
fn strangers_get_no_more_than_they_send() {
    let mut sim = pair();
    let now = sim.now;
    sim.core(0).broadcast(&[7; 600]);
    let source = Source { addr: Some("198.51.100.9".parse().unwrap()), port: 80, node: "x".into() };
    let ping = Message::Ping(Ping { seq: 1, node: "m00".into(), source: source.clone() });
    let size = ping.encode().len();
    let mut out = Vec::new();
    sim.core(0).handle(now, stranger(), ping, &mut out);
    let [Effect::Send { to, body, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!(*to, stranger(), "not to the address it names");
    assert!(body.len() <= size, "{} for {size}", body.len());

    // Nobody is pinged who is no member.
    let ask = |target: &str| {
        let target = target.parse().unwrap();
        Message::IndirectPing(IndirectPing {
            seq: 1,
            target,
            node: "x".into(),
            nack: true,
            source: source.clone(),
        })
    };
    out.clear();
    sim.core(0).handle(now, stranger(), ask("198.51.100.9:80"), &mut out);
    assert_eq!((out.len(), sim.core(0).counters.refused), (0, 1));
    for _ in 0..2 * RELAYS_MAX {
        sim.core(0).handle(now, stranger(), ask("10.0.0.2:9094"), &mut out);
    }
    assert_eq!(sim.core(0).relays.len(), RELAYS_MAX);
    let mut out = Vec::new();
    sim.core(0).tick(now + 10 * SECOND, &mut out);
    assert_eq!(sim.core(0).relays.len(), 0);
}

#[test]
fn pings_for_somebody_else_are_not_answered() {
    let mut sim = pair();
    let (now, mut out) = (sim.now, Vec::new());
    let ping = Ping { seq: 1, node: "somebody".into(), source: Source::default() };
    sim.core(0).handle(now, address(1), Message::Ping(ping), &mut out);
    assert_eq!(out, []);
}

#[test]
fn members_are_limited() {
    let mut sim = pair();
    let (now, mut out) = (sim.now, Vec::new());
    for i in 0..2 * MEMBERS_MAX as u32 {
        let alive = crate::message::Alive {
            incarnation: 1,
            node: format!("fake{i}"),
            addr: SocketAddr::from((i.to_be_bytes(), 1)),
            meta: vec![],
            versions: VERSIONS,
        };
        sim.core(0).handle(now, stranger(), Message::Alive(alive), &mut out);
    }
    assert_eq!(sim.core(0).members.len(), MEMBERS_MAX);
    assert!(sim.core(0).counters.refused > 0);
}

#[test]
fn a_name_has_one_address() {
    let mut sim = pair();
    let (now, mut out) = (sim.now, Vec::new());
    let alive = |addr: &str, incarnation| {
        let addr: SocketAddr = addr.parse().unwrap();
        let (node, meta) = ("m01".into(), vec![]);
        Message::Alive(crate::message::Alive { incarnation, node, addr, meta, versions: VERSIONS })
    };
    sim.core(0).handle(now, stranger(), alive("192.0.2.7:1", 99), &mut out);
    assert!(matches!(out.last(), Some(Effect::Event(Event::Conflict(_)))), "{out:?}");
    assert_eq!(sim.core(0).living()[1].address, address(1));
}

#[test]
fn accusations_are_taken_back() {
    let mut sim = pair();
    let (now, mut out) = (sim.now, Vec::new());
    let incarnation = 41;
    let suspect = Suspect { incarnation, node: "m00".into(), from: "m01".into() };
    sim.core(0).handle(now, address(1), Message::Suspect(suspect), &mut out);
    assert_eq!(sim.core(0).incarnation, 42);
    assert_eq!(sim.core(0).health_score(), 1);
    assert_eq!(sim.core(0).living_count(), 2);
}

#[test]
fn incompatible_members_are_refused() {
    let mut sim = pair();
    let mut nodes = sim.core(1).nodes();
    for node in &mut nodes {
        node.versions = [4, 5, 5, 0, 0, 0];
    }
    let (now, mut out) = (sim.now, Vec::new());
    let error = sim.core(0).merge(now, nodes, &mut out).unwrap_err();
    assert_eq!(error, "Node 'm00' protocol version (2) is incompatible: [4, 5]");
}
