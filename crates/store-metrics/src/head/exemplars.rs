//! The newest exemplars of all series, in a ring of fixed length.

use std::collections::{BTreeMap, HashMap, VecDeque};

use model::{Exemplar, Labels, Matcher, TimestampMs};
use storage::{ErrorKind, StoreError};

/// OpenMetrics' limit on the characters of an exemplar's label set.
const LABEL_CHARACTERS_MAX: usize = 128;

#[derive(Debug, Default)]
pub struct Exemplars {
    ring: VecDeque<(Labels, Exemplar)>,
    /// Per series with exemplars in the ring: the newest one and how many there are.
    newest: HashMap<Labels, (Exemplar, usize), foldhash::fast::RandomState>,
    capacity: usize,
    pub appended: u64,
}

impl Exemplars {
    pub fn new(capacity: usize) -> Exemplars {
        Exemplars { capacity, ..Exemplars::default() }
    }

    pub fn len(&self) -> usize {
        self.ring.len()
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Changes how many are kept; the oldest go first.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        while self.ring.len() > capacity {
            self.drop_oldest();
        }
        self.ring.shrink_to(capacity);
    }

    /// How many series have exemplars in the ring.
    pub fn series(&self) -> usize {
        self.newest.len()
    }

    /// The time of the exemplar that goes next; zero without any.
    pub fn oldest_t(&self) -> TimestampMs {
        self.ring.front().and_then(|(_, exemplar)| exemplar.timestamp).unwrap_or(0)
    }

    /// All exemplars with their series, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &(Labels, Exemplar)> {
        self.ring.iter()
    }

    /// Whether the exemplar would be new. A repeated one is no error: targets show it until the next.
    pub fn check(&self, series: &Labels, exemplar: &Exemplar) -> Result<bool, StoreError> {
        let characters: usize =
            exemplar.labels.iter().map(|(n, v)| n.chars().count() + v.chars().count()).sum();
        if characters > LABEL_CHARACTERS_MAX {
            let message = format!(
                "label length for exemplar exceeds maximum of {LABEL_CHARACTERS_MAX} UTF-8 characters"
            );
            return Err(StoreError::new(ErrorKind::Invalid, message));
        }
        let Some((newest, _)) = self.newest.get(series) else { return Ok(self.capacity > 0) };
        if newest.labels == exemplar.labels
            && newest.value.to_bits() == exemplar.value.to_bits()
            && newest.timestamp == exemplar.timestamp
        {
            return Ok(false);
        }
        if exemplar.timestamp < newest.timestamp {
            return Err(StoreError::new(ErrorKind::OutOfOrder, "out of order exemplar"));
        }
        Ok(true)
    }

    /// Adds an exemplar; the oldest of all makes room.
    pub fn push(&mut self, series: &Labels, exemplar: Exemplar) {
        if !matches!(self.check(series, &exemplar), Ok(true)) {
            return;
        }
        if self.ring.len() >= self.capacity {
            self.drop_oldest();
        }
        let entry = self.newest.entry(series.clone()).or_insert_with(|| (exemplar.clone(), 0));
        *entry = (exemplar.clone(), entry.1 + 1);
        self.ring.push_back((series.clone(), exemplar));
        self.appended += 1;
    }

    fn drop_oldest(&mut self) {
        if let Some((oldest, _)) = self.ring.pop_front()
            && let Some((_, count)) = self.newest.get_mut(&oldest)
        {
            *count -= 1;
            if *count == 0 {
                self.newest.remove(&oldest);
            }
        }
    }

    /// Exemplars in `mint..=maxt` of the series that satisfy one of the selectors, by series.
    pub fn select(
        &self,
        selectors: &[Vec<Matcher>],
        mint: TimestampMs,
        maxt: TimestampMs,
    ) -> Vec<(Labels, Vec<Exemplar>)> {
        let mut found: BTreeMap<&Labels, Vec<Exemplar>> = BTreeMap::new();
        for (series, exemplar) in &self.ring {
            let in_range = exemplar.timestamp.is_some_and(|t| (mint..=maxt).contains(&t));
            if in_range && selectors.iter().any(|matchers| Matcher::all_match(matchers, series)) {
                found.entry(series).or_default().push(exemplar.clone());
            }
        }
        found.into_iter().map(|(series, exemplars)| (series.clone(), exemplars)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str) -> Labels {
        Labels::from_pairs([("__name__", name)])
    }

    fn exemplar(id: &str, t: i64) -> Exemplar {
        Exemplar { labels: Labels::from_pairs([("trace_id", id)]), value: 1.0, timestamp: Some(t) }
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut ring = Exemplars::new(3);
        for t in 0..5 {
            ring.push(&series(if t % 2 == 0 { "even" } else { "odd" }), exemplar(&t.to_string(), t));
        }
        let all = ring.select(&[vec![]], 0, 10);
        let shape: Vec<(&str, Vec<i64>)> = all
            .iter()
            .map(|(l, e)| (l.metric_name(), e.iter().filter_map(|e| e.timestamp).collect()))
            .collect();
        assert_eq!(shape, [("even", vec![2, 4]), ("odd", vec![3])]);
        assert_eq!((ring.len(), ring.series()), (3, 2));
        let odd = vec![Matcher::equal("__name__", "odd")];
        assert_eq!(ring.select(&[odd], 0, 2).len(), 0);
        ring.set_capacity(1);
        assert_eq!((ring.len(), ring.series(), ring.oldest_t()), (1, 1, 4));
        ring.set_capacity(0);
        ring.push(&series("even"), exemplar("new", 9));
        assert_eq!((ring.len(), ring.oldest_t()), (0, 0), "none are kept");
        ring.set_capacity(2);
        ring.push(&series("even"), exemplar("new", 9));
        assert_eq!(ring.len(), 1);
    }

    #[test]
    fn repeats_are_quiet_and_disorder_is_not() {
        let mut ring = Exemplars::new(10);
        let s = series("m");
        ring.push(&s, exemplar("a", 5));
        assert!(!ring.check(&s, &exemplar("a", 5)).unwrap());
        assert!(ring.check(&s, &exemplar("b", 5)).unwrap());
        assert_eq!(ring.check(&s, &exemplar("c", 4)).unwrap_err().message, "out of order exemplar");
        assert_eq!(ring.check(&s, &exemplar(&"x".repeat(121), 6)).unwrap_err().kind, ErrorKind::Invalid);
        ring.push(&s, exemplar("a", 5));
        assert_eq!(ring.len(), 1);
    }
}
