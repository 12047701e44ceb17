//! Who is a member, and how news of members change that.
//!
//! An incarnation orders what is said of a member: only the member itself raises it, to take back what
//! others believe. At the same incarnation bad news win over good ones.

use std::collections::BTreeSet;

use super::{Core, Effect, Event, GOSSIP_TO_THE_DEAD, MEMBERS_MAX, Member, Peer, Time};
use crate::message::{Alive, Dead, Message, Node, NodeState, Suspect, VERSIONS};
use crate::suspicion::Suspicion;

impl Core {
    /// Becomes a member of our own cluster.
    pub(super) fn announce(&mut self, now: Time) {
        self.incarnation += 1;
        let me = Member {
            address: self.options.address,
            meta: Vec::new(),
            versions: VERSIONS,
            incarnation: self.incarnation,
            state: NodeState::Alive,
            changed: now,
            suspicion: None,
        };
        self.members.insert(self.options.name.clone(), me);
        self.tell_of_us();
    }

    fn tell_of_us(&mut self) {
        let alive = Message::Alive(Alive {
            incarnation: self.incarnation,
            node: self.options.name.clone(),
            addr: self.options.address,
            meta: Vec::new(),
            versions: VERSIONS,
        });
        self.tell(&self.options.name.clone(), &alive);
    }

    fn tell(&mut self, name: &str, message: &Message) {
        self.news.push(name, message.encode());
    }

    /// Takes back what others say of us.
    fn refute(&mut self, accused: u32) {
        self.incarnation = self.incarnation.saturating_add(1).max(accused.saturating_add(1));
        if let Some(me) = self.members.get_mut(&self.options.name) {
            me.incarnation = self.incarnation;
        }
        // To be accused is a sign of being slow.
        self.awareness.add(1);
        self.tell_of_us();
    }

    pub(super) fn on_alive(&mut self, now: Time, alive: Alive, out: &mut Vec<Effect>) {
        let is_us = alive.node == self.options.name;
        if self.has_left && is_us {
            return;
        }
        let [min, max, ..] = alive.versions;
        if min == 0 || max == 0 || min > max {
            return;
        }
        let peer = Peer { name: alive.node.clone(), address: alive.addr };
        let mut moved = false;
        match self.members.get(&alive.node) {
            None if self.members.len() >= MEMBERS_MAX => {
                self.counters.refused += 1;
                return;
            }
            None => {}
            Some(known) if known.address == alive.addr => {}
            Some(known) if known.state == NodeState::Left => moved = true,
            Some(_) => {
                out.push(Effect::Event(Event::Conflict(peer)));
                return;
            }
        }
        out.push(Effect::Event(Event::Announced(alive.node.clone())));
        if is_us {
            let same =
                alive.incarnation == self.incarnation && alive.versions == VERSIONS && alive.meta.is_empty();
            if alive.incarnation >= self.incarnation && !same {
                self.refute(alive.incarnation);
            }
            return;
        }
        let is_new = !self.members.contains_key(&alive.node);
        let member = self.members.entry(alive.node.clone()).or_insert_with(|| Member {
            address: alive.addr,
            meta: Vec::new(),
            versions: alive.versions,
            incarnation: 0,
            state: NodeState::Dead,
            changed: now,
            suspicion: None,
        });
        if alive.incarnation <= member.incarnation && !moved {
            return;
        }
        let (was_gone, old_meta) = (member.is_gone(), std::mem::take(&mut member.meta));
        member.suspicion = None;
        member.incarnation = alive.incarnation;
        member.meta.clone_from(&alive.meta);
        member.versions = alive.versions;
        member.address = alive.addr;
        if member.state != NodeState::Alive {
            member.state = NodeState::Alive;
            member.changed = now;
        }
        if was_gone {
            out.push(Effect::Event(Event::Joined(peer)));
        } else if old_meta != alive.meta {
            out.push(Effect::Event(Event::Updated(peer)));
        }
        let name = alive.node.clone();
        if is_new {
            // At a random place of the round, so that it is found out about soon on average.
            let at = self.random.below(self.round.len() + 1);
            self.round.insert(at, name.clone());
        }
        self.tell(&name, &Message::Alive(alive));
    }

    pub(super) fn on_suspect(&mut self, now: Time, suspect: Suspect) {
        let members = self.members.len();
        let Some(member) = self.members.get_mut(&suspect.node) else { return };
        if suspect.incarnation < member.incarnation {
            return;
        }
        if let Some(suspicion) = &mut member.suspicion {
            if suspicion.confirm(&suspect.from) {
                self.tell(&suspect.node.clone(), &Message::Suspect(suspect));
            }
            return;
        }
        if member.state != NodeState::Alive {
            return;
        }
        if suspect.node == self.options.name {
            self.refute(suspect.incarnation);
            return;
        }
        member.incarnation = suspect.incarnation;
        member.state = NodeState::Suspect;
        member.changed = now;
        member.suspicion = Some(Suspicion::new(&suspect.from, members, self.options.probe_interval, now));
        self.tell(&suspect.node.clone(), &Message::Suspect(suspect));
    }

    pub(super) fn end_suspicions(&mut self, now: Time, out: &mut Vec<Effect>) {
        let is_over = |m: &Member| m.suspicion.as_ref().is_some_and(|s| s.ends() <= now);
        let over: Vec<Dead> = (self.members.iter().filter(|(_, member)| is_over(member)))
            .map(|(name, member)| Dead {
                incarnation: member.incarnation,
                node: name.clone(),
                from: self.options.name.clone(),
            })
            .collect();
        for dead in over {
            self.on_dead(now, dead, out);
        }
    }

    pub(super) fn on_dead(&mut self, now: Time, dead: Dead, out: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(&dead.node) else { return };
        if dead.incarnation < member.incarnation {
            return;
        }
        member.suspicion = None;
        if member.is_gone() {
            return;
        }
        if dead.node == self.options.name && !self.has_left {
            self.refute(dead.incarnation);
            return;
        }
        member.incarnation = dead.incarnation;
        member.state = if dead.node == dead.from { NodeState::Left } else { NodeState::Dead };
        member.changed = now;
        let peer = Peer { name: dead.node.clone(), address: member.address };
        out.push(Effect::Event(Event::Left(peer)));
        self.tell(&dead.node.clone(), &Message::Dead(dead));
    }

    /// Says goodbye. What remains is to tell it: see [`Core::has_news`].
    pub fn leave(&mut self, now: Time, out: &mut Vec<Effect>) {
        self.has_left = true;
        let name = self.options.name.clone();
        self.on_dead(now, Dead { incarnation: self.incarnation, node: name.clone(), from: name }, out);
    }

    /// Names of all members in mind, the living and the gone.
    pub fn names(&self) -> BTreeSet<String> {
        self.members.keys().cloned().collect()
    }

    /// Everything we know of members, for an exchange.
    pub fn nodes(&self) -> Vec<Node> {
        let node = |(name, member): (&String, &Member)| Node {
            name: name.clone(),
            addr: member.address,
            meta: member.meta.clone(),
            incarnation: member.incarnation,
            state: member.state,
            versions: member.versions,
        };
        self.members.iter().map(node).collect()
    }

    /// Takes in what another member knows of members.
    pub fn merge(&mut self, now: Time, nodes: Vec<Node>, out: &mut Vec<Effect>) -> Result<(), String> {
        self.check_versions(&nodes)?;
        for node in nodes {
            let (incarnation, name) = (node.incarnation, node.name);
            match node.state {
                NodeState::Alive => self.on_alive(
                    now,
                    Alive {
                        incarnation,
                        node: name,
                        addr: node.addr,
                        meta: node.meta,
                        versions: node.versions,
                    },
                    out,
                ),
                NodeState::Left => {
                    self.on_dead(now, Dead { incarnation, from: name.clone(), node: name }, out)
                }
                // Others' dead are our suspects: they may be able to object.
                NodeState::Dead | NodeState::Suspect => {
                    let from = self.options.name.clone();
                    self.on_suspect(now, Suspect { incarnation, node: name, from });
                }
            }
        }
        Ok(())
    }

    /// Whether everybody, here and there, speaks a version that everybody understands.
    fn check_versions(&self, nodes: &[Node]) -> Result<(), String> {
        let remote = nodes.iter().filter(|n| n.versions != [0; 6]);
        let remote = remote.map(|n| (n.name.as_str(), n.state, n.versions));
        let local = self.members.iter().map(|(name, m)| (name.as_str(), m.state, m.versions));
        let all: Vec<_> = remote.chain(local).collect();
        let living = || all.iter().filter(|(_, state, _)| *state == NodeState::Alive).map(|(.., v)| v);
        // The layers: ours and the one above.
        for at in [0, 3] {
            let min = living().map(|v| v[at]).max().unwrap_or(0);
            let max = living().map(|v| v[at + 1]).min().unwrap_or(u8::MAX);
            for (name, _, versions) in &all {
                let current = versions[at + 2];
                if current < min || current > max {
                    return Err(format!(
                        "Node '{name}' protocol version ({current}) is incompatible: [{min}, {max}]"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Starts a new round of probes, in another order, and forgets those who are long gone.
    pub(super) fn new_round(&mut self, now: Time) {
        let name = &self.options.name;
        self.members.retain(|other, member| {
            let is_long_gone =
                member.is_gone() && now.saturating_sub(member.changed) > GOSSIP_TO_THE_DEAD && other != name;
            !is_long_gone
        });
        self.round = self.members.keys().filter(|other| *other != name).cloned().collect();
        self.random.shuffle(&mut self.round);
    }
}
