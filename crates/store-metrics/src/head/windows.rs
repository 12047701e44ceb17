//! In which window a time lies, without a division for each sample.

use model::TimestampMs;

/// Remembers the window asked for last: batches are mostly of one time.
#[derive(Debug)]
pub struct Windows {
    length: i64,
    start: TimestampMs,
    /// The last time in it.
    last: TimestampMs,
}

impl Windows {
    pub fn new(length: i64) -> Windows {
        // Nothing lies in it yet.
        Windows { length: length.max(1), start: 0, last: -1 }
    }

    /// Where the window of `t` starts.
    #[inline]
    pub fn start_of(&mut self, t: TimestampMs) -> TimestampMs {
        if t < self.start || t > self.last {
            self.start = t.div_euclid(self.length).saturating_mul(self.length);
            self.last = self.start.saturating_add(self.length - 1);
        }
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_begin_at_multiples_of_their_length() {
        let mut windows = Windows::new(10);
        for (t, start) in [(0, 0), (9, 0), (10, 10), (5, 0), (-1, -10), (-10, -10), (25, 20)] {
            assert_eq!(windows.start_of(t), start, "{t}");
        }
        assert!(windows.start_of(i64::MIN) <= i64::MIN + 10);
        assert!(windows.start_of(i64::MAX) >= i64::MAX - 10);
    }
}
