//! What is kept: by age, by size and by selector.
//!
//! Age, as everything here, is judged part by part: a part goes when its newest sample is too old. With
//! rules, each series follows the first rule that matches it, and the general age when none does; a part
//! that holds some series whose time has come and others whose has not is written anew without the former.
//! That happens at most once per rule in the life of a part, since all series of one rule in it are due at
//! the same moment.
//!
//! "Now" is the newest sample or the clock, whichever is earlier, so neither a clock nor a sample that runs
//! ahead expires anything.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use index::SeriesId;
use kernel::PartId;
use model::{Matcher, TimestampMs};
use storage::StoreError;

use crate::error::from_kernel;
use crate::metrics::StoreMetrics;
use crate::state::Tombstones;
use crate::store::{Core, LivePart};

/// More rules are refused: which of them are done is a set of bits per part.
pub const RETENTION_RULES_MAX: usize = 63;

/// How long the series that match are kept (`storage.tsdb.retention.rules`).
#[derive(Debug, Clone)]
pub struct RetentionRule {
    pub matchers: Vec<Matcher>,
    /// Zero: for ever.
    pub time_ms: i64,
}

/// What is kept. Zero is no limit, for each.
#[derive(Debug, Clone, Default)]
pub struct Retention {
    /// For series that no rule matches.
    pub time_ms: i64,
    /// Of parts and log together; the oldest parts go.
    pub bytes: u64,
    /// The first that matches a series decides.
    pub rules: Arc<Vec<RetentionRule>>,
}

/// Which groups of series were looked for in a part. Groups are numbered as the rules; the series that none
/// matches come last.
pub type LookedFor = HashMap<PartId, u64>;

impl Retention {
    pub fn new(time_ms: i64, bytes: u64) -> Retention {
        Retention { time_ms, bytes, ..Retention::default() }
    }

    /// The time of each group.
    fn times(&self) -> impl Iterator<Item = i64> + '_ {
        self.rules.iter().map(|rule| rule.time_ms).chain([self.time_ms])
    }

    /// After this nothing is kept; `None` when something is kept for ever.
    fn longest(&self) -> Option<i64> {
        self.times().map(|time| if time > 0 { time } else { i64::MAX }).max().filter(|t| *t < i64::MAX)
    }

    /// The groups that have no business in a part that ends at `max_t`.
    fn due(&self, max_t: TimestampMs, now: TimestampMs) -> u64 {
        let is_due = |time: i64| time > 0 && max_t < now.saturating_sub(time);
        self.times().enumerate().filter(|(_, time)| is_due(*time)).map(|(group, _)| 1 << group).sum()
    }
}

impl Core {
    /// Removes what is not to be kept.
    pub fn expire(&self) -> Result<(), StoreError> {
        let retention = self.retention().clone();
        let now = self.newest_credible();
        let mut removed = 0;
        if let (Some(longest), Some(now)) = (retention.longest(), now) {
            let gone = self.table.retain(now.saturating_sub(longest)).map_err(from_kernel)?;
            StoreMetrics::add(&self.metrics.time_retentions, u64::from(gone > 0));
            removed += gone;
        }
        if retention.bytes > 0 {
            let log = self.table.metrics().wal_segment_bytes.load(Ordering::Relaxed);
            let gone = self.table.retain_bytes(retention.bytes.saturating_sub(log)).map_err(from_kernel)?;
            StoreMetrics::add(&self.metrics.size_retentions, u64::from(gone > 0));
            removed += gone;
        }
        if removed > 0 {
            let mut maintenance = self.maintenance();
            let live: BTreeSet<PartId> = self.table.snapshot().iter().map(|part| part.id()).collect();
            maintenance.state.tombstones.retain(|id, _| live.contains(id));
            self.refresh_parts(&maintenance.state, false);
        }
        match now {
            Some(now) if !retention.rules.is_empty() => self.expire_by_rules(&retention, now),
            _ => Ok(()),
        }
    }

    /// Writes one part anew that holds series whose rule says that their time has come.
    fn expire_by_rules(&self, retention: &Retention, now: TimestampMs) -> Result<(), StoreError> {
        let parts = self.parts();
        self.maintenance().looked_for.retain(|id, _| parts.iter().any(|live| live.part.id() == *id));
        for live in parts.iter() {
            let id = live.part.id();
            let due = retention.due(live.part.part().info().max_time, now);
            if due == 0 || self.maintenance().looked_for.get(&id) == Some(&due) {
                continue;
            }
            let series = series_of_groups(live, &retention.rules, due)?;
            if !series.is_empty() {
                let mut gone = Tombstones::default();
                gone.add(i64::MIN, i64::MAX, series);
                if self.rewrite_without(live, &gone)? {
                    StoreMetrics::add(&self.metrics.time_retentions, 1);
                }
                // The others have their turn in the next round.
                return Ok(());
            }
            self.maintenance().looked_for.insert(id, due);
        }
        Ok(())
    }
}

/// The series of a part that belong to one of `groups`.
fn series_of_groups(
    live: &LivePart,
    rules: &[RetentionRule],
    groups: u64,
) -> Result<Vec<SeriesId>, StoreError> {
    let mut unclaimed: BTreeSet<SeriesId> =
        live.part.with_index(|index| index::select(index, &[]))?.into_iter().collect();
    let mut found = Vec::new();
    for (group, rule) in rules.iter().enumerate() {
        let matching = live.part.with_index(|index| index::select(index, &rule.matchers))?;
        let own = matching.into_iter().filter(|id| unclaimed.remove(id));
        if groups & 1 << group != 0 {
            found.extend(own);
        } else {
            own.for_each(drop);
        }
    }
    if groups & 1 << rules.len() != 0 {
        found.extend(unclaimed);
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_bounds_all_and_groups_are_due_on_their_own() {
        let rule = |time_ms| RetentionRule { matchers: Vec::new(), time_ms };
        let retention = |time, rules: &[i64]| Retention {
            rules: Arc::new(rules.iter().map(|t| rule(*t)).collect()),
            ..Retention::new(time, 0)
        };
        assert_eq!(retention(0, &[]).longest(), None);
        assert_eq!(retention(10, &[]).longest(), Some(10));
        assert_eq!(retention(10, &[5, 70]).longest(), Some(70));
        assert_eq!(retention(10, &[5, 0]).longest(), None);
        let r = retention(10, &[5, 70, 0]);
        assert_eq!([r.due(99, 100), r.due(94, 100), r.due(89, 100), r.due(29, 100)], [0, 1, 9, 11]);
    }
}
