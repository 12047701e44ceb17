//! How long which stream is kept.

use std::time::Duration;

use model::{Labels, Matcher, TimestampNs};

use crate::settings::RetentionRule;

/// What the settings say and may be changed later.
#[derive(Debug, Clone)]
pub(crate) struct RetentionPolicy {
    pub period: Duration,
    pub rules: Vec<RetentionRule>,
}

impl RetentionPolicy {
    pub fn at(&self, now: TimestampNs) -> Retention<'_> {
        Retention { period: self.period, rules: &self.rules, now }
    }
}

/// The policy at one moment.
pub(crate) struct Retention<'a> {
    period: Duration,
    rules: &'a [RetentionRule],
    now: TimestampNs,
}

impl Retention<'_> {
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Entries of the stream before this have expired.
    pub fn cutoff(&self, stream: &Labels) -> TimestampNs {
        let matching = self.rules.iter().filter(|rule| Matcher::all_match(&rule.matchers, stream));
        // A period of zero is the longest of all.
        let rank = |rule: &&RetentionRule| (-rule.priority, rule.period.is_zero(), rule.period);
        let period = matching.min_by_key(rank).map_or(self.period, |rule| rule.period);
        self.before(period)
    }

    /// Entries before this have expired in every stream.
    pub fn cutoff_all(&self) -> TimestampNs {
        self.cutoffs().min().unwrap_or(TimestampNs::MIN)
    }

    /// Entries from this on have expired in no stream.
    pub fn cutoff_any(&self) -> TimestampNs {
        self.cutoffs().max().unwrap_or(TimestampNs::MIN)
    }

    fn cutoffs(&self) -> impl Iterator<Item = TimestampNs> + '_ {
        std::iter::once(self.period).chain(self.rules.iter().map(|rule| rule.period)).map(|p| self.before(p))
    }

    fn before(&self, period: Duration) -> TimestampNs {
        if period.is_zero() {
            return TimestampNs::MIN;
        }
        self.now.saturating_sub(i64::try_from(period.as_nanos()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_priority_wins_and_of_equals_the_shortest() {
        let rule = |value: &str, priority: i64, hours: u64| RetentionRule {
            matchers: vec![Matcher::equal("job", value)],
            priority,
            period: Duration::from_secs(hours * 3600),
        };
        let rules = vec![rule("a", 1, 48), rule("a", 2, 72), rule("a", 2, 24), rule("b", 1, 0)];
        let retention = Duration::from_secs(100 * 3600);
        let policy = RetentionPolicy { period: retention, rules };
        let hour = 3_600_000_000_000;
        let retention = policy.at(1000 * hour);
        let cutoff = |job: &str| retention.cutoff(&Labels::from_pairs([("job", job)]));
        assert_eq!(cutoff("a"), 976 * hour);
        assert_eq!(cutoff("b"), i64::MIN);
        assert_eq!(cutoff("c"), 900 * hour);
        assert_eq!((retention.cutoff_all(), retention.cutoff_any()), (i64::MIN, 976 * hour));
    }
}
