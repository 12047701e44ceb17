//! One value, or none, per step.

use std::sync::Arc;

use model::{FloatHistogram, Value};

/// A NaN that no computation produces and no store hands out; it stands for "no value here".
const ABSENT_BITS: u64 = 0x7ff0_0061_6273_6e74;

/// The values of a series over the steps of a query. Floats are dense; the histogram half exists only
/// in series that have one.
#[derive(Debug, Clone)]
pub struct Column {
    floats: Vec<f64>,
    histograms: Option<Vec<Option<Arc<FloatHistogram>>>>,
}

impl Column {
    /// No value at any of `len` steps.
    pub fn absent(len: usize) -> Column {
        Column { floats: vec![f64::from_bits(ABSENT_BITS); len], histograms: None }
    }

    /// The same float everywhere.
    pub fn constant(len: usize, value: f64) -> Column {
        Column::from_floats(vec![value; len])
    }

    /// A float at every step.
    pub fn from_floats(mut floats: Vec<f64>) -> Column {
        floats.iter_mut().for_each(|v| *v = present(*v));
        Column { floats, histograms: None }
    }

    /// What `value` says for each of `len` steps.
    pub fn from_fn(len: usize, mut value: impl FnMut(usize) -> Option<f64>) -> Column {
        let float = |step| value(step).map_or(f64::from_bits(ABSENT_BITS), present);
        Column { floats: (0..len).map(float).collect(), histograms: None }
    }

    /// The floats of all steps; `is_absent` tells which of them are none.
    pub fn floats(&self) -> &[f64] {
        &self.floats
    }

    /// Whether a float out of [`Column::floats`] stands for nothing.
    #[inline]
    pub fn is_absent(v: f64) -> bool {
        v.to_bits() == ABSENT_BITS
    }

    pub fn len(&self) -> usize {
        self.floats.len()
    }

    pub fn is_empty(&self) -> bool {
        self.floats.is_empty()
    }

    pub fn float(&self, step: usize) -> Option<f64> {
        self.floats.get(step).copied().filter(|v| v.to_bits() != ABSENT_BITS)
    }

    pub fn histogram(&self, step: usize) -> Option<&Arc<FloatHistogram>> {
        self.histograms.as_ref()?.get(step)?.as_ref()
    }

    pub fn get(&self, step: usize) -> Option<Value> {
        match self.float(step) {
            Some(v) => Some(Value::Float(v)),
            None => self.histogram(step).cloned().map(Value::Histogram),
        }
    }

    pub fn has(&self, step: usize) -> bool {
        self.float(step).is_some() || self.histogram(step).is_some()
    }

    /// Whether any step may hold a histogram.
    pub fn has_histograms(&self) -> bool {
        self.histograms.is_some()
    }

    /// Whether no step holds anything.
    pub fn all_absent(&self) -> bool {
        self.floats.iter().all(|v| Column::is_absent(*v))
            && self.histograms.as_ref().is_none_or(|h| h.iter().all(Option::is_none))
    }

    pub fn set_float(&mut self, step: usize, value: f64) {
        self.floats[step] = present(value);
        if let Some(histograms) = &mut self.histograms {
            histograms[step] = None;
        }
    }

    pub fn set_histogram(&mut self, step: usize, histogram: Arc<FloatHistogram>) {
        self.floats[step] = f64::from_bits(ABSENT_BITS);
        let len = self.floats.len();
        self.histograms.get_or_insert_with(|| vec![None; len])[step] = Some(histogram);
    }

    pub fn set(&mut self, step: usize, value: Value) {
        match value {
            Value::Float(v) => self.set_float(step, v),
            Value::Histogram(h) => self.set_histogram(step, h),
        }
    }

    pub fn clear(&mut self, step: usize) {
        self.floats[step] = f64::from_bits(ABSENT_BITS);
        if let Some(histograms) = &mut self.histograms {
            histograms[step] = None;
        }
    }

    /// Steps that hold something, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Value)> + '_ {
        (0..self.len()).filter_map(|i| Some((i, self.get(i)?)))
    }

    /// Number of steps that hold something; histograms weigh as much as their size in floats.
    pub fn weight(&self) -> usize {
        let floats = self.floats.iter().filter(|v| v.to_bits() != ABSENT_BITS).count();
        let of = |h: &Arc<FloatHistogram>| crate::histogram::weight(h);
        floats + self.histograms.iter().flatten().flatten().map(of).sum::<usize>()
    }

    /// Replaces every float by `f` of it; histograms vanish.
    pub fn map_floats(&mut self, mut f: impl FnMut(usize, f64) -> f64) {
        self.histograms = None;
        for (i, v) in self.floats.iter_mut().enumerate() {
            if v.to_bits() != ABSENT_BITS {
                *v = present(f(i, *v));
            }
        }
    }

    /// The value of step 0 at each of `len` steps.
    pub fn broadcast(&self, len: usize) -> Column {
        let mut column = Column::absent(len);
        if let Some(value) = self.get(0) {
            (0..len).for_each(|i| column.set(i, value.clone()));
        }
        column
    }
}

/// Any other NaN in place of the one that means "absent".
#[inline]
fn present(v: f64) -> f64 {
    if v.to_bits() == ABSENT_BITS { f64::NAN } else { v }
}
