//! Finding out who does not answer any more.

use std::net::SocketAddr;

use super::{Core, Effect, Event, INDIRECT_CHECKS, Peer, Probe, RELAYS_MAX, Relay, Time};
use crate::message::{IndirectPing, Message, NodeState, Ping, Source, Suspect};
use crate::packet::compound;

/// Protocol versions from which on members answer pings on connections, and say when they got no answer.
const STREAM_PING_VERSION: u8 = 3;
const NACK_VERSION: u8 = 4;

impl Core {
    fn source(&self) -> Source {
        let address = self.options.address;
        Source { addr: Some(address.ip()), port: address.port(), node: self.options.name.clone() }
    }

    /// Pings the next member of the round that is not known to be gone.
    pub(super) fn start_probe(&mut self, now: Time, out: &mut Vec<Effect>) {
        let mut rounds = 0;
        let target = loop {
            match self.round.pop() {
                Some(name) if self.members.get(&name).is_some_and(|m| !m.is_gone()) => break name,
                Some(_) => {}
                None if rounds == 1 => return,
                None => {
                    rounds += 1;
                    self.new_round(now);
                }
            }
        };
        let Some(member) = self.members.get(&target) else { return };
        let (to, incarnation, state) = (member.address, member.incarnation, member.state);
        self.seq = self.seq.wrapping_add(1);
        let ping = Message::Ping(Ping { seq: self.seq, node: target.clone(), source: self.source() });
        if state == NodeState::Alive {
            self.send(to, &ping, out);
        } else {
            // A suspect learns what is said of it, to object at once.
            let from = self.options.name.clone();
            let suspect = Message::Suspect(Suspect { incarnation, node: target.clone(), from });
            let body = compound(&[ping.encode(), suspect.encode()]);
            out.push(Effect::Send { to, body, checksum: member.understands(5) });
        }
        self.probe = Some(Probe {
            target,
            seq: self.seq,
            sent: now,
            ask_at: Some(now + self.options.probe_timeout),
            ends: now + self.awareness.scale(self.options.probe_interval),
            nacks: 0,
            nacks_expected: 0,
            reached: false,
        });
    }

    pub(super) fn advance_probe(&mut self, now: Time, out: &mut Vec<Effect>) {
        let Some(probe) = &self.probe else { return };
        if probe.ask_at.is_some_and(|at| now >= at) {
            self.ask_others(out);
        }
        if self.probe.as_ref().is_some_and(|probe| now >= probe.ends) {
            self.fail_probe(now);
        }
    }

    /// Has other members try, and a connection.
    fn ask_others(&mut self, out: &mut Vec<Effect>) {
        let Some(probe) = &mut self.probe else { return };
        probe.ask_at = None;
        let (target, seq, ends) = (probe.target.clone(), probe.seq, probe.ends);
        let Some(member) = self.members.get(&target) else { return };
        let address = member.address;
        if member.understands(STREAM_PING_VERSION) {
            let to = Peer { name: target.clone(), address };
            out.push(Effect::StreamPing { to, seq, until: ends });
        }
        let mut helpers: Vec<(SocketAddr, bool)> = Vec::new();
        for (name, member) in &self.members {
            if member.state == NodeState::Alive && *name != target && *name != self.options.name {
                helpers.push((member.address, member.understands(NACK_VERSION)));
            }
        }
        self.random.choose(&mut helpers, INDIRECT_CHECKS);
        if let Some(probe) = &mut self.probe {
            probe.nacks_expected = helpers.iter().filter(|(_, nack)| *nack).count();
        }
        for (to, nack) in helpers {
            let ping =
                IndirectPing { seq, target: address, node: target.clone(), nack, source: self.source() };
            self.send(to, &Message::IndirectPing(ping), out);
        }
    }

    fn fail_probe(&mut self, now: Time) {
        let Some(probe) = self.probe.take() else { return };
        if probe.reached {
            self.awareness.add(-1);
            return;
        }
        // Helpers that say nothing at all make us doubt ourselves rather than the target.
        let silent = probe.nacks_expected.saturating_sub(probe.nacks);
        self.awareness.add(if probe.nacks_expected > 0 { silent as i32 } else { 1 });
        if let Some(member) = self.members.get(&probe.target) {
            let from = self.options.name.clone();
            let suspect = Suspect { incarnation: member.incarnation, node: probe.target, from };
            self.on_suspect(now, suspect);
        }
    }

    /// The target of probe `seq` answered on a connection. Packets may still not get through, so the probe
    /// goes on; but its target is not suspected.
    pub fn stream_pong(&mut self, seq: u32) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.seq == seq) {
            probe.reached = true;
        }
    }

    pub(super) fn on_ping(&mut self, from: SocketAddr, ping: Ping, out: &mut Vec<Effect>) {
        if !ping.node.is_empty() && ping.node != self.options.name {
            return;
        }
        self.send(self.answer_to(from, &ping.source), &Message::Ack { seq: ping.seq }, out);
    }

    /// Where answers go. Nobody makes us send packets to strangers: an address other than the packet's own
    /// counts only if a member is there.
    fn answer_to(&self, from: SocketAddr, source: &Source) -> SocketAddr {
        let is_member = |address: &SocketAddr| self.members.values().any(|m| m.address == *address);
        source.socket().filter(is_member).unwrap_or(from)
    }

    pub(super) fn on_indirect_ping(
        &mut self,
        now: Time,
        from: SocketAddr,
        ping: IndirectPing,
        out: &mut Vec<Effect>,
    ) {
        let is_member = self.members.values().any(|member| member.address == ping.target);
        if !is_member || self.relays.len() >= RELAYS_MAX {
            self.counters.refused += 1;
            return;
        }
        self.seq = self.seq.wrapping_add(1);
        let to = self.answer_to(from, &ping.source);
        let ends = now + self.options.probe_timeout;
        self.relays.insert(self.seq, Relay { to, seq: ping.seq, nack: ping.nack, ends });
        let ours = Message::Ping(Ping { seq: self.seq, node: ping.node, source: self.source() });
        self.send(ping.target, &ours, out);
    }

    pub(super) fn on_ack(&mut self, now: Time, seq: u32, out: &mut Vec<Effect>) {
        if let Some(relay) = self.relays.remove(&seq) {
            self.send(relay.to, &Message::Ack { seq: relay.seq }, out);
            return;
        }
        let Some(probe) = self.probe.take_if(|probe| probe.seq == seq) else { return };
        self.awareness.add(-1);
        if probe.ask_at.is_some() {
            let took = now.saturating_sub(probe.sent);
            out.push(Effect::Event(Event::Pong(probe.target, took)));
        }
    }

    pub(super) fn on_nack(&mut self, seq: u32) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.seq == seq) {
            probe.nacks += 1;
        }
    }

    pub(super) fn end_relays(&mut self, now: Time, out: &mut Vec<Effect>) {
        let over: Vec<u32> =
            self.relays.iter().filter(|(_, relay)| relay.ends <= now).map(|(seq, _)| *seq).collect();
        for seq in over {
            if let Some(relay) = self.relays.remove(&seq).filter(|relay| relay.nack) {
                self.send(relay.to, &Message::Nack { seq: relay.seq }, out);
            }
        }
    }
}
