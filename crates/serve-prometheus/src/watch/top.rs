//! The queries that come often or take long, over the last ones that ran.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use promql::QueryInfo;

/// Queries remembered, as in VictoriaMetrics' `search.queryStats.lastQueriesCount`.
pub const REMEMBERED_MAX: usize = 20_000;
/// Bytes of query texts remembered.
const TEXT_BYTES_MAX: usize = 8 << 20;
/// Faster queries are not worth remembering.
pub const DURATION_MIN: Duration = Duration::from_millis(1);

/// Cheap to clone; clones remember together.
#[derive(Clone, Default)]
pub struct TopQueries {
    inner: Arc<Mutex<Recent>>,
}

#[derive(Default)]
struct Recent {
    queries: VecDeque<Ran>,
    text_bytes: usize,
}

struct Ran {
    info: Arc<QueryInfo>,
    at: Instant,
    took: Duration,
}

/// All runs of one query over one length of time.
#[derive(Debug, Clone, PartialEq)]
pub struct TopQuery {
    pub query: String,
    /// From the first to the last instant evaluated.
    pub range_seconds: i64,
    pub count: u64,
    pub total: Duration,
}

impl TopQuery {
    pub fn average(&self) -> Duration {
        self.total / u32::try_from(self.count.max(1)).unwrap_or(u32::MAX)
    }
}

impl TopQueries {
    pub fn note(&self, info: &Arc<QueryInfo>, took: Duration) {
        if took < DURATION_MIN {
            return;
        }
        let mut recent = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        recent.text_bytes += info.query.len();
        recent.queries.push_back(Ran { info: info.clone(), at: Instant::now(), took });
        while recent.queries.len() > REMEMBERED_MAX || recent.text_bytes > TEXT_BYTES_MAX {
            let Some(oldest) = recent.queries.pop_front() else { break };
            recent.text_bytes -= oldest.info.query.len();
        }
    }

    /// What ran within `lifetime`, one entry per query and length of time, in no order.
    pub fn list(&self, lifetime: Duration) -> Vec<TopQuery> {
        let recent = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: HashMap<(&str, i64), TopQuery> = HashMap::new();
        for ran in recent.queries.iter().filter(|ran| ran.at.elapsed() <= lifetime) {
            let range_seconds = (ran.info.end - ran.info.start) / 1000;
            let entry = found.entry((&ran.info.query, range_seconds)).or_insert_with(|| TopQuery {
                query: ran.info.query.clone(),
                range_seconds,
                count: 0,
                total: Duration::ZERO,
            });
            entry.count += 1;
            entry.total += ran.took;
        }
        found.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(query: &str, end: i64) -> Arc<QueryInfo> {
        Arc::new(QueryInfo { query: query.into(), start: 0, end, step: 0, client: String::new() })
    }

    #[test]
    fn runs_of_one_query_are_counted_together() {
        let top = TopQueries::default();
        for ms in [10, 20, 30] {
            top.note(&info("a", 60_000), Duration::from_millis(ms));
        }
        top.note(&info("a", 0), Duration::from_millis(5));
        top.note(&info("fast", 0), Duration::from_micros(900));
        let mut found = top.list(Duration::from_secs(3600));
        found.sort_by_key(|q| q.count);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].range_seconds, found[1].count), (60, 3));
        assert_eq!(found[1].average(), Duration::from_millis(20));
        assert!(top.list(Duration::ZERO).is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let top = TopQueries::default();
        let long = "x".repeat(TEXT_BYTES_MAX / 4);
        for _ in 0..10 {
            top.note(&info(&long, 0), Duration::from_secs(1));
        }
        assert_eq!(top.list(Duration::from_secs(60))[0].count, 4);
    }
}
