//! Time as an input.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time. Shared by everything that stamps, expires or waits.
pub trait Clock: Send + Sync {
    /// Nanoseconds since the Unix epoch; may jump either way.
    fn now_ns(&self) -> i64;

    /// Time since some fixed point in the past; never goes back.
    fn monotonic(&self) -> Duration;

    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64 {
        self.now_ns().div_euclid(1_000_000)
    }
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    pub fn new() -> SystemClock {
        SystemClock { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now_ns(&self) -> i64 {
        let clamp = |nanos: u128| i64::try_from(nanos).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => clamp(since.as_nanos()),
            Err(before) => -clamp(before.duration().as_nanos()),
        }
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    wall_ns: AtomicI64,
    monotonic_ns: AtomicI64,
}

impl ManualClock {
    pub fn at_ms(ms: i64) -> ManualClock {
        ManualClock { wall_ns: AtomicI64::new(ms.saturating_mul(1_000_000)), monotonic_ns: AtomicI64::new(0) }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, by: Duration) {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.wall_ns.fetch_add(nanos, Ordering::SeqCst);
        self.monotonic_ns.fetch_add(nanos, Ordering::SeqCst);
    }

    /// Sets the wall clock, as an administrator or NTP would; the monotonic clock does not notice.
    pub fn jump_to_ms(&self, ms: i64) {
        self.wall_ns.store(ms.saturating_mul(1_000_000), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> i64 {
        self.wall_ns.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.load(Ordering::SeqCst).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at_ms(1_000);
        assert_eq!((clock.now_ms(), clock.monotonic()), (1_000, Duration::ZERO));
        clock.advance(Duration::from_millis(250));
        assert_eq!((clock.now_ms(), clock.monotonic()), (1_250, Duration::from_millis(250)));
        clock.jump_to_ms(-5);
        assert_eq!((clock.now_ms(), clock.monotonic()), (-5, Duration::from_millis(250)));
    }

    #[test]
    fn the_system_clock_is_past_2020_and_monotonic() {
        let clock = SystemClock::new();
        assert!(clock.now_ms() > 1_577_836_800_000);
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
    }
}
