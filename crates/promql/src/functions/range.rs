//! Functions over windows: which there are, and the loop that applies them.

use eval::window::Window;
use eval::{Column, EvalError, Place, Series, SeriesStream, Steps, window};
use model::Value;
use promql_syntax::{Call, Expr};
use storage::metrics::SampleColumns;

use super::starts::{Life, Starts, began_anew};
use super::{arg, over_time, rate, regression};
use crate::evaluator::{Evaluator, invalid_quantile, place};
use crate::selector::RangeSource;
use crate::stream::Stream;

/// Everything a window function may look at besides its window.
pub(super) struct Range<'r> {
    pub cx: &'r eval::Context,
    /// Where the range vector argument stands.
    pub place: Place,
    pub metric: &'r str,
    /// Milliseconds.
    pub range: i64,
    /// Scalar arguments, each with a value per step.
    pub scalars: &'r [Vec<f64>],
    pub step: usize,
    /// Where counters of this series fell, as indexes into its floats; only for functions of counters.
    pub resets: &'r [usize],
    pub starts: &'r Starts,
    pub extension: Extension,
    /// How far outside extended windows look.
    pub lookback: i64,
}

/// How a window deals with its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extension {
    None,
    Anchored,
    Smoothed,
}

impl Range<'_> {
    pub fn scalar(&self, index: usize) -> f64 {
        self.scalars.get(index).and_then(|s| s.get(self.step)).copied().unwrap_or(f64::NAN)
    }
}

/// The value of one window. Windows without samples are not shown to it unless it is extended.
pub(super) type WindowFunction = fn(&Range<'_>, &Window<'_>) -> Option<Value>;

pub(super) fn function(name: &str) -> Option<WindowFunction> {
    Some(match name {
        "rate" => rate::rate,
        "increase" => rate::increase,
        "delta" => rate::delta,
        "irate" => rate::irate,
        "idelta" => rate::idelta,
        "changes" => rate::changes,
        "resets" => rate::resets,
        "deriv" => regression::deriv,
        "predict_linear" => regression::predict_linear,
        "double_exponential_smoothing" => regression::smooth,
        "avg_over_time" => over_time::avg,
        "sum_over_time" => over_time::sum,
        "min_over_time" => over_time::min,
        "max_over_time" => over_time::max,
        "count_over_time" => over_time::count,
        "present_over_time" => over_time::present,
        "last_over_time" => over_time::last,
        "first_over_time" => over_time::first,
        "stddev_over_time" => over_time::stddev,
        "stdvar_over_time" => over_time::stdvar,
        "quantile_over_time" => over_time::quantile,
        "mad_over_time" => over_time::mad,
        "ts_of_first_over_time" => over_time::ts_of_first,
        "ts_of_last_over_time" => over_time::ts_of_last,
        "ts_of_min_over_time" => over_time::ts_of_min,
        "ts_of_max_over_time" => over_time::ts_of_max,
        _ => return None,
    })
}

pub(super) fn call<'a>(
    ev: &Evaluator<'a>,
    call: &'a Call,
    function: WindowFunction,
) -> Result<Stream<'a>, EvalError> {
    let name = call.function.name;
    let range_at = usize::from(name == "quantile_over_time");
    let input = arg(call, range_at)?;
    let mut scalars = Vec::new();
    for (index, arg) in call.args.iter().enumerate() {
        if index != range_at {
            scalars.push(ev.scalar(arg)?);
        }
    }
    check_arguments(ev, call, &scalars)?;
    let extension = extension(name, input)?;
    let (source, shape) = ev.range_source(input)?;
    let counter = matches!(name, "rate" | "increase");
    let stream = RangeStream {
        ev_cx: ev.cx(),
        steps: ev.steps,
        source,
        shape,
        function,
        scalars,
        place: place(input),
        name,
        extension,
        lookback: ev.query.lookback,
        wants_resets: counter,
        // Scalar arguments may change from step to step, even when the window does not.
        broadcast: shape.at.is_some() && call.args.len() == 1 && ev.steps.len() > 1,
        samples: SampleColumns::default(),
        resets: Vec::new(),
        starts: Starts::default(),
    };
    if matches!(name, "last_over_time" | "first_over_time") {
        return Ok(Box::new(stream));
    }
    ev.without_names(Box::new(stream), input)
}

fn check_arguments<'a>(ev: &Evaluator<'a>, call: &'a Call, scalars: &[Vec<f64>]) -> Result<(), EvalError> {
    let all = |index: usize| scalars.get(index).into_iter().flatten().copied();
    match call.function.name {
        "quantile_over_time" => {
            for q in all(0).filter(|q| !(0.0..=1.0).contains(q)) {
                ev.cx().warn(place(arg(call, 0)?), invalid_quantile(q));
            }
        }
        "double_exponential_smoothing" => {
            for (index, what, name) in [(0, "smoothing", "sf"), (1, "trend", "tf")] {
                if let Some(v) = all(index).find(|v| *v <= 0.0 || *v >= 1.0) {
                    return Err(EvalError::execution(format!(
                        "invalid {what} factor. Expected: 0 < {name} < 1, got: {v:.6}"
                    )));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn extension(name: &str, input: &Expr) -> Result<Extension, EvalError> {
    let Expr::Matrix(matrix) = input.unwrap_parens() else { return Ok(Extension::None) };
    let (anchored, smoothed) = (matrix.selector.anchored, matrix.selector.smoothed);
    if anchored && !matches!(name, "changes" | "delta" | "increase" | "rate" | "resets") {
        return Err(EvalError::execution(format!(
            "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with {name}"
        )));
    }
    if smoothed && !matches!(name, "delta" | "increase" | "rate") {
        return Err(EvalError::execution(format!(
            "smoothed modifier can only be used with: delta, increase, rate - not with {name}"
        )));
    }
    Ok(match (anchored, smoothed) {
        (true, _) => Extension::Anchored,
        (_, true) => Extension::Smoothed,
        _ => Extension::None,
    })
}

struct RangeStream<'a> {
    ev_cx: &'a eval::Context,
    steps: Steps,
    source: RangeSource<'a>,
    shape: window::WindowShape,
    function: WindowFunction,
    scalars: Vec<Vec<f64>>,
    place: Place,
    name: &'static str,
    extension: Extension,
    lookback: i64,
    wants_resets: bool,
    broadcast: bool,
    samples: SampleColumns,
    resets: Vec<usize>,
    starts: Starts,
}

impl SeriesStream for RangeStream<'_> {
    fn next(&mut self) -> Result<Option<Series>, EvalError> {
        loop {
            let Some(input) = self.source.next(&mut self.samples)? else { return Ok(None) };
            self.starts.fill(&self.samples);
            if self.wants_resets {
                find_resets(&self.samples, &self.starts, &mut self.resets);
            }
            let metric = input.labels.metric_name().to_owned();
            let mut range = Range {
                cx: self.ev_cx,
                place: self.place,
                metric: &metric,
                range: self.shape.range,
                scalars: &self.scalars,
                step: 0,
                resets: &self.resets,
                starts: &self.starts,
                extension: self.extension,
                lookback: self.lookback,
            };
            let steps = if self.broadcast { Steps::instant(self.steps.start) } else { self.steps };
            let mut column = Column::absent(steps.len());
            let (mut seen, mut weight, mut any_float) = (0usize, 0usize, false);
            window::each(&self.samples, steps, self.shape, |step, w| {
                seen += w.len();
                weight = weight.max(w.weight());
                any_float |= !w.floats.is_empty();
                if w.is_empty() && range.extension == Extension::None {
                    return;
                }
                range.step = step;
                if let Some(value) = (self.function)(&range, &w) {
                    column.set(step, value);
                }
            });
            self.ev_cx.count_queryable(seen);
            self.ev_cx.hold(weight)?;
            self.ev_cx.release(weight);
            if any_float {
                self.hint_non_counter(&metric);
            }
            if column.all_absent() {
                continue;
            }
            if self.broadcast {
                column = column.broadcast(self.steps.len());
            }
            return Ok(Some(Series { labels: input.labels, drop_name: input.drop_name, column }));
        }
    }
}

impl RangeStream<'_> {
    /// A rate of something not named like a counter may be a mistake.
    fn hint_non_counter(&self, metric: &str) {
        let counts = ["_total", "_sum", "_count", "_bucket"].iter().any(|end| metric.ends_with(end));
        if self.wants_resets && !metric.is_empty() && !counts {
            debug_assert!(matches!(self.name, "rate" | "increase"));
            self.ev_cx.info(
                self.place,
                format!(
                    "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {metric:?}"
                ),
            );
        }
    }
}

/// The positions at which a counter is lower than before, or says that it began anew.
fn find_resets(samples: &SampleColumns, starts: &Starts, out: &mut Vec<usize>) {
    let (times, floats) = (&samples.float_times, &samples.floats);
    let life = |i: usize| Life { t: times[i], start: starts.floats[i] };
    let anew = |i: usize| !starts.floats.is_empty() && began_anew(life(i - 1), life(i));
    out.clear();
    out.extend((1..floats.len()).filter(|i| floats[*i] < floats[*i - 1] || anew(*i)));
}
