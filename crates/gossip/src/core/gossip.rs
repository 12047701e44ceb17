//! Telling: rounds of gossip, news that ride along, and choosing whom to exchange everything with.

use std::net::SocketAddr;

use super::{Core, Effect, GOSSIP_TO_THE_DEAD, Peer, RETRANSMIT_MULT, Time};
use crate::message::{Message, NodeState};
use crate::packet::{PART_OVERHEAD_BYTES, compound};
use crate::queue::retransmit_limit;

/// From this protocol version on members check checksums.
const CHECKSUM_VERSION: u8 = 5;

impl Core {
    /// Tells a few members, chosen at random, what is still to be told.
    pub(super) fn gossip(&mut self, now: Time, out: &mut Vec<Effect>) {
        let mut targets: Vec<(SocketAddr, bool)> = Vec::new();
        for (name, member) in &self.members {
            let is_told = match member.state {
                NodeState::Alive | NodeState::Suspect => true,
                NodeState::Dead => now.saturating_sub(member.changed) <= GOSSIP_TO_THE_DEAD,
                NodeState::Left => false,
            };
            if is_told && *name != self.options.name {
                targets.push((member.address, member.understands(CHECKSUM_VERSION)));
            }
        }
        self.random.choose(&mut targets, self.options.fanout);
        for (to, checksum) in targets {
            let parts = self.news(self.options.room);
            if parts.is_empty() {
                return;
            }
            out.push(Effect::Send { to, body: compound(&parts), checksum });
        }
    }

    /// Tells everybody once more that we leave, and what else is still to be told; nothing when all was.
    pub fn say_goodbye(&mut self, now: Time, out: &mut Vec<Effect>) {
        if self.has_news() {
            self.gossip(now, out);
        }
    }

    /// News that fit into `room` bytes: of members first.
    fn news(&mut self, room: usize) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        let limit = retransmit_limit(RETRANSMIT_MULT, self.members.len());
        let used = self.news.fill(room, PART_OVERHEAD_BYTES, limit, |bytes| parts.push(bytes.to_vec()));
        let fanout = u32::try_from(self.options.fanout).unwrap_or(u32::MAX);
        let limit = retransmit_limit(fanout, self.living_count());
        let counters = &mut self.counters;
        self.user.fill(room - used, PART_OVERHEAD_BYTES, limit, |bytes| {
            counters.user_messages += 1;
            counters.user_bytes += bytes.len() as u64;
            parts.push(bytes.to_vec());
        });
        parts
    }

    /// Sends a message to a member, and with it what news fit. A stranger gets the message alone: nobody
    /// makes us send more than they sent.
    pub(super) fn send(&mut self, to: SocketAddr, message: &Message, out: &mut Vec<Effect>) {
        let body = message.encode();
        let known = self.members.values().find(|m| m.address == to && !m.is_gone());
        let Some(checksum) = known.map(|member| member.understands(CHECKSUM_VERSION)) else {
            out.push(Effect::Send { to, body, checksum: false });
            return;
        };
        let room = self.options.room.saturating_sub(body.len() + PART_OVERHEAD_BYTES);
        let mut parts = vec![body];
        parts.extend(self.news(room));
        out.push(Effect::Send { to, body: compound(&parts), checksum });
    }

    pub(super) fn push_pull(&mut self, out: &mut Vec<Effect>) {
        let mut targets: Vec<Peer> = self.living();
        targets.retain(|peer| {
            peer.name != self.options.name
                && self.members.get(&peer.name).is_some_and(|m| m.state == NodeState::Alive)
        });
        self.random.choose(&mut targets, 1);
        out.extend(targets.pop().map(|to| Effect::PushPull { to }));
    }
}
