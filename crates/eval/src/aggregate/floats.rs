//! The running state of one group whose members are floats so far: a few numbers for each step, side by
//! side, so that adding a series is one walk over plain columns.

use super::cell::Cell;
use super::reduce::Reduce;
use crate::Column;
use crate::kahan::{Kahan, Mean};

#[derive(Debug)]
pub(super) struct Floats {
    counts: Vec<u32>,
    /// Sums, or extremes.
    totals: Vec<f64>,
    /// What rounding has taken from the sums.
    lost: Vec<f64>,
}

impl Floats {
    /// `None` for aggregations that need more than this.
    pub fn new(op: Reduce, steps: usize) -> Option<Floats> {
        let sums = match op {
            Reduce::Sum | Reduce::Avg => steps,
            Reduce::Count | Reduce::Group | Reduce::Min | Reduce::Max => 0,
            Reduce::Stddev | Reduce::Stdvar => return None,
        };
        let totals = if matches!(op, Reduce::Count | Reduce::Group) { 0 } else { steps };
        // Minus zero plus anything is that thing, sign and all.
        Some(Floats { counts: vec![0; steps], totals: vec![-0.0; totals], lost: vec![0.0; sums] })
    }

    /// Adds a column without histograms. At the first step at which a mean gets too large for its sum,
    /// stops and returns that step.
    pub fn add(&mut self, op: Reduce, column: &Column) -> Result<(), usize> {
        let floats = column.floats();
        let present = |v: &f64| !Column::is_absent(*v);
        match op {
            Reduce::Count | Reduce::Group => {
                for (count, v) in self.counts.iter_mut().zip(floats) {
                    *count += u32::from(present(v));
                }
            }
            Reduce::Sum | Reduce::Avg => {
                let sums = self.totals.iter_mut().zip(&mut self.lost);
                for (step, ((count, (sum, lost)), v)) in
                    self.counts.iter_mut().zip(sums).zip(floats).enumerate()
                {
                    if !present(v) {
                        continue;
                    }
                    let next = Kahan { sum: *sum, lost: *lost }.add(*v);
                    if op == Reduce::Avg && next.sum.is_infinite() {
                        return Err(step);
                    }
                    *count += 1;
                    (*sum, *lost) = (next.sum, next.lost);
                }
            }
            Reduce::Min | Reduce::Max => {
                for ((count, extreme), v) in self.counts.iter_mut().zip(&mut self.totals).zip(floats) {
                    if !present(v) {
                        continue;
                    }
                    let beats = if op == Reduce::Max { *extreme < *v } else { *extreme > *v };
                    if *count == 0 || beats || extreme.is_nan() {
                        *extreme = *v;
                    }
                    *count += 1;
                }
            }
            Reduce::Stddev | Reduce::Stdvar => {}
        }
        Ok(())
    }

    /// The same state, able to take histograms, too.
    pub fn into_cells(self, op: Reduce) -> Vec<Cell> {
        let number = |all: &[f64], step: usize| all.get(step).copied().unwrap_or(0.0);
        let cell = |(step, count): (usize, &u32)| {
            let total = Kahan { sum: number(&self.totals, step), lost: number(&self.lost, step) };
            Cell::resume(op, *count, total)
        };
        self.counts.iter().enumerate().map(cell).collect()
    }

    pub fn finish(&self, op: Reduce) -> Column {
        Column::from_fn(self.counts.len(), |step| {
            let count = self.counts.get(step).copied().filter(|count| *count > 0)?;
            let total = || Some(Kahan { sum: *self.totals.get(step)?, lost: *self.lost.get(step)? });
            match op {
                Reduce::Count => Some(f64::from(count)),
                Reduce::Group => Some(1.0),
                Reduce::Sum => total().map(Kahan::value),
                Reduce::Avg => total().map(|total| Mean::resume(f64::from(count), total).value()),
                _ => self.totals.get(step).copied(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use model::Value;

    use super::*;
    use crate::aggregate::cell::Outcome;

    /// Both ways of aggregating agree to the bit, wherever one is turned into the other.
    #[test]
    fn agrees_with_cells() {
        let rows: [&[Option<f64>]; 6] = [
            &[Some(1.0), None, Some(-0.0), Some(f64::MAX), Some(f64::NAN), Some(f64::INFINITY)],
            &[Some(1e100), None, Some(-0.0), Some(f64::MAX), Some(2.0), Some(1.0)],
            &[Some(1.0), Some(3.0), None, Some(f64::MAX), Some(1.0), Some(f64::NEG_INFINITY)],
            &[Some(-1e100), Some(0.1), Some(0.0), None, Some(f64::NAN), None],
            &[Some(0.3), Some(0.2), Some(7.0), Some(1.0), None, Some(3.0)],
            &[None, Some(f64::NAN), Some(-7.0), Some(5.0), Some(4.0), Some(f64::INFINITY)],
        ];
        for op in [Reduce::Sum, Reduce::Avg, Reduce::Count, Reduce::Group, Reduce::Min, Reduce::Max] {
            for turn_at in 0..=rows.len() {
                let mut floats = Floats::new(op, 6);
                let mut turned: Option<Vec<Cell>> = None;
                let mut cells = vec![Cell::default(); 6];
                for (at, row) in rows.iter().enumerate() {
                    if at == turn_at && turned.is_none() {
                        turned = floats.take().map(|floats| floats.into_cells(op));
                    }
                    let column = Column::from_fn(6, |step| row[step]);
                    let mut from = 0;
                    if let Some(floats_now) = &mut floats {
                        match floats_now.add(op, &column) {
                            Ok(()) => from = 6,
                            Err(step) => {
                                turned = floats.take().map(|floats| floats.into_cells(op));
                                from = step;
                            }
                        }
                    }
                    for step in 0..6 {
                        let Some(v) = row[step] else { continue };
                        cells[step].add_float(op, v);
                        if let (Some(turned), true) = (&mut turned, step >= from) {
                            turned[step].add_float(op, v);
                        }
                    }
                }
                let value = |cell: Cell| match cell.finish(op) {
                    Outcome::Value(Value::Float(v)) => Some(v.to_bits()),
                    _ => None,
                };
                let nan = |bits: Option<u64>| bits.map(|b| if f64::from_bits(b).is_nan() { 1 } else { b });
                let expected: Vec<_> = cells.into_iter().map(|cell| nan(value(cell))).collect();
                let seen: Vec<_> = match (floats, turned) {
                    (Some(floats), _) => {
                        let column = floats.finish(op);
                        (0..6).map(|step| nan(column.float(step).map(f64::to_bits))).collect()
                    }
                    (None, Some(turned)) => turned.into_iter().map(|cell| nan(value(cell))).collect(),
                    (None, None) => Vec::new(),
                };
                assert_eq!(seen, expected, "{op:?} turned at {turn_at}");
            }
        }
    }
}
