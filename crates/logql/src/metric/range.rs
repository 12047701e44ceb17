//! Range aggregations: one pass over the entries, every window of every series at the end.

use std::collections::HashMap;
use std::ops::ControlFlow;

use logql_syntax::ast::{Grouping, RangeAggregation, RangeOp};
use model::{Labels, MatchOp};
use storage::LogQuerier;
use storage::logs::{Direction, StreamHandle, TimeRangeNs};

use super::cells::{Average, Cell, CounterRate, Edge, Extreme, Quantile, Rate, Spread, Sum, WindowContext};
use super::extract::{Extractor, SeriesLabels, refuse_errors};
use super::series::{Series, Steps, absent, is_present};
use crate::engine::{Limits, QueryContext};
use crate::error::{ErrorKind, QueryError};
use crate::fan_out::fan_out;
use crate::pipeline::{LabelState, Pipeline};
use crate::stats::Stats;

/// Entries read between two looks at the clock and the client.
const CHECK_EVERY: u64 = 1024;

/// Everything a range aggregation needs from its query.
pub(super) struct Source<'a> {
    pub querier: &'a dyn LogQuerier,
    pub steps: Steps,
    pub context: &'a QueryContext,
    pub limits: &'a Limits,
}

/// Evaluates `range`. With `outer`, a sum over these labels is taken on the way, which spares the series
/// in between; the caller knows that sums may be taken in any order.
pub(super) fn evaluate(
    source: &Source<'_>,
    range: &RangeAggregation,
    outer: Option<&Grouping>,
    stats: &mut Stats,
) -> Result<Vec<Series>, QueryError> {
    let extractor = Extractor::compile(range)?;
    let none = Grouping::default();
    // Absence is a property of the whole selection.
    let grouping = if range.op == RangeOp::Absent { Some(&none) } else { outer.or(range.grouping.as_ref()) };
    // A grouping of its own may name the unwrapped label; everything outside sees series without it.
    let own_grouping = outer.is_none() && grouping.is_some_and(|g| !g.without);
    let dropped = extractor.unwrapped_label().filter(|_| !own_grouping);
    let labels = SeriesLabels::new(grouping, dropped);
    let pass = Pass { source, range, extractor, labels, grid: Grid::new(&source.steps, range) };
    match (range.op, range.unwrap.is_some()) {
        (RangeOp::Count | RangeOp::Bytes | RangeOp::Sum, _) => pass.run::<Sum>(stats),
        (RangeOp::Rate | RangeOp::BytesRate, _) => pass.run::<Rate>(stats),
        (RangeOp::Avg, _) => pass.run::<Average>(stats),
        (RangeOp::Min, _) => pass.run::<Extreme<false>>(stats),
        (RangeOp::Max, _) => pass.run::<Extreme<true>>(stats),
        (RangeOp::First, _) => pass.run::<Edge<false>>(stats),
        (RangeOp::Last, _) => pass.run::<Edge<true>>(stats),
        (RangeOp::Stdvar, _) => pass.run::<Spread<false>>(stats),
        (RangeOp::Stddev, _) => pass.run::<Spread<true>>(stats),
        (RangeOp::Quantile, _) => pass.run::<Quantile>(stats),
        (RangeOp::RateCounter, _) => pass.run::<CounterRate>(stats),
        (RangeOp::Absent, _) => {
            let present = pass.run::<Sum>(stats)?;
            Ok(vec![absence(range, &source.steps, present)])
        }
    }
}

/// 1 at the steps where nothing is, under the labels that equality matchers promise.
fn absence(range: &RangeAggregation, steps: &Steps, present: Vec<Series>) -> Series {
    let matchers = &range.log.matchers;
    let unique = |name: &str| matchers.iter().filter(|m| m.name == name).count() == 1;
    let promised = matchers.iter().filter(|m| m.op == MatchOp::Equal && unique(&m.name));
    let labels = Labels::from_pairs(promised.map(|m| (m.name.as_str(), m.value.as_str())));
    let mut series = Series { labels, values: vec![1.0; steps.count] };
    for other in present {
        for (value, other) in series.values.iter_mut().zip(other.values) {
            if is_present(other) {
                *value = absent();
            }
        }
    }
    series
}

/// The cells of a query: cell `i` is the time after boundary `i-1` up to and including boundary `i`.
struct Grid {
    boundaries: Vec<i64>,
    /// For each step, its window's cells `first..=last`.
    windows: Vec<(u32, u32)>,
    range_ns: i64,
}

impl Grid {
    fn new(steps: &Steps, range: &RangeAggregation) -> Grid {
        let ends: Vec<i64> = (0..steps.count).map(|i| steps.at(i).saturating_sub(range.offset_ns)).collect();
        let start = |end: i64| end.saturating_sub(range.range_ns);
        let mut boundaries: Vec<i64> = ends.iter().flat_map(|end| [start(*end), *end]).collect();
        boundaries.sort_unstable();
        boundaries.dedup();
        let index = |b: i64| boundaries.partition_point(|x| *x < b) as u32;
        let windows = ends.iter().map(|end| (index(start(*end)) + 1, index(*end))).collect();
        Grid { boundaries, windows, range_ns: range.range_ns }
    }

    /// What the store is asked for.
    fn time_range(&self) -> TimeRangeNs {
        let first = self.boundaries.first().copied().unwrap_or(0);
        let last = self.boundaries.last().copied().unwrap_or(0);
        TimeRangeNs { start: first.saturating_add(1), end: last.saturating_add(1) }
    }

    /// The cell of `ts`; `hint` is a cell that is probably not far.
    fn cell(&self, ts: i64, hint: u32) -> u32 {
        let near = hint as usize;
        let after_previous = near == 0 || self.boundaries.get(near - 1).is_some_and(|b| *b < ts);
        if after_previous && self.boundaries.get(near).is_some_and(|b| ts <= *b) {
            return hint;
        }
        self.boundaries.partition_point(|b| *b < ts) as u32
    }
}

struct Pass<'a> {
    source: &'a Source<'a>,
    range: &'a RangeAggregation,
    extractor: Extractor,
    labels: SeriesLabels,
    grid: Grid,
}

/// A series under construction.
struct Partial<C> {
    labels: Labels,
    /// Cells that have entries, in order.
    cells: Vec<(u32, C)>,
}

struct Worker<C> {
    index: HashMap<Vec<u8>, usize>,
    series: Vec<Partial<C>>,
    key: Vec<u8>,
    stats: Stats,
}

impl Pass<'_> {
    fn run<C: Cell>(&self, stats: &mut Stats) -> Result<Vec<Series>, QueryError> {
        let source = self.source;
        let mut pipeline = Pipeline::compile(&self.range.log.stages)?;
        if let Some(needed) = self.labels.needed() {
            let mut names = needed.to_vec();
            self.extractor.add_labels_read(&mut names);
            pipeline.parse_only(names);
        }
        let streams = source.querier.select(&self.range.log.matchers, self.grid.time_range())?;
        let new_worker = || Worker::<C> {
            index: HashMap::new(),
            series: Vec::new(),
            key: Vec::new(),
            stats: Stats::default(),
        };
        let work = |worker: &mut Worker<C>, stream: &StreamHandle| self.stream(worker, &pipeline, stream);
        let workers = fan_out(&streams, source.context.parallelism, new_worker, work)?;
        let mut merged: Option<Worker<C>> = None;
        for worker in workers {
            stats.absorb(&worker.stats);
            match &mut merged {
                None => merged = Some(worker),
                Some(merged) => merged.absorb(worker),
            }
        }
        source.context.check()?;
        let partials = merged.map(|w| w.series).unwrap_or_default();
        Ok(partials.into_iter().map(|partial| self.windows(partial)).collect())
    }

    fn stream<C: Cell>(
        &self,
        worker: &mut Worker<C>,
        pipeline: &Pipeline,
        stream: &StreamHandle,
    ) -> Result<(), QueryError> {
        let context = self.source.context;
        context.check()?;
        let mut state = pipeline.state(&stream.labels);
        let mut outcome = Ok(());
        // Entries follow each other in time and mostly in series: remember where the last one went.
        let (mut cell, mut last_series): (u32, Option<usize>) = (0, None);
        let mut last_key: Vec<u8> = Vec::new();
        let mut own_series: Option<usize> = None;
        worker.stats.streams += 1;
        let mut visit = |entry: storage::logs::EntryRef<'_>| -> Result<(), QueryError> {
            worker.stats.read(&entry);
            if worker.stats.lines.is_multiple_of(CHECK_EVERY) {
                context.check()?;
            }
            let Some(line) = pipeline.process(entry, &mut state) else { return Ok(()) };
            worker.stats.post_filter_lines += 1;
            let Some(value) = self.extractor.number(&line, &mut state) else { return Ok(()) };
            refuse_errors(&state)?;
            let series = if state.is_untouched() && self.labels.keeps_streams() {
                match own_series {
                    Some(series) => series,
                    None => {
                        let series = self.series(worker, &state)?;
                        own_series = Some(series);
                        series
                    }
                }
            } else {
                self.labels.write_key(&state, &mut worker.key);
                match last_series {
                    Some(series) if last_key == worker.key => series,
                    _ => {
                        let series = self.series(worker, &state)?;
                        last_key.clone_from(&worker.key);
                        last_series = Some(series);
                        series
                    }
                }
            };
            cell = self.grid.cell(entry.ts, cell);
            if let Some(partial) = worker.series.get_mut(series) {
                partial.cell(cell).add(entry.ts, value);
            }
            Ok(())
        };
        let range = self.grid.time_range();
        self.source.querier.read(stream, range, Direction::Forward, pipeline.needles(), &mut |entry| {
            match visit(entry) {
                Ok(()) => ControlFlow::Continue(()),
                Err(e) => {
                    outcome = Err(e);
                    ControlFlow::Break(())
                }
            }
        })?;
        outcome
    }

    /// The series of the entry at hand.
    fn series<C: Cell>(&self, worker: &mut Worker<C>, state: &LabelState) -> Result<usize, QueryError> {
        self.labels.write_key(state, &mut worker.key);
        if let Some(index) = worker.index.get(&worker.key) {
            return Ok(*index);
        }
        let limit = self.source.limits.max_inner_series;
        if worker.series.len() >= limit {
            return Err(QueryError::new(
                ErrorKind::Limit,
                format!(
                    "the query has more than {limit} series before aggregation; add label filters or drop \
                     labels that differ from line to line"
                ),
            ));
        }
        worker.index.insert(worker.key.clone(), worker.series.len());
        worker.series.push(Partial { labels: self.labels.labels(state), cells: Vec::new() });
        Ok(worker.series.len() - 1)
    }

    /// Folds a series' cells into its windows.
    fn windows<C: Cell>(&self, partial: Partial<C>) -> Series {
        let mut series = Series::absent(partial.labels, self.grid.windows.len());
        let cells = &partial.cells;
        for (value, (first, last)) in series.values.iter_mut().zip(&self.grid.windows) {
            let from = cells.partition_point(|(cell, _)| cell < first);
            let to = cells.partition_point(|(cell, _)| cell <= last);
            let Some(([(_, head)], rest)) = cells.get(from..to).and_then(|w| w.split_at_checked(1)) else {
                continue;
            };
            let mut window = head.clone();
            rest.iter().for_each(|(_, cell)| window.merge(cell));
            let end = self.grid.boundaries.get(*last as usize).copied().unwrap_or(0);
            *value = window.finish(&WindowContext {
                range_seconds: self.grid.range_ns as f64 / 1e9,
                quantile: self.range.parameter.unwrap_or(0.0),
                start: end.saturating_sub(self.grid.range_ns),
                end,
            });
        }
        series
    }
}

impl<C: Cell> Partial<C> {
    /// The cell with this number, made when it is not there.
    fn cell(&mut self, number: u32) -> &mut C {
        let at = match self.cells.last() {
            Some((last, _)) if *last == number => self.cells.len() - 1,
            Some((last, _)) if *last < number => self.insert(self.cells.len(), number),
            None => self.insert(0, number),
            // Another stream of the same series was here before.
            Some(_) => match self.cells.binary_search_by_key(&number, |(n, _)| *n) {
                Ok(at) => at,
                Err(at) => self.insert(at, number),
            },
        };
        &mut self.cells[at].1
    }

    fn insert(&mut self, at: usize, number: u32) -> usize {
        self.cells.insert(at, (number, C::default()));
        at
    }
}

impl<C: Cell> Worker<C> {
    /// Takes over what another worker found.
    fn absorb(&mut self, other: Worker<C>) {
        let Worker { index, series, .. } = other;
        let mut keys: Vec<(Vec<u8>, usize)> = index.into_iter().collect();
        keys.sort_unstable_by_key(|(_, at)| *at);
        for ((key, _), partial) in keys.into_iter().zip(series) {
            match self.index.get(&key).and_then(|at| self.series.get_mut(*at)) {
                Some(mine) => {
                    for (number, cell) in partial.cells {
                        mine.cell(number).merge(&cell);
                    }
                }
                None => {
                    self.index.insert(key, self.series.len());
                    self.series.push(partial);
                }
            }
        }
    }
}
