//! The protocol without a network: messages and time go in, messages and events come out.
//!
//! SWIM with Lifeguard's extensions, as HashiCorp's memberlist has it: every member probes one other at a
//! time, asks others to try when there is no answer, suspects it, and takes it for dead when nobody
//! disagrees in time. What is learnt is told on in rounds of gossip, with the packets that are sent anyway,
//! and, now and then, by exchanging everything with one member. Who is suspected says so with a higher
//! incarnation, and is believed.
//!
//! ```text
//! handle(message) ─┐                       ┌─▶ Effect::Send      a packet to a member
//! tick(now) ───────┼─▶ Core ─▶ [Effect] ───┼─▶ Effect::StreamPing, PushPull   connections to make
//! merge(nodes) ────┘                       └─▶ Effect::User, Event
//! ```
//!
//! Invariant: no clock, no sockets, no chance but from the seed, so that a simulation can lose, double and
//! delay what it likes and do it again.

mod gossip;
mod members;
mod probe;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use crate::message::{Message, NodeState, Versions};
use crate::queue::Queue;
use crate::random::Random;
use crate::suspicion::{Awareness, Suspicion};

/// Time since some moment before the member started.
pub type Time = Duration;

/// Members of one cluster that are kept in mind. A cluster of Alertmanagers has a few; more than this is an
/// attack or a mistake.
pub const MEMBERS_MAX: usize = 1_024;

/// Pings under way on behalf of others. More than this many at once are not relayed.
pub const RELAYS_MAX: usize = 256;

/// Members asked to try when a probe is not answered.
const INDIRECT_CHECKS: usize = 3;

/// News of members are told this often, times the decimal digits of their number.
const RETRANSMIT_MULT: u32 = 4;

/// The dead are told of what others say of them for this long, so that they may object.
const GOSSIP_TO_THE_DEAD: Duration = Duration::from_secs(30);

/// From this number of members on, exchanges of everything become rarer.
const PUSH_PULL_SCALE_MEMBERS: usize = 32;

#[derive(Debug, Clone)]
pub struct Options {
    pub name: String,
    /// Where others reach us.
    pub address: SocketAddr,
    pub gossip_interval: Duration,
    pub probe_interval: Duration,
    pub probe_timeout: Duration,
    /// Zero means never.
    pub push_pull_interval: Duration,
    /// Members told in each round of gossip; also how often user messages are told, times the digits.
    pub fanout: usize,
    /// Bytes for messages in a packet.
    pub room: usize,
}

/// A member as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub name: String,
    pub address: SocketAddr,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Joined(Peer),
    Left(Peer),
    Updated(Peer),
    /// An announcement of this member was heard.
    Announced(String),
    /// Two members of one name: at the address we know and at this one.
    Conflict(Peer),
    /// A member answered a ping this long after it was sent.
    Pong(String, Duration),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send a packet. `checksum` where the receiver is known to understand one.
    Send {
        to: SocketAddr,
        body: Vec<u8>,
        checksum: bool,
    },
    /// Try to reach a member by connection until `until`, and say [`Core::stream_pong`].
    StreamPing {
        to: Peer,
        seq: u32,
        until: Time,
    },
    /// Exchange everything with this member.
    PushPull {
        to: Peer,
    },
    /// A message of the layer above.
    User(Vec<u8>),
    Event(Event),
}

#[derive(Debug)]
struct Member {
    address: SocketAddr,
    meta: Vec<u8>,
    versions: Versions,
    incarnation: u32,
    state: NodeState,
    changed: Time,
    suspicion: Option<Suspicion>,
}

impl Member {
    fn is_gone(&self) -> bool {
        matches!(self.state, NodeState::Dead | NodeState::Left)
    }

    fn understands(&self, version: u8) -> bool {
        self.versions[1] >= version
    }
}

/// A ping of ours that has not been answered.
#[derive(Debug)]
struct Probe {
    target: String,
    seq: u32,
    sent: Time,
    /// When others are asked to try; `None` once they were.
    ask_at: Option<Time>,
    /// When the target becomes suspect.
    ends: Time,
    nacks: usize,
    nacks_expected: usize,
    /// It answered on a connection.
    reached: bool,
}

/// A ping of ours on behalf of another member.
#[derive(Debug)]
struct Relay {
    to: SocketAddr,
    seq: u32,
    nack: bool,
    ends: Time,
}

pub struct Core {
    options: Options,
    random: Random,
    members: BTreeMap<String, Member>,
    incarnation: u32,
    seq: u32,
    awareness: Awareness,
    /// News of members, and of the layer above.
    news: Queue,
    user: Queue,
    /// Who is probed next, from the back.
    round: Vec<String>,
    probe: Option<Probe>,
    relays: HashMap<u32, Relay>,
    next_gossip: Time,
    next_probe: Time,
    next_push_pull: Time,
    has_left: bool,
    pub counters: Counters,
}

/// What went wrong so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Members not taken in for [`MEMBERS_MAX`], pings not relayed for [`RELAYS_MAX`] or because their
    /// target is no member.
    pub refused: u64,
    pub user_messages: u64,
    pub user_bytes: u64,
}

impl Core {
    /// A member that knows of nobody but itself.
    pub fn new(options: Options, mut random: Random, now: Time) -> Core {
        // A random phase keeps members that start together from working in step.
        let phase = |random: &mut Random, interval: Duration| {
            now + Duration::from_millis(random.below(interval.as_millis() as usize + 1) as u64)
        };
        let mut core = Core {
            next_gossip: phase(&mut random, options.gossip_interval),
            next_probe: phase(&mut random, options.probe_interval),
            next_push_pull: phase(&mut random, options.push_pull_interval) + options.push_pull_interval,
            members: BTreeMap::new(),
            incarnation: 0,
            seq: random.next() as u32,
            awareness: Awareness::default(),
            news: Queue::default(),
            user: Queue::default(),
            round: Vec::new(),
            probe: None,
            relays: HashMap::new(),
            has_left: false,
            counters: Counters::default(),
            options,
            random,
        };
        core.announce(now);
        core
    }

    /// Takes in a message that came in a packet.
    pub fn handle(&mut self, now: Time, from: SocketAddr, message: Message, out: &mut Vec<Effect>) {
        match message {
            Message::Ping(ping) => self.on_ping(from, ping, out),
            Message::IndirectPing(ping) => self.on_indirect_ping(now, from, ping, out),
            Message::Ack { seq } => self.on_ack(now, seq, out),
            Message::Nack { seq } => self.on_nack(seq),
            Message::Alive(alive) => self.on_alive(now, alive, out),
            Message::Suspect(suspect) => self.on_suspect(now, suspect),
            Message::Dead(dead) => self.on_dead(now, dead, out),
            Message::User(bytes) => out.push(Effect::User(bytes)),
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Effect>) {
        self.end_suspicions(now, out);
        self.advance_probe(now, out);
        self.end_relays(now, out);
        if now >= self.next_probe {
            self.next_probe = next(self.next_probe, self.options.probe_interval, now);
            if self.probe.is_none() {
                self.start_probe(now, out);
            }
        }
        if now >= self.next_gossip {
            self.next_gossip = next(self.next_gossip, self.options.gossip_interval, now);
            self.gossip(now, out);
        }
        if !self.options.push_pull_interval.is_zero() && now >= self.next_push_pull {
            self.next_push_pull = next(self.next_push_pull, self.push_pull_interval(), now);
            self.push_pull(out);
        }
    }

    /// When [`Core::tick`] has something to do.
    pub fn next_tick(&self) -> Time {
        let mut at = self.next_gossip.min(self.next_probe);
        if !self.options.push_pull_interval.is_zero() {
            at = at.min(self.next_push_pull);
        }
        if let Some(probe) = &self.probe {
            at = at.min(probe.ask_at.unwrap_or(probe.ends));
        }
        let suspicions = self.members.values().filter_map(|m| m.suspicion.as_ref()).map(Suspicion::ends);
        suspicions.chain(self.relays.values().map(|relay| relay.ends)).fold(at, Time::min)
    }

    fn push_pull_interval(&self) -> Duration {
        let members = self.members.len();
        if members <= PUSH_PULL_SCALE_MEMBERS {
            return self.options.push_pull_interval;
        }
        let scale = (members as f64 / PUSH_PULL_SCALE_MEMBERS as f64).log2().ceil() as u32 + 1;
        self.options.push_pull_interval * scale
    }

    /// Members that are not known to be gone, ourselves included, by name.
    pub fn living(&self) -> Vec<Peer> {
        let living = self.members.iter().filter(|(_, member)| !member.is_gone());
        living.map(|(name, member)| Peer { name: name.clone(), address: member.address }).collect()
    }

    pub fn living_count(&self) -> usize {
        self.members.values().filter(|member| !member.is_gone()).count()
    }

    /// Our index by name among the living.
    pub fn position(&self) -> usize {
        let before = self.members.iter().take_while(|(name, _)| **name < self.options.name);
        before.filter(|(_, member)| !member.is_gone()).count()
    }

    pub fn health_score(&self) -> u32 {
        self.awareness.score()
    }

    pub fn queued(&self) -> usize {
        self.user.len()
    }

    /// Forgets user messages beyond `keep`, the most told first; how many that were.
    pub fn prune(&mut self, keep: usize) -> usize {
        self.user.prune(keep)
    }

    /// Tells everybody a message of the layer above, sooner or later.
    pub fn broadcast(&mut self, bytes: &[u8]) {
        self.user.push("", Message::User(bytes.to_vec()).encode());
    }

    /// Whether news of members are still to be told.
    pub fn has_news(&self) -> bool {
        self.news.len() > 0
    }
}

/// The next time of a regular event: in step, but without catching up on what was missed.
fn next(due: Time, interval: Duration, now: Time) -> Time {
    let step = interval.max(Duration::from_millis(1));
    let next = due + step;
    if next > now { next } else { now + step }
}
