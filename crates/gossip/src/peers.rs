//! Who should be a member, by name or from memory, and is not: peers to join again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::core::Time;

/// Lost peers in mind.
const LOST_MAX: usize = 1_024;

/// Addresses of peers that were members, or were named at the start, and are not members now.
#[derive(Debug, Default)]
pub struct LostPeers(BTreeMap<SocketAddr, Time>);

impl LostPeers {
    /// Everybody counts as lost until heard of.
    pub fn new(named: &[SocketAddr], now: Time) -> LostPeers {
        LostPeers(named.iter().take(LOST_MAX).map(|address| (*address, now)).collect())
    }

    pub fn joined(&mut self, address: SocketAddr) {
        self.0.remove(&address);
    }

    pub fn left(&mut self, address: SocketAddr, now: Time) {
        if self.0.len() < LOST_MAX {
            self.0.insert(address, now);
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.keys().copied().collect()
    }

    /// Gives up on those lost longer ago than `timeout`.
    pub fn forget(&mut self, now: Time, timeout: Duration) {
        self.0.retain(|_, since| now.saturating_sub(*since) < timeout);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_until_heard_of_and_forgotten_in_the_end() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let at = Duration::from_secs;
        let mut lost = LostPeers::new(&[address(1), address(2)], at(0));
        lost.joined(address(1));
        assert_eq!(lost.addresses(), [address(2)]);
        lost.left(address(3), at(100));
        lost.forget(at(110), at(60));
        assert_eq!(lost.addresses(), [address(3)]);
        lost.forget(at(160), at(60));
        assert_eq!(lost.len(), 0);
    }
}
