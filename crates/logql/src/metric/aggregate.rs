//! Aggregations over the series of each step.

use std::cmp::Ordering;
use std::collections::HashMap;

use logql_syntax::ast::{Grouping, VectorAggregation, VectorOp};
use model::Labels;

use super::series::{Series, absent, is_present};

pub(super) fn aggregate(vector: &VectorAggregation, series: Vec<Series>, steps: usize) -> Vec<Series> {
    match vector.op {
        VectorOp::Sort => sorted(series, |a, b| a.total_cmp(&b)),
        VectorOp::SortDesc => sorted(series, |a, b| b.total_cmp(&a)),
        VectorOp::TopK | VectorOp::ApproxTopK => select(vector, series, steps, |a, b| compare(b, a)),
        VectorOp::BottomK => select(vector, series, steps, compare),
        _ => reduce(vector, series, steps),
    }
}

/// By the value of the first step: order only shows in instant results.
fn sorted(mut series: Vec<Series>, order: fn(f64, f64) -> Ordering) -> Vec<Series> {
    let first = |s: &Series| s.values.first().copied().unwrap_or(f64::NAN);
    series.sort_by(|a, b| order(first(a), first(b)).then_with(|| a.labels.cmp(&b.labels)));
    series
}

/// NaN is worse than any number, whichever end is asked for.
fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// The group of each series, and the groups' labels in order of appearance.
fn groups(grouping: Option<&Grouping>, series: &[Series]) -> (Vec<usize>, Vec<Labels>) {
    let mut index: HashMap<Labels, usize> = HashMap::new();
    let mut labels: Vec<Labels> = Vec::new();
    let members = series
        .iter()
        .map(|s| {
            let group = match grouping {
                None => Labels::empty(),
                Some(g) => s.labels.filter(|name| g.labels.iter().any(|l| l == name) != g.without),
            };
            *index.entry(group.clone()).or_insert_with(|| {
                labels.push(group);
                labels.len() - 1
            })
        })
        .collect();
    (members, labels)
}

/// Keeps, at each step and in each group, the first `k` series of `order`.
fn select(
    vector: &VectorAggregation,
    mut series: Vec<Series>,
    steps: usize,
    order: impl Fn(f64, f64) -> Ordering,
) -> Vec<Series> {
    let k = vector.parameter.unwrap_or(1);
    let (members, labels) = groups(vector.grouping.as_ref(), &series);
    let mut of_group: Vec<Vec<usize>> = vec![Vec::new(); labels.len()];
    for (at, group) in members.iter().enumerate() {
        of_group[*group].push(at);
    }
    let mut candidates: Vec<(f64, usize)> = Vec::new();
    for step in 0..steps {
        for group in &of_group {
            candidates.clear();
            let value = |at: usize| series[at].values[step];
            candidates.extend(group.iter().map(|at| (value(*at), *at)).filter(|(v, _)| is_present(*v)));
            candidates.sort_by(|(a, _), (b, _)| a.is_nan().cmp(&b.is_nan()).then_with(|| order(*a, *b)));
            for (_, at) in candidates.iter().skip(k) {
                series[*at].values[step] = absent();
            }
        }
    }
    series.retain(|s| !s.is_empty());
    series
}

/// Folds the series of each group into one.
fn reduce(vector: &VectorAggregation, series: Vec<Series>, steps: usize) -> Vec<Series> {
    let (members, labels) = groups(vector.grouping.as_ref(), &series);
    let mut states = vec![State::default(); labels.len() * steps];
    for (one, group) in series.iter().zip(members) {
        let row = &mut states[group * steps..(group + 1) * steps];
        for (state, value) in row.iter_mut().zip(&one.values) {
            if is_present(*value) {
                state.add(vector.op, *value);
            }
        }
    }
    labels
        .into_iter()
        .zip(states.chunks(steps.max(1)))
        .map(|(labels, row)| Series { labels, values: row.iter().map(|s| s.finish(vector.op)).collect() })
        .collect()
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    count: f64,
    /// Sum, minimum, maximum, or the running mean of the variance.
    value: f64,
    squares: f64,
}

impl State {
    fn add(&mut self, op: VectorOp, v: f64) {
        self.count += 1.0;
        let first = self.count == 1.0;
        match op {
            VectorOp::Min if first || v < self.value || self.value.is_nan() => self.value = v,
            VectorOp::Max if first || v > self.value || self.value.is_nan() => self.value = v,
            VectorOp::Stddev | VectorOp::Stdvar => {
                let delta = v - self.value;
                self.value += delta / self.count;
                self.squares += delta * (v - self.value);
            }
            VectorOp::Sum | VectorOp::Avg => self.value += v,
            _ => {}
        }
    }

    fn finish(&self, op: VectorOp) -> f64 {
        if self.count == 0.0 {
            return absent();
        }
        match op {
            VectorOp::Count => self.count,
            VectorOp::Avg => self.value / self.count,
            VectorOp::Stdvar => self.squares / self.count,
            VectorOp::Stddev => (self.squares / self.count).sqrt(),
            _ => self.value,
        }
    }
}
