//! Log queries: the first `limit` entries in time order over all selected streams.
//!
//! Streams are read one after the other (and in parallel), each only as far as its entries can still be
//! among the first `limit`: a heap knows the worst entry that would be returned so far.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::ControlFlow;

use logql_syntax::LogExpr;
use model::{Labels, TimestampNs};
use storage::LogQuerier;
use storage::logs::{Direction, StreamHandle, TimeRangeNs};

use crate::engine::{LogParams, QueryContext};
use crate::error::QueryError;
use crate::fan_out::fan_out;
use crate::pipeline::{Category, LabelState, Pipeline};
use crate::stats::Stats;

/// Entries read between two looks at the clock and the client.
const CHECK_EVERY: u64 = 1024;

/// Entries of a reply that share their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultStream {
    /// All labels, or only the stream's when the query asked to keep categories apart.
    pub labels: Labels,
    /// In the query's direction.
    pub entries: Vec<ResultEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultEntry {
    pub ts: TimestampNs,
    pub line: String,
    /// Empty unless the query asked to keep categories apart.
    pub structured_metadata: Labels,
    pub parsed: Labels,
}

/// An entry that would be returned as things stand. The greatest is the one to give up first.
struct Kept {
    /// Smaller is returned earlier: the time, negated when going backward.
    rank: i128,
    /// Reading order, for entries of equal time.
    sequence: u64,
    labels: Labels,
    entry: ResultEntry,
}

impl Ord for Kept {
    fn cmp(&self, other: &Kept) -> Ordering {
        (self.rank, self.sequence, &self.labels).cmp(&(other.rank, other.sequence, &other.labels))
    }
}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Kept) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Kept) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Kept {}

/// Runs a log query over `start..end`.
pub(crate) fn run(
    querier: &dyn LogQuerier,
    expr: &LogExpr,
    start: TimestampNs,
    end: TimestampNs,
    params: &LogParams,
    context: &QueryContext,
) -> Result<(Vec<ResultStream>, Stats), QueryError> {
    let pipeline = Pipeline::compile(&expr.stages)?;
    let range = TimeRangeNs { start, end };
    let streams = querier.select(&expr.matchers, range)?;
    let reader = Reader { querier, pipeline: &pipeline, streams: &streams, params, context };
    let (kept, mut stats) =
        if params.interval > 0 { reader.apart(range)? } else { reader.first(range, params.limit)? };
    stats.entries_returned = kept.len() as u64;
    Ok((group(kept), stats))
}

struct Reader<'a> {
    querier: &'a dyn LogQuerier,
    pipeline: &'a Pipeline,
    streams: &'a [StreamHandle],
    params: &'a LogParams,
    context: &'a QueryContext,
}

#[derive(Default)]
struct Worker {
    heap: BinaryHeap<Kept>,
    stats: Stats,
    sequence: u64,
}

impl Reader<'_> {
    /// The first `limit` entries of `range`, in order.
    fn first(&self, range: TimeRangeNs, limit: usize) -> Result<(Vec<Kept>, Stats), QueryError> {
        let work = |worker: &mut Worker, stream: &StreamHandle| self.stream(worker, stream, range, limit);
        let workers = fan_out(self.streams, self.context.parallelism, Worker::default, work)?;
        let (mut kept, mut stats) = (Vec::new(), Stats::default());
        for worker in workers {
            stats.absorb(&worker.stats);
            kept.extend(worker.heap);
        }
        kept.sort_unstable();
        kept.truncate(limit);
        Ok((kept, stats))
    }

    /// Entries at least the interval apart: the first one, then the first one after the gap, and so on.
    fn apart(&self, mut range: TimeRangeNs) -> Result<(Vec<Kept>, Stats), QueryError> {
        let (mut all, mut stats) = (Vec::new(), Stats::default());
        while all.len() < self.params.limit && range.start < range.end {
            let (mut found, touched) = self.first(range, 1)?;
            stats.absorb(&touched);
            let Some(mut kept) = found.pop() else { break };
            match self.params.direction {
                Direction::Forward => range.start = kept.entry.ts.saturating_add(self.params.interval),
                Direction::Backward => {
                    range.end = kept.entry.ts.saturating_sub(self.params.interval).saturating_add(1);
                }
            }
            kept.sequence = all.len() as u64;
            all.push(kept);
        }
        Ok((all, stats))
    }

    fn stream(
        &self,
        worker: &mut Worker,
        stream: &StreamHandle,
        range: TimeRangeNs,
        limit: usize,
    ) -> Result<(), QueryError> {
        self.context.check()?;
        let mut state = LabelState::new(&stream.labels);
        let mut outcome = Ok(());
        worker.stats.streams += 1;
        let direction = self.params.direction;
        self.querier.read(stream, range, direction, self.pipeline.needles(), &mut |entry| {
            let rank = match direction {
                Direction::Forward => i128::from(entry.ts),
                Direction::Backward => -i128::from(entry.ts),
            };
            if worker.heap.len() >= limit && worker.heap.peek().is_some_and(|worst| rank >= worst.rank) {
                return ControlFlow::Break(());
            }
            worker.stats.read(&entry);
            if worker.stats.lines.is_multiple_of(CHECK_EVERY)
                && let Err(e) = self.context.check()
            {
                outcome = Err(e);
                return ControlFlow::Break(());
            }
            if let Some(line) = self.pipeline.process(entry, &mut state) {
                worker.stats.post_filter_lines += 1;
                worker.sequence += 1;
                let entry = ResultEntry {
                    ts: entry.ts,
                    line: line.into_owned(),
                    structured_metadata: self.category(&state, Category::Metadata),
                    parsed: self.category(&state, Category::Parsed),
                };
                let labels = if self.params.categorize { state.of(Category::Stream) } else { state.all() };
                worker.heap.push(Kept { rank, sequence: worker.sequence, labels, entry });
                if worker.heap.len() > limit {
                    worker.heap.pop();
                }
            }
            ControlFlow::Continue(())
        })?;
        outcome
    }

    fn category(&self, state: &LabelState, category: Category) -> Labels {
        if self.params.categorize { state.of(category) } else { Labels::empty() }
    }
}

/// Groups by labels; streams come in the order of their labels' text, as Loki's do.
fn group(kept: Vec<Kept>) -> Vec<ResultStream> {
    let mut streams: BTreeMap<Labels, Vec<ResultEntry>> = BTreeMap::new();
    for kept in kept {
        streams.entry(kept.labels).or_default().push(kept.entry);
    }
    let mut streams: Vec<ResultStream> =
        streams.into_iter().map(|(labels, entries)| ResultStream { labels, entries }).collect();
    streams.sort_by_cached_key(|s| s.labels.to_string());
    streams
}
