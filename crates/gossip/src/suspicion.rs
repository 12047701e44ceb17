//! How long to wait before a suspect counts as dead, and how well a member trusts itself (Lifeguard).
//!
//! A suspicion starts with a long timeout. Every member that confirms it brings it closer to the short one,
//! on a logarithmic scale: the first confirmations say most. A member whose own probes fail more than
//! others' grows doubtful of itself and probes more slowly. See Dadgar, Phillips, Currey, "Lifeguard: Local
//! Health Awareness for More Accurate Failure Detection" (2018).

use std::time::Duration;

/// Suspicion lasts this many probe intervals, more in large clusters.
const SUSPICION_MULT: u32 = 4;

/// Without confirmations it lasts this much longer.
const SUSPICION_MAX_TIMEOUT_MULT: u32 = 6;

/// A health score stays below this.
const AWARENESS_MAX: u32 = 8;

#[derive(Debug, Clone)]
pub struct Suspicion {
    /// Who has suspected. Ends growing at the wanted confirmations.
    from: Vec<String>,
    wanted: u32,
    min: Duration,
    max: Duration,
    started: Duration,
}

impl Suspicion {
    /// A suspicion of one of `members` (all that are known, dead or alive), first raised by `from`.
    pub fn new(from: &str, members: usize, probe_interval: Duration, now: Duration) -> Suspicion {
        // Two short of the multiplier, for we share no phase with the others; none where there is nobody
        // but us and the suspect.
        let wanted = SUSPICION_MULT - 2;
        let wanted = if members < 2 + wanted as usize { 0 } else { wanted };
        let scale = (members.max(1) as f64).log10().max(1.0);
        let min = probe_interval * SUSPICION_MULT;
        let min = min.mul_f64((scale * 1_000.0).floor() / 1_000.0);
        let max = min * SUSPICION_MAX_TIMEOUT_MULT;
        Suspicion { from: vec![from.to_owned()], wanted, min, max, started: now }
    }

    /// Whether `from` adds anything: a new witness, as long as some are wanted.
    pub fn confirm(&mut self, from: &str) -> bool {
        let is_news = self.confirmations() < self.wanted && !self.from.iter().any(|known| known == from);
        if is_news {
            self.from.push(from.to_owned());
        }
        is_news
    }

    fn confirmations(&self) -> u32 {
        self.from.len() as u32 - 1
    }

    /// When the suspect counts as dead.
    pub fn ends(&self) -> Duration {
        if self.wanted == 0 {
            return self.started + self.min;
        }
        let share = f64::from(self.confirmations() + 1).ln() / f64::from(self.wanted + 1).ln();
        let seconds = self.max.as_secs_f64() - share * (self.max - self.min).as_secs_f64();
        let timeout = Duration::from_millis((seconds.max(0.0) * 1_000.0).floor() as u64);
        self.started + timeout.max(self.min)
    }
}

/// Zero is perfectly healthy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Awareness(u32);

impl Awareness {
    pub fn score(self) -> u32 {
        self.0
    }

    pub fn add(&mut self, delta: i32) {
        self.0 = self.0.saturating_add_signed(delta).min(AWARENESS_MAX - 1);
    }

    pub fn scale(self, timeout: Duration) -> Duration {
        timeout * (self.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn witnesses_shorten_the_wait() {
        let mut suspicion = Suspicion::new("a", 10, SECOND, SECOND);
        assert_eq!(suspicion.ends(), SECOND * 25);
        assert!(!suspicion.confirm("a"), "who raised it does not confirm it");
        assert!(suspicion.confirm("b"));
        assert!(!suspicion.confirm("b"));
        let one = suspicion.ends();
        assert!(SECOND * 5 < one && one < SECOND * 25, "{one:?}");
        assert!(suspicion.confirm("c"));
        assert_eq!(suspicion.ends(), SECOND * 5);
        assert!(!suspicion.confirm("d"), "enough have said so");
    }

    #[test]
    fn with_nobody_to_ask_the_wait_is_short() {
        for members in 0..4 {
            assert_eq!(Suspicion::new("a", members, SECOND, SECOND).ends(), SECOND * 5, "{members}");
        }
        assert_eq!(Suspicion::new("a", 4, SECOND, SECOND).ends(), SECOND * 25);
        assert_eq!(
            Suspicion::new("a", 100, SECOND, SECOND).ends(),
            SECOND * 49,
            "twice as long for a hundred"
        );
    }

    #[test]
    fn awareness_stays_in_its_bounds() {
        let mut awareness = Awareness::default();
        awareness.add(-1);
        assert_eq!((awareness.score(), awareness.scale(SECOND)), (0, SECOND));
        awareness.add(3);
        assert_eq!(awareness.scale(SECOND), SECOND * 4);
        awareness.add(100);
        assert_eq!(awareness.score(), 7);
    }
}
