//! The growing chunk of floats in memory: Gorilla's idea (delta of delta for times, XOR for values) with
//! narrower time bins.
//!
//! The published bins start at 14 bits, which makes a scrape that is a millisecond late cost as much as one
//! that is eight seconds late. Real scrapes jitter by a few milliseconds, so the first bin here has 6 bits.
//!
//! ```text
//! sample = time value            the first sample's time is not in the bits
//! time   = 0                     delta as before
//!        | 10 d:6 | 110 d:12 | 1110 d:20 | 1111 d:64      two's complement delta of delta
//! value  = 0                     bits as before
//!        | 10 x                  XOR fits the last window of significant bits
//!        | 11 leading:5 len-1:6 x
//! ```
//!
//! The chunk also remembers the last time and value after it was sealed: the next sample is judged by them.

use model::TimestampMs;

const TIME_BINS: [(u32, u64, u32); 3] = [(2, 0b10, 6), (3, 0b110, 12), (4, 0b1110, 20)];

/// No window of significant bits has been set yet.
const NO_WINDOW: u8 = 0xff;

#[derive(Debug, Clone)]
pub struct XorChunk {
    bits: Vec<u8>,
    first_t: TimestampMs,
    last_t: TimestampMs,
    last_delta: i64,
    last_value: u64,
    count: u16,
    /// Unused bits of the last byte.
    free: u8,
    leading: u8,
    trailing: u8,
}

impl Default for XorChunk {
    fn default() -> Self {
        XorChunk {
            bits: Vec::new(),
            first_t: i64::MIN,
            last_t: i64::MIN,
            last_delta: 0,
            last_value: 0,
            count: 0,
            free: 0,
            leading: NO_WINDOW,
            trailing: 0,
        }
    }
}

impl XorChunk {
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// The time of the first sample in the chunk.
    pub fn first_t(&self) -> TimestampMs {
        self.first_t
    }

    /// The time of the newest sample ever appended; `i64::MIN` before the first.
    pub fn last_t(&self) -> TimestampMs {
        self.last_t
    }

    pub fn last_value_bits(&self) -> u64 {
        self.last_value
    }

    /// Moves the newest time forward for a sample that is kept elsewhere.
    pub fn note_time(&mut self, t: TimestampMs) {
        self.last_t = t;
    }

    pub fn heap_bytes(&self) -> usize {
        self.bits.capacity()
    }

    /// Appends a sample; `t` is above all times before.
    pub fn push(&mut self, t: TimestampMs, value: f64) {
        let value = value.to_bits();
        if self.count == 0 {
            (self.first_t, self.last_delta, self.leading) = (t, 0, NO_WINDOW);
            self.put(value, 64);
        } else {
            let delta = t.wrapping_sub(self.last_t);
            self.put_time(delta.wrapping_sub(self.last_delta));
            self.last_delta = delta;
            self.put_value(value);
        }
        (self.last_t, self.last_value) = (t, value);
        self.count += 1;
    }

    /// Takes the bits out and leaves an empty chunk that remembers the last sample.
    pub fn take(&mut self) -> (u16, Vec<u8>) {
        let count = std::mem::take(&mut self.count);
        self.free = 0;
        (count, std::mem::take(&mut self.bits))
    }

    pub fn reader(&self) -> XorReader<'_> {
        XorReader::new(self.first_t, self.count, &self.bits)
    }

    fn put_time(&mut self, dod: i64) {
        if dod == 0 {
            return self.put(0, 1);
        }
        for (prefix_len, prefix, bits) in TIME_BINS {
            let half = 1i64 << (bits - 1);
            if (-half..half).contains(&dod) {
                return self.put(prefix << bits | dod as u64 & ((1 << bits) - 1), prefix_len + bits);
            }
        }
        self.put(0b1111, 4);
        self.put(dod as u64, 64);
    }

    fn put_value(&mut self, value: u64) {
        let xor = value ^ self.last_value;
        if xor == 0 {
            return self.put(0, 1);
        }
        // Five bits hold the number of leading zeros, so more than 31 are not claimed.
        let leading = (xor.leading_zeros() as u8).min(31);
        let trailing = xor.trailing_zeros() as u8;
        if self.leading != NO_WINDOW && leading >= self.leading && trailing >= self.trailing {
            let len = 64 - self.leading - self.trailing;
            self.put(0b10, 2);
            return self.put(xor >> self.trailing, u32::from(len));
        }
        (self.leading, self.trailing) = (leading, trailing);
        let len = 64 - leading - trailing;
        self.put(0b11 << 11 | u64::from(leading) << 6 | u64::from(len - 1), 13);
        self.put(xor >> trailing, u32::from(len));
    }

    /// Appends the lowest `len` bits of `n`, highest first.
    fn put(&mut self, n: u64, mut len: u32) {
        while len > 0 {
            if self.free == 0 {
                if self.bits.len() == self.bits.capacity() {
                    // Doubling would leave a third of all chunk memory unused.
                    self.bits.reserve_exact((self.bits.len() / 4).max(24));
                }
                self.bits.push(0);
                self.free = 8;
            }
            let take = len.min(u32::from(self.free));
            let piece = (n >> (len - take)) as u8 & (0xffu16 >> (8 - take)) as u8;
            if let Some(last) = self.bits.last_mut() {
                *last |= piece << (u32::from(self.free) - take);
            }
            self.free -= take as u8;
            len -= take;
        }
    }
}

/// Decodes samples front to back; ends early when the bits do.
pub struct XorReader<'a> {
    bits: &'a [u8],
    at: usize,
    left: u16,
    first: bool,
    t: TimestampMs,
    delta: i64,
    value: u64,
    leading: u8,
    trailing: u8,
}

impl<'a> XorReader<'a> {
    pub fn new(first_t: TimestampMs, count: u16, bits: &'a [u8]) -> XorReader<'a> {
        XorReader {
            bits,
            at: 0,
            left: count,
            first: true,
            t: first_t,
            delta: 0,
            value: 0,
            leading: 0,
            trailing: 0,
        }
    }

    fn sample(&mut self) -> Option<(TimestampMs, f64)> {
        if self.first {
            self.first = false;
            self.value = self.get(64)?;
        } else {
            self.delta = self.delta.wrapping_add(self.get_time()?);
            self.t = self.t.wrapping_add(self.delta);
            self.value ^= self.get_xor()?;
        }
        Some((self.t, f64::from_bits(self.value)))
    }

    fn get_time(&mut self) -> Option<i64> {
        if self.get(1)? == 0 {
            return Some(0);
        }
        for (_, _, bits) in TIME_BINS {
            if self.get(1)? == 0 {
                let raw = self.get(bits)?;
                return Some((raw << (64 - bits)) as i64 >> (64 - bits));
            }
        }
        self.get(64).map(|raw| raw as i64)
    }

    fn get_xor(&mut self) -> Option<u64> {
        if self.get(1)? == 0 {
            return Some(0);
        }
        if self.get(1)? == 1 {
            self.leading = self.get(5)? as u8;
            let len = self.get(6)? as u8 + 1;
            self.trailing = 64u8.checked_sub(self.leading + len)?;
        }
        let len = 64 - self.leading - self.trailing;
        Some(self.get(u32::from(len))? << self.trailing)
    }

    fn get(&mut self, len: u32) -> Option<u64> {
        let (mut n, mut left) = (0u64, len);
        while left > 0 {
            let byte = u64::from(*self.bits.get(self.at / 8)?);
            let unread = 8 - (self.at % 8) as u32;
            let take = left.min(unread);
            let piece = byte >> (unread - take) & (0xff >> (8 - take));
            n = if take == 64 { piece } else { n << take | piece };
            self.at += take as usize;
            left -= take;
        }
        Some(n)
    }
}

impl Iterator for XorReader<'_> {
    type Item = (TimestampMs, f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        self.sample()
    }
}

#[cfg(test)]
mod tests {
    use model::{STALE_NAN_BITS, stale_nan};
    use proptest::prelude::*;

    use super::*;

    fn round_trip(samples: &[(i64, f64)]) -> usize {
        let mut chunk = XorChunk::default();
        samples.iter().for_each(|(t, v)| chunk.push(*t, *v));
        let bits =
            |samples: &[(i64, f64)]| samples.iter().map(|(t, v)| (*t, v.to_bits())).collect::<Vec<_>>();
        let read: Vec<(i64, f64)> = chunk.reader().collect();
        assert_eq!(bits(&read), bits(samples));
        chunk.bits.len()
    }

    #[test]
    fn every_bit_pattern_comes_back() {
        round_trip(&[
            (i64::MIN / 4, -0.0),
            (-1, f64::from_bits(STALE_NAN_BITS)),
            (0, stale_nan()),
            (1, f64::NAN),
            (2, f64::INFINITY),
            (1_000_000_000_000, f64::MIN_POSITIVE),
            (i64::MAX / 4, 0.1 + 0.2),
        ]);
    }

    #[test]
    fn regular_scrapes_are_small() {
        let jittered = |value: fn(i64) -> f64| {
            let samples: Vec<(i64, f64)> =
                (0..240).map(|i| (1_700_000_000_000 + i * 15_000 + (i * 7 % 5) - 2, value(i))).collect();
            round_trip(&samples)
        };
        let constant = jittered(|_| 42.0);
        assert!(constant < 240 * 5 / 4, "{constant} bytes");
        let aligned: Vec<(i64, f64)> = (0..240).map(|i| (i * 15_000, 42.0)).collect();
        assert!(round_trip(&aligned) < 80);
    }

    #[test]
    fn the_last_sample_outlives_the_bits() {
        let mut chunk = XorChunk::default();
        chunk.push(5, 1.0);
        assert_eq!(chunk.take().0, 1);
        assert_eq!((chunk.count(), chunk.last_t(), chunk.last_value_bits()), (0, 5, 1f64.to_bits()));
        chunk.push(9, 2.0);
        assert_eq!(chunk.reader().collect::<Vec<_>>(), [(9, 2.0)]);
    }

    proptest! {
        #[test]
        fn any_samples_come_back(
            steps in proptest::collection::vec((1..100_000i64, any::<u64>()), 0..200),
            small in proptest::collection::vec((1..20i64, -5..5i32), 0..200),
        ) {
            let mut t = 0;
            let mut samples: Vec<(i64, f64)> = steps.iter().map(|(step, bits)| {
                t += step;
                (t, f64::from_bits(*bits))
            }).collect();
            round_trip(&samples);
            samples.clear();
            samples.extend(small.iter().map(|(step, v)| {
                t += step;
                (t, f64::from(*v))
            }));
            round_trip(&samples);
        }

        #[test]
        fn damaged_bits_end_early(bits in proptest::collection::vec(any::<u8>(), 0..100), count in any::<u16>()) {
            prop_assert!(XorReader::new(0, count, &bits).count() <= count as usize);
        }
    }
}
