//! Compensated summation (Neumaier's variant of Kahan's), step by step as the original does it, since
//! the last bits of a sum are visible in replies.

/// A running sum and what rounding has lost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Kahan {
    pub sum: f64,
    pub lost: f64,
}

impl Kahan {
    pub fn new(first: f64) -> Kahan {
        Kahan { sum: first, lost: 0.0 }
    }

    /// One more term. Not `+`: order matters.
    #[allow(clippy::should_implement_trait)]
    pub fn add(self, v: f64) -> Kahan {
        let total = self.sum + v;
        let lost = if total.is_infinite() {
            0.0
        } else if self.sum.abs() >= v.abs() {
            self.lost + ((self.sum - total) + v)
        } else {
            self.lost + ((v - total) + self.sum)
        };
        Kahan { sum: total, lost }
    }

    pub fn value(self) -> f64 {
        self.sum + self.lost
    }
}

/// A mean that sums as long as the sum fits into a float and then goes on incrementally.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mean {
    count: f64,
    total: Kahan,
    incremental: bool,
}

impl Mean {
    /// The mean of `count` values whose sum is known and fits.
    pub fn resume(count: f64, total: Kahan) -> Mean {
        Mean { count, total, incremental: false }
    }

    pub fn add(&mut self, v: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.total = Kahan::new(v);
            return;
        }
        if !self.incremental {
            let next = self.total.add(v);
            if !next.sum.is_infinite() {
                self.total = next;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.total = Kahan { sum: self.total.sum / before, lost: self.total.lost / before };
        }
        let q = (self.count - 1.0) / self.count;
        let scaled = Kahan { sum: q * self.total.sum, lost: q * self.total.lost };
        self.total = scaled.add(v / self.count);
    }

    pub fn value(&self) -> f64 {
        if self.incremental {
            self.total.value()
        } else {
            self.total.sum / self.count + self.total.lost / self.count
        }
    }
}

/// `Σ` of `values`.
pub fn sum(values: &[f64]) -> f64 {
    values.iter().fold(Kahan::default(), |sum, v| sum.add(*v)).value()
}

/// The mean of `values`; NaN of none.
pub fn mean(values: &[f64]) -> f64 {
    let mut mean = Mean::default();
    values.iter().for_each(|v| mean.add(*v));
    mean.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_means_keep_what_plain_addition_loses() {
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(mean(&[1.0, 1e100, 1.0, -1e100]), 0.5);
        assert!(mean(&[f64::MAX, f64::MAX, f64::MAX]) / f64::MAX > 1.0 - 1e-15);
        assert_eq!(sum(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert!(mean(&[]).is_nan());
    }
}
