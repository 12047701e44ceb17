//! How much one target may cost, whatever its configuration allows.
//!
//! `sample_limit` is for those who know their targets. This is for the others: a target that suddenly exposes
//! millions of series, or other ones each time, must not take the server down with it. Its scrape fails, with
//! a reason, and everybody else goes on.

use std::time::Duration;

/// How many new series an hour a target with a limit of `n` series earns, as a multiple of `n`.
const REFILLS_PER_HOUR: f64 = 1.0;

/// Series of one target, and how fast they may come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SeriesGuard {
    /// The most series in one exposition; zero: no limit at all.
    max: u64,
    /// How many series may be new before the next refill.
    left: f64,
    refilled: Duration,
}

impl SeriesGuard {
    pub(crate) fn new(max: u64, now: Duration) -> SeriesGuard {
        SeriesGuard { max, left: max as f64, refilled: now }
    }

    /// Earns what the time since the last call is worth.
    pub(crate) fn refill(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.refilled).as_secs_f64();
        self.refilled = now;
        let earned = seconds / 3600.0 * REFILLS_PER_HOUR * self.max as f64;
        self.left = (self.left + earned).min(self.max as f64);
    }

    /// Pays for one new series, when the exposition has had `exposed` so far.
    pub(crate) fn admit(&mut self, exposed: u64) -> Result<(), String> {
        if self.max == 0 {
            return Ok(());
        }
        if exposed > self.max {
            return Err(format!("target series limit exceeded (limit: {} series of one target)", self.max));
        }
        if self.left < 1.0 {
            return Err(format!(
                "target series limit exceeded (limit: {} new series of one target per hour)",
                self.max
            ));
        }
        self.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_and_too_many_new_ones() {
        let mut guard = SeriesGuard::new(3, Duration::ZERO);
        for exposed in 1..=3 {
            guard.admit(exposed).unwrap();
        }
        assert!(guard.admit(4).unwrap_err().contains("limit: 3 series of one target"));
        assert!(guard.admit(1).unwrap_err().contains("3 new series of one target per hour"));
        guard.refill(Duration::from_secs(1200));
        guard.admit(1).unwrap();
        guard.admit(2).unwrap_err();
        guard.refill(Duration::from_secs(1_000_000));
        for exposed in 1..=3 {
            guard.admit(exposed).unwrap();
        }
        guard.admit(3).unwrap_err();
        SeriesGuard::new(0, Duration::ZERO).admit(u64::MAX).unwrap();
    }
}
