//! Which parts are worth merging: small neighbours of one time partition, size-tiered.
//!
//! Parts are ordered by time; a run of at least `parts_min` neighbours of similar size becomes one part a
//! tier larger, so that every byte is rewritten about log(final size / flush size) times and a table
//! keeps a few parts per tier and partition.

use std::sync::Arc;

use crate::part::{Part, PartId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeOptions {
    /// The fewest parts worth a merge.
    pub parts_min: usize,
    /// The most parts in one merge: bounds its memory and open pages.
    pub parts_max: usize,
    /// The largest sum of a merge: bounds its duration and the disk it needs meanwhile.
    pub bytes_max: u64,
}

impl Default for MergeOptions {
    fn default() -> MergeOptions {
        MergeOptions { parts_min: 4, parts_max: 16, bytes_max: 1 << 30 }
    }
}

/// Parts to be replaced by one, oldest first. Nobody else is given them while the plan lives.
#[derive(Debug)]
pub struct MergePlan {
    pub parts: Vec<Arc<Part>>,
    /// All parts lie in this partition: `floor(min_time / partition_width)`.
    pub partition: i64,
    /// Gives the parts free again.
    pub(crate) _claim: Claim,
}

/// The parts of a plan among those that are being merged.
#[derive(Debug)]
pub(crate) struct Claim {
    pub ids: Vec<PartId>,
    pub busy: Arc<std::sync::Mutex<std::collections::HashSet<PartId>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut busy = self.busy.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for id in &self.ids {
            busy.remove(id);
        }
    }
}

/// What planning looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub partition: i64,
    pub bytes: u64,
    pub busy: bool,
}

/// Below this size all parts count as equal: their cost is the file, not its bytes.
const TIER_BYTES_MIN: u64 = 64 << 10;

/// Sizes within this factor are alike.
const TIER_FACTOR: u64 = 4;

fn tier(bytes: u64) -> u32 {
    let mut tier = 0;
    let mut bound = TIER_BYTES_MIN;
    while bytes > bound {
        tier += 1;
        bound = bound.saturating_mul(TIER_FACTOR);
    }
    tier
}

/// The best run among candidates in time order: the fewest bytes to rewrite for each part that goes.
pub(crate) fn choose(candidates: &[Candidate], options: &MergeOptions) -> Option<std::ops::Range<usize>> {
    let parts_min = options.parts_min.max(2);
    let mut best: Option<(u64, std::ops::Range<usize>)> = None;
    for start in 0..candidates.len() {
        let first = candidates[start];
        let mut sum = 0;
        let mut end = start;
        while end < candidates.len() && end - start < options.parts_max {
            let next = candidates[end];
            let alike = next.partition == first.partition && tier(next.bytes) <= tier(first.bytes);
            if next.busy || !alike || sum + next.bytes > options.bytes_max {
                break;
            }
            sum += next.bytes;
            end += 1;
        }
        let parts = end - start;
        if parts < parts_min {
            continue;
        }
        let cost = sum / (parts as u64 - 1);
        let better = best.as_ref().is_none_or(|(best_cost, _)| cost < *best_cost);
        // A run of dwarfs behind one giant is found when it is the start itself.
        let balanced = sum >= first.bytes.saturating_mul(2) || first.bytes <= TIER_BYTES_MIN;
        if better && balanced {
            best = Some((cost, start..end));
        }
    }
    best.map(|(_, range)| range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_small_neighbours_are_chosen() {
        const KIB: u64 = 1 << 10;
        let options = MergeOptions { parts_min: 3, parts_max: 4, bytes_max: 1 << 20 };
        let check = |parts: &[(i64, u64)], expected: Option<std::ops::Range<usize>>| {
            let candidates: Vec<Candidate> =
                parts.iter().map(|&(partition, bytes)| Candidate { partition, bytes, busy: false }).collect();
            assert_eq!(choose(&candidates, &options), expected, "{parts:?}");
        };
        check(&[], None);
        check(&[(0, KIB), (0, KIB)], None);
        check(&[(0, KIB), (0, KIB), (0, KIB)], Some(0..3));
        check(&[(0, KIB), (0, KIB), (1, KIB)], None);
        check(&[(0, KIB), (1, KIB), (1, KIB), (1, KIB)], Some(1..4));
        check(&[(0, KIB); 6], Some(0..4));
        check(&[(0, 600 * KIB), (0, KIB), (0, KIB), (0, KIB)], Some(1..4));
        check(&[(0, 600 * KIB), (0, KIB), (0, KIB)], None);
        check(&[(0, 500 * KIB), (0, 500 * KIB), (0, 500 * KIB)], None);
        check(&[(0, 300 * KIB), (0, 300 * KIB), (0, 300 * KIB)], Some(0..3));
    }

    #[test]
    fn parts_that_are_being_merged_split_runs() {
        let options = MergeOptions { parts_min: 2, ..MergeOptions::default() };
        let part = |busy| Candidate { partition: 0, bytes: 10, busy };
        assert_eq!(choose(&[part(false), part(true), part(false)], &options), None);
        assert_eq!(choose(&[part(true), part(false), part(false)], &options), Some(1..3));
    }
}
