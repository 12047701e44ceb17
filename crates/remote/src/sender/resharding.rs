//! How many shards a remote needs: enough to carry what comes in, and some more when behind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::QueueConfig;

/// How often the question is asked.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// Weight of the newest interval in an average.
const WEIGHT: f64 = 0.2;

/// Smaller changes are not worth the interruption.
const TOLERANCE: f64 = 0.3;

/// Of what is pending, this much should be caught up per second.
const CATCH_UP: f64 = 0.05;

/// No fewer shards while further behind than this, seconds.
const DELAY_MAX: f64 = 10.0;

/// A moving average of what is counted, per second.
#[derive(Default)]
pub(crate) struct Rate {
    count: AtomicU64,
    rate: f64,
    begun: bool,
}

impl Rate {
    pub fn add(&self, n: u64) {
        self.count.fetch_add(n, Ordering::Relaxed);
    }

    fn tick(&mut self) -> f64 {
        let now = self.count.swap(0, Ordering::Relaxed) as f64 / INTERVAL.as_secs_f64();
        self.rate = if self.begun { self.rate + WEIGHT * (now - self.rate) } else { now };
        self.begun = true;
        self.rate
    }
}

#[derive(Default)]
pub(crate) struct Rates {
    pub received: Rate,
    pub sent: Rate,
    pub dropped: Rate,
    pub sending_ns: Rate,
}

impl Rates {
    /// Ends an interval; the number of shards that would do, not yet rounded. `delay` is how far the newest
    /// sample that was sent is behind the newest there is, seconds. `None` when nothing was sent.
    pub fn desired(&mut self, delay: f64) -> Option<f64> {
        let received = self.received.tick();
        let (sent, dropped) = (self.sent.tick(), self.dropped.tick());
        let busy = self.sending_ns.tick() / 1e9;
        if sent <= 0.0 {
            return None;
        }
        let kept = received * sent / (dropped + sent);
        let pending = delay * kept;
        let time_per_sample = busy / sent;
        Some(time_per_sample * (kept + CATCH_UP * pending))
    }
}

/// The next number of shards, given what would do.
pub(crate) fn decide(current: usize, desired: f64, delay: f64, config: &QueueConfig) -> usize {
    let now = current as f64;
    let desired = desired.ceil();
    if (now * (1.0 - TOLERANCE)..=now * (1.0 + TOLERANCE)).contains(&desired) {
        return current;
    }
    let wanted = if desired >= 0.0 { desired as usize } else { 0 };
    if wanted < current && delay > DELAY_MAX {
        return current;
    }
    wanted.clamp(config.min_shards, config.max_shards.max(config.min_shards))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions() {
        let config = QueueConfig { min_shards: 1, max_shards: 10, ..QueueConfig::default() };
        let check = |current, desired, delay, expected| {
            assert_eq!(decide(current, desired, delay, &config), expected, "{current} {desired} {delay}");
        };
        check(1, 0.2, 0.0, 1);
        check(1, 3.1, 0.0, 4);
        check(10, 9.5, 0.0, 10);
        check(10, 12.0, 0.0, 10);
        check(8, 2.0, 0.0, 2);
        check(8, 2.0, 11.0, 8);
        check(2, 900.0, 0.0, 10);
        check(2, f64::NAN, 0.0, 1);
    }

    #[test]
    fn what_comes_in_and_what_is_behind_count() {
        let mut rates = Rates::default();
        assert_eq!(rates.desired(0.0), None);
        // 1,000 a second in, 500 a second out by one shard that is always busy.
        rates = Rates::default();
        rates.received.add(10_000);
        rates.sent.add(5_000);
        rates.sending_ns.add(10_000_000_000);
        let desired = rates.desired(0.0).unwrap();
        assert!((desired - 2.0).abs() < 1e-9, "{desired}");
        let mut rates = Rates::default();
        rates.received.add(10_000);
        rates.sent.add(5_000);
        rates.sending_ns.add(10_000_000_000);
        let desired = rates.desired(20.0).unwrap();
        assert!((desired - 4.0).abs() < 1e-9, "{desired}");
    }
}
