//! The running state of one group at one step.

use std::sync::Arc;

use model::{FloatHistogram, ResetHint, Value};

use super::reduce::Reduce;
use crate::histogram::Wide;
use crate::kahan::{Kahan, Mean};

/// What a group at a step has seen so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    count: f64,
    has_float: bool,
    total: Kahan,
    mean: Mean,
    /// Welford's mean and sum of squared differences; the extreme of min and max.
    running: f64,
    squares: f64,
    histogram: Option<Box<HistogramCell>>,
}

#[derive(Debug, Clone)]
struct HistogramCell {
    total: Wide,
    count: f64,
    /// The histograms are averaged one by one because their sum does not fit into floats.
    incremental: bool,
    saw_reset: bool,
    saw_no_reset: bool,
    incompatible: bool,
}

/// What came up while a value was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remark {
    HistogramIgnored,
    Incompatible,
    BoundsReconciled,
    ResetCollision,
}

/// The state's final word.
pub(super) enum Outcome {
    Nothing,
    Value(Value),
    MixOfFloatsAndHistograms,
}

impl Cell {
    /// A cell that has seen `count` floats: their sum, or their extreme in `total.sum`.
    pub fn resume(op: Reduce, count: u32, total: Kahan) -> Cell {
        if count == 0 {
            return Cell::default();
        }
        let count = f64::from(count);
        let mean = if op == Reduce::Avg { Mean::resume(count, total) } else { Mean::default() };
        Cell { count, has_float: true, total, mean, running: total.sum, ..Cell::default() }
    }

    pub fn add_float(&mut self, op: Reduce, v: f64) {
        let first = !self.has_float;
        self.has_float = true;
        self.count += 1.0;
        match op {
            Reduce::Sum => self.total = if first { Kahan::new(v) } else { self.total.add(v) },
            Reduce::Avg => self.mean.add(v),
            Reduce::Max => {
                if first || self.running < v || self.running.is_nan() {
                    self.running = v;
                }
            }
            Reduce::Min => {
                if first || self.running > v || self.running.is_nan() {
                    self.running = v;
                }
            }
            Reduce::Stddev | Reduce::Stdvar => {
                if first {
                    self.running = v;
                    self.squares = if v.is_finite() { 0.0 } else { f64::NAN };
                } else {
                    let delta = v - self.running;
                    self.running += delta / self.count;
                    self.squares += delta * (v - self.running);
                }
            }
            Reduce::Count | Reduce::Group => {}
        }
    }

    pub fn add_histogram(&mut self, op: Reduce, h: &Arc<FloatHistogram>, mut remark: impl FnMut(Remark)) {
        match op {
            Reduce::Count | Reduce::Group => self.count += 1.0,
            Reduce::Max | Reduce::Min | Reduce::Stddev | Reduce::Stdvar => remark(Remark::HistogramIgnored),
            Reduce::Sum | Reduce::Avg => match &mut self.histogram {
                Some(cell) => cell.add(op, h, remark),
                None => self.histogram = Some(Box::new(HistogramCell::new(h))),
            },
        }
    }

    pub fn finish(self, op: Reduce) -> Outcome {
        let float = |v| Outcome::Value(Value::Float(v));
        match op {
            Reduce::Count if self.count > 0.0 => float(self.count),
            Reduce::Group if self.count > 0.0 => float(1.0),
            Reduce::Sum | Reduce::Avg => match self.histogram {
                Some(_) if self.has_float => Outcome::MixOfFloatsAndHistograms,
                Some(cell) => cell.finish(op),
                None if !self.has_float => Outcome::Nothing,
                None if op == Reduce::Sum => float(self.total.value()),
                None => float(self.mean.value()),
            },
            _ if !self.has_float => Outcome::Nothing,
            Reduce::Max | Reduce::Min => float(self.running),
            Reduce::Stdvar => float(self.squares / self.count),
            Reduce::Stddev => float((self.squares / self.count).sqrt()),
            Reduce::Count | Reduce::Group => Outcome::Nothing,
        }
    }
}

impl HistogramCell {
    fn new(h: &FloatHistogram) -> HistogramCell {
        let mut cell = HistogramCell {
            total: Wide::new(h),
            count: 1.0,
            incremental: false,
            saw_reset: false,
            saw_no_reset: false,
            incompatible: false,
        };
        cell.note_hint(h);
        cell
    }

    fn note_hint(&mut self, h: &FloatHistogram) -> bool {
        self.saw_reset |= h.reset_hint == ResetHint::CounterReset;
        self.saw_no_reset |= h.reset_hint == ResetHint::NotCounterReset;
        self.saw_reset && self.saw_no_reset
    }

    fn add(&mut self, op: Reduce, h: &FloatHistogram, mut remark: impl FnMut(Remark)) {
        if self.incompatible {
            return;
        }
        self.count += 1.0;
        let result = if op == Reduce::Avg && self.incremental {
            self.add_to_mean(h)
        } else {
            let mut next = self.total.clone();
            let result = next.add(h);
            if op == Reduce::Avg && next.has_overflown() && !self.total.has_overflown() {
                self.incremental = true;
                self.total.divide(self.count - 1.0);
                self.add_to_mean(h)
            } else {
                self.total = next;
                result
            }
        };
        match result {
            Ok(added) if added.bounds_reconciled => remark(Remark::BoundsReconciled),
            Ok(_) => {}
            Err(_) => {
                self.incompatible = true;
                remark(Remark::Incompatible);
            }
        }
        if self.note_hint(h) {
            remark(Remark::ResetCollision);
        }
    }

    /// `mean = mean · (n − 1)/n + h/n`
    fn add_to_mean(
        &mut self,
        h: &FloatHistogram,
    ) -> Result<crate::histogram::Added, crate::histogram::Incompatible> {
        self.total.scale((self.count - 1.0) / self.count);
        let mut part = Wide::new(h);
        part.divide(self.count);
        self.total.add(&part.finish())
    }

    fn finish(mut self, op: Reduce) -> Outcome {
        if self.incompatible {
            return Outcome::Nothing;
        }
        if op == Reduce::Avg && !self.incremental {
            self.total.divide(self.count);
        }
        Outcome::Value(Value::Histogram(Arc::new(self.total.finish())))
    }
}
