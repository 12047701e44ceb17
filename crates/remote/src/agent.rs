//! The store of agent mode: it remembers which series there are and how far each one is, and keeps no
//! samples. What passes it goes to the outbox.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use model::{Exemplar, Labels, Matcher, TimestampMs, Value};
use storage::metrics::{BlockSummary, HeadStatistics, MetricsAdmin, SeriesRef};
use storage::{Appender, ErrorKind, MetricsStore, Querier, StoreError};

/// Looking for series that have ended goes over all of them, so it is done this seldom.
const CLEANING_INTERVAL_MS: i64 = 5 * 60_000;

type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

pub struct AgentStore {
    state: Mutex<State>,
    /// Series without a sample for this long are forgotten.
    retention_ms: i64,
}

#[derive(Default)]
struct State {
    by_labels: FastMap<Labels, u64>,
    by_number: FastMap<u64, Series>,
    next: u64,
    newest: TimestampMs,
    cleaned: TimestampMs,
}

struct Series {
    labels: Labels,
    last: TimestampMs,
}

impl AgentStore {
    pub fn new(retention_ms: i64) -> AgentStore {
        AgentStore { state: Mutex::default(), retention_ms }
    }

    /// Series known now.
    pub fn series(&self) -> usize {
        self.state().by_number.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable() -> StoreError {
    StoreError::new(ErrorKind::Invalid, "unsupported operation with WAL-only storage")
}

impl MetricsAdmin for AgentStore {
    fn clean_tombstones(&self) -> Result<(), StoreError> {
        Err(unavailable())
    }

    fn snapshot(&self, _: bool) -> Result<String, StoreError> {
        Err(unavailable())
    }

    fn blocks(&self) -> Vec<BlockSummary> {
        Vec::new()
    }
}

impl MetricsStore for AgentStore {
    fn appender(&self) -> Box<dyn Appender + '_> {
        Box::new(AgentAppender { store: self, samples: Vec::new() })
    }

    fn querier(&self, _: TimestampMs, _: TimestampMs) -> Result<Arc<dyn Querier>, StoreError> {
        Err(unavailable())
    }

    fn delete_series(&self, _: &[Matcher], _: TimestampMs, _: TimestampMs) -> Result<(), StoreError> {
        Err(unavailable())
    }

    fn exemplars(
        &self,
        _: &[Vec<Matcher>],
        _: TimestampMs,
        _: TimestampMs,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, StoreError> {
        Err(unavailable())
    }

    fn statistics(&self, _: usize) -> HeadStatistics {
        HeadStatistics { series: self.series() as u64, ..HeadStatistics::default() }
    }

    fn time_range(&self) -> Option<(TimestampMs, TimestampMs)> {
        None
    }
}

struct AgentAppender<'s> {
    store: &'s AgentStore,
    samples: Vec<(u64, TimestampMs)>,
}

impl State {
    fn number_of(&mut self, series: Option<SeriesRef>, labels: &Labels) -> Result<u64, StoreError> {
        if let Some(series) = series
            && self.by_number.contains_key(&series.0)
        {
            return Ok(series.0);
        }
        if labels.is_empty() {
            return Err(StoreError::new(ErrorKind::Invalid, "empty labelset: invalid sample"));
        }
        if let Some(number) = self.by_labels.get(labels) {
            return Ok(*number);
        }
        let number = self.next;
        self.next += 1;
        self.by_labels.insert(labels.clone(), number);
        self.by_number.insert(number, Series { labels: labels.clone(), last: i64::MIN });
        Ok(number)
    }

    /// Forgets series that have ended.
    fn clean(&mut self, retention_ms: i64) {
        if self.newest.saturating_sub(self.cleaned) < CLEANING_INTERVAL_MS {
            return;
        }
        self.cleaned = self.newest;
        let oldest = self.newest.saturating_sub(retention_ms);
        let by_labels = &mut self.by_labels;
        self.by_number.retain(|_, series| {
            let keep = series.last >= oldest;
            if !keep {
                by_labels.remove(&series.labels);
            }
            keep
        });
    }
}

impl Appender for AgentAppender<'_> {
    fn append(
        &mut self,
        series: Option<SeriesRef>,
        labels: &Labels,
        t: TimestampMs,
        value: Value,
    ) -> Result<SeriesRef, StoreError> {
        if let Value::Histogram(h) = &value
            && !h.is_consistent()
        {
            return Err(StoreError::new(ErrorKind::Invalid, "histogram spans and buckets differ in number"));
        }
        let mut state = self.store.state();
        let number = state.number_of(series, labels)?;
        if state.by_number.get(&number).is_some_and(|series| t <= series.last) {
            return Err(StoreError::new(ErrorKind::OutOfOrder, "out of order sample"));
        }
        drop(state);
        self.samples.push((number, t));
        Ok(SeriesRef(number))
    }

    fn append_with_start(
        &mut self,
        series: Option<SeriesRef>,
        labels: &Labels,
        _: TimestampMs,
        t: TimestampMs,
        value: Value,
    ) -> Result<SeriesRef, StoreError> {
        self.append(series, labels, t, value)
    }

    fn append_exemplar(&mut self, series: SeriesRef, _: Exemplar) -> Result<(), StoreError> {
        match self.store.state().by_number.contains_key(&series.0) {
            true => Ok(()),
            false => {
                let message = format!("unknown series ref {} for an exemplar", series.0);
                Err(StoreError::new(ErrorKind::Invalid, message))
            }
        }
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let mut state = self.store.state();
        for (number, t) in &self.samples {
            if let Some(series) = state.by_number.get_mut(number) {
                series.last = series.last.max(*t);
            }
            state.newest = state.newest.max(*t);
        }
        state.clean(self.store.retention_ms);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(store: &AgentStore, name: &str, t: i64) -> Result<SeriesRef, StoreError> {
        let mut appender = store.appender();
        let result = appender.append(None, &Labels::from_pairs([("__name__", name)]), t, Value::Float(1.0));
        appender.commit().unwrap();
        result
    }

    #[test]
    fn series_move_forward_and_end() {
        let store = AgentStore::new(3_600_000);
        let a = append(&store, "a", 1_000_000).unwrap();
        assert_eq!(append(&store, "a", 1_000_000).unwrap_err().kind, ErrorKind::OutOfOrder);
        assert_eq!(append(&store, "a", 1_000_001).unwrap(), a);
        append(&store, "b", 9_000_000).unwrap();
        // The first look at the end of series came with the first commit; the next comes now.
        append(&store, "b", 10_000_000).unwrap();
        assert_eq!(store.series(), 1);
        assert_ne!(append(&store, "a", 10_000_000).unwrap(), a);
        let refused = store.querier(0, 1).err().unwrap().message;
        assert_eq!(refused, "unsupported operation with WAL-only storage");
    }
}
