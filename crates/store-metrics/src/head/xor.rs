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
//! Bits fill words from the top. The last word lies in the chunk itself, and samples at the end that repeat
//! both delta and value are only counted, so a constant series has no words at all and most other appends
//! touch no memory but the chunk.
//!
//! The chunk also remembers the last time and value after it was sealed: the next sample is judged by them.

use std::sync::Arc;

use model::TimestampMs;

const TIME_BINS: [(u32, u64, u32); 3] = [(2, 0b10, 6), (3, 0b110, 12), (4, 0b1110, 20)];

/// No window of significant bits has been set yet.
const NO_WINDOW: u8 = 0xff;

/// A window that is wider than needed by more than its description costs is not used again.
const WINDOW_WASTE_MAX: u32 = 13;

const WORD: u32 = u64::BITS;

#[derive(Debug, Clone)]
pub struct XorChunk {
    /// Full words.
    words: Vec<u64>,
    /// The word that is filling, from its highest bit.
    tail: u64,
    first_t: TimestampMs,
    last_t: TimestampMs,
    last_delta: i64,
    last_value: u64,
    count: u16,
    /// Samples at the end that repeat delta and value of the one before and are not in the bits yet: all,
    /// while nothing else has come.
    repeats: u16,
    /// Bits of `tail` in use, 64 at most.
    used: u8,
    leading: u8,
    trailing: u8,
}

impl Default for XorChunk {
    fn default() -> Self {
        XorChunk {
            words: Vec::new(),
            tail: 0,
            first_t: i64::MIN,
            last_t: i64::MIN,
            last_delta: 0,
            last_value: 0,
            count: 0,
            repeats: 0,
            used: 0,
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
        self.words.capacity() * size_of::<u64>()
    }

    /// Appends a sample; `t` is above all times before.
    #[inline]
    pub fn push(&mut self, t: TimestampMs, value: f64) {
        let value = value.to_bits();
        let delta = t.wrapping_sub(self.last_t);
        let xor = value ^ self.last_value;
        if self.count == 0 {
            (self.first_t, self.last_delta, self.leading, self.repeats) = (t, 0, NO_WINDOW, 1);
        } else if xor == 0 && (delta == self.last_delta || (self.count == 1 && self.repeats == 1)) {
            self.repeats += 1;
            self.last_delta = delta;
        } else {
            self.put_repeats();
            self.put_sample(delta.wrapping_sub(self.last_delta), xor);
            self.last_delta = delta;
        }
        (self.last_t, self.last_value) = (t, value);
        self.count += 1;
    }

    /// Takes the bits out, as whole words, and leaves an empty chunk that remembers the last sample.
    pub fn take(&mut self) -> (u16, Arc<[u64]>) {
        self.put_repeats();
        let tail = (self.used > 0).then_some(self.tail);
        let bits = self.words.iter().copied().chain(tail).collect();
        let count = self.count;
        self.clear();
        (count, bits)
    }

    /// Forgets the samples but for what the last one was.
    pub fn clear(&mut self) {
        self.words = Vec::new();
        (self.tail, self.used, self.count, self.repeats) = (0, 0, 0, 0);
    }

    pub fn reader(&self) -> XorReader<'_> {
        let bits = self.words.len() * WORD as usize + usize::from(self.used);
        XorReader {
            coded: self.count - self.repeats,
            value: self.last_value,
            delta: if self.repeats == self.count { self.last_delta } else { 0 },
            tail: self.tail,
            end: bits,
            ..XorReader::new(self.first_t, self.count, &self.words)
        }
    }

    /// The newest sample not after `maxt`. Queries look at the last moments, so the last sample and those it
    /// repeats are known without decoding.
    pub fn newest(&self, maxt: TimestampMs) -> Option<(TimestampMs, f64)> {
        if self.count == 0 {
            return None;
        }
        let value = f64::from_bits(self.last_value);
        if self.last_t <= maxt {
            return Some((self.last_t, value));
        }
        // So many samples before the last have its value and lie `last_delta` apart.
        let alike = i128::from(self.repeats.min(self.count - 1));
        if alike > 0 && self.last_delta > 0 {
            let ahead = i128::from(self.last_t) - i128::from(maxt);
            let back = (ahead + i128::from(self.last_delta) - 1) / i128::from(self.last_delta);
            if back <= alike {
                let t = self.last_t.wrapping_sub(self.last_delta.wrapping_mul(back as i64));
                return Some((t, value));
            }
        }
        self.reader().newest(maxt)
    }

    fn put_repeats(&mut self) {
        let mut repeats = u32::from(std::mem::take(&mut self.repeats));
        if repeats == u32::from(self.count) && repeats > 0 {
            // Not even the first sample is in the bits.
            self.put(self.last_value, WORD);
            if repeats > 1 {
                self.put_sample(self.last_delta, 0);
            }
            repeats = repeats.saturating_sub(2);
        }
        let mut bits = 2 * repeats;
        while bits > 0 {
            let some = bits.min(WORD);
            self.put(0, some);
            bits -= some;
        }
    }

    fn put_sample(&mut self, dod: i64, xor: u64) {
        // What the sample's first bits are, and how many.
        let (mut head, mut len) = (0, 1);
        if dod != 0 {
            let bin = TIME_BINS.iter().find(|(_, _, bits)| {
                let half = 1i64 << (bits - 1);
                (-half..half).contains(&dod)
            });
            match bin {
                Some((prefix_len, prefix, bits)) => {
                    (head, len) = (prefix << bits | dod as u64 & ((1 << bits) - 1), prefix_len + bits);
                }
                None => {
                    self.put(0b1111, 4);
                    self.put(dod as u64 >> 1, WORD - 1);
                    (head, len) = (dod as u64 & 1, 1);
                }
            }
        }
        if xor == 0 {
            return self.put(head << 1, len + 1);
        }
        // Five bits hold the number of leading zeros, so more than 31 are not claimed.
        let leading = xor.leading_zeros().min(31);
        let trailing = xor.trailing_zeros();
        let needed = WORD - leading - trailing;
        let (window_leading, window_trailing) = (u32::from(self.leading), u32::from(self.trailing));
        let fits = self.leading != NO_WINDOW && leading >= window_leading && trailing >= window_trailing;
        if fits && WORD - window_leading - window_trailing <= needed + WINDOW_WASTE_MAX {
            self.put(head << 2 | 0b10, len + 2);
            return self.put(xor >> window_trailing, WORD - window_leading - window_trailing);
        }
        (self.leading, self.trailing) = (leading as u8, trailing as u8);
        let window = 0b11 << 11 | u64::from(leading) << 6 | u64::from(needed - 1);
        self.put(head << 13 | window, len + 13);
        self.put(xor >> trailing, needed);
    }

    /// Appends the lowest `len` bits of `n`, which has no others; 1 to 64 of them, highest first.
    #[inline]
    fn put(&mut self, n: u64, len: u32) {
        let free = WORD - u32::from(self.used);
        if len <= free {
            self.tail |= n << (free - len);
            self.used += len as u8;
            return;
        }
        let over = len - free;
        if free > 0 {
            self.tail |= n >> over;
        }
        if self.words.len() == self.words.capacity() {
            // Doubling would leave a third of all chunk memory unused.
            self.words.reserve_exact((self.words.len() / 4).max(4));
        }
        self.words.push(self.tail);
        self.tail = n << (WORD - over);
        self.used = over as u8;
    }
}

/// Decodes samples front to back; ends early when the bits do.
pub struct XorReader<'a> {
    words: &'a [u64],
    /// The word after them.
    tail: u64,
    /// The next bit, and the one after the last.
    at: usize,
    end: usize,
    /// Samples not yet read, and how many of them the bits hold; those after repeat delta and value.
    left: u16,
    coded: u16,
    first: bool,
    t: TimestampMs,
    delta: i64,
    value: u64,
    leading: u8,
    trailing: u8,
}

impl<'a> XorReader<'a> {
    pub fn new(first_t: TimestampMs, count: u16, words: &'a [u64]) -> XorReader<'a> {
        XorReader {
            words,
            tail: 0,
            at: 0,
            end: words.len() * WORD as usize,
            left: count,
            coded: count,
            first: true,
            t: first_t,
            delta: 0,
            value: 0,
            leading: 0,
            trailing: 0,
        }
    }

    /// Appends the samples in `mint..=maxt`.
    ///
    /// A sample that repeats delta and value of the one before is two zero bits or none at all. Half of all
    /// series never change, so such samples are taken by the run.
    pub fn append_to(
        mut self,
        mint: TimestampMs,
        maxt: TimestampMs,
        times: &mut Vec<TimestampMs>,
        values: &mut Vec<f64>,
    ) {
        while self.left > 0 {
            let run = self.repeats();
            if run == 0 {
                match self.next() {
                    Some((t, _)) if t < mint => {}
                    Some((t, v)) if t <= maxt => {
                        times.push(t);
                        values.push(v);
                    }
                    _ => return,
                }
                continue;
            }
            self.take_run(run);
            let value = f64::from_bits(self.value);
            for _ in 0..run {
                self.t = self.t.wrapping_add(self.delta);
                if self.t > maxt {
                    return;
                }
                if self.t >= mint {
                    times.push(self.t);
                    values.push(value);
                }
            }
        }
    }

    /// The newest sample not after `maxt`.
    pub fn newest(mut self, maxt: TimestampMs) -> Option<(TimestampMs, f64)> {
        let mut newest = None;
        while self.left > 0 {
            let run = self.repeats();
            if run == 0 || self.delta <= 0 {
                match self.next() {
                    Some((t, v)) if t <= maxt => newest = Some((t, v)),
                    _ => return newest,
                }
                continue;
            }
            let room = (i128::from(maxt) - i128::from(self.t)) / i128::from(self.delta);
            let fits = room.clamp(0, run as i128) as usize;
            if fits > 0 {
                self.t = self.t.wrapping_add(self.delta.wrapping_mul(fits as i64));
                newest = Some((self.t, f64::from_bits(self.value)));
            }
            if fits < run {
                return newest;
            }
            self.take_run(run);
        }
        newest
    }

    /// How many of the next samples, as far as is seen at once, are like the last one.
    fn repeats(&self) -> usize {
        if self.first {
            return 0;
        }
        if self.coded == 0 {
            return usize::from(self.left);
        }
        let zeros = (self.window().leading_zeros() as usize).min(self.end.saturating_sub(self.at));
        (zeros / 2).min(usize::from(self.coded))
    }

    fn take_run(&mut self, run: usize) {
        self.left = self.left.saturating_sub(run as u16);
        if self.coded > 0 {
            self.coded = self.coded.saturating_sub(run as u16);
            self.at += 2 * run;
        }
    }

    fn coded_sample(&mut self) -> Option<()> {
        if self.first {
            self.value = self.get(WORD)?;
            return Some(());
        }
        self.delta = self.delta.wrapping_add(self.get_time()?);
        self.t = self.t.wrapping_add(self.delta);
        self.value ^= self.get_xor()?;
        Some(())
    }

    fn get_time(&mut self) -> Option<i64> {
        let ones = self.window().leading_ones() as usize;
        if ones == 0 {
            return self.skip(1).map(|()| 0);
        }
        let Some((prefix_len, _, bits)) = TIME_BINS.get(ones - 1).copied() else {
            self.skip(4)?;
            return self.get(WORD).map(|raw| raw as i64);
        };
        self.skip(prefix_len)?;
        let raw = self.get(bits)?;
        Some((raw << (WORD - bits)) as i64 >> (WORD - bits))
    }

    fn get_xor(&mut self) -> Option<u64> {
        let window = self.window();
        if window >> 63 == 0 {
            return self.skip(1).map(|()| 0);
        }
        if window >> 62 == 0b11 {
            self.leading = (window >> 57) as u8 & 0x1f;
            let len = ((window >> 51) as u8 & 0x3f) + 1;
            self.trailing = 64u8.checked_sub(self.leading + len)?;
            self.skip(13)?;
        } else {
            self.skip(2)?;
        }
        Some(self.get(WORD - u32::from(self.leading) - u32::from(self.trailing))? << self.trailing)
    }

    fn skip(&mut self, len: u32) -> Option<()> {
        self.at += len as usize;
        (self.at <= self.end).then_some(())
    }

    /// The next 64 bits, the first one highest; zeros after the end.
    #[inline]
    fn window(&self) -> u64 {
        let word = |at: usize| match self.words.get(at) {
            Some(word) => *word,
            None if at == self.words.len() => self.tail,
            None => 0,
        };
        let (at, shift) = (self.at / WORD as usize, self.at as u32 % WORD);
        if shift == 0 { word(at) } else { word(at) << shift | word(at + 1) >> (WORD - shift) }
    }

    /// The next `len` bits, 1 to 64.
    #[inline]
    fn get(&mut self, len: u32) -> Option<u64> {
        let bits = self.window() >> (WORD - len);
        self.skip(len)?;
        Some(bits)
    }
}

impl Iterator for XorReader<'_> {
    type Item = (TimestampMs, f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        match self.coded.checked_sub(1) {
            Some(coded) => {
                self.coded = coded;
                self.coded_sample()?;
            }
            None if self.first => {}
            None => self.t = self.t.wrapping_add(self.delta),
        }
        self.first = false;
        Some((self.t, f64::from_bits(self.value)))
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
        // Every way of reading sees the same samples, whatever the range.
        let some = samples.iter().step_by(samples.len() / 7 + 1).map(|(t, _)| *t);
        for mint in some.clone().chain([i64::MIN]) {
            for maxt in some.clone().map(|t| t.saturating_add(1)).chain([i64::MAX]) {
                let (mut times, mut values) = (Vec::new(), Vec::new());
                chunk.reader().append_to(mint, maxt, &mut times, &mut values);
                let seen: Vec<(i64, f64)> = times.into_iter().zip(values).collect();
                let inside: Vec<(i64, f64)> =
                    samples.iter().copied().filter(|(t, _)| (mint..=maxt).contains(t)).collect();
                assert_eq!(bits(&seen), bits(&inside), "{mint}..={maxt}");
                let upto = samples.iter().copied().rfind(|(t, _)| *t <= maxt);
                let upto = bits(&upto.into_iter().collect::<Vec<_>>());
                for newest in [chunk.reader().newest(maxt), chunk.newest(maxt)] {
                    assert_eq!(bits(&newest.into_iter().collect::<Vec<_>>()), upto);
                }
            }
        }
        let first_t = chunk.first_t();
        let (count, words) = chunk.take();
        let read: Vec<(i64, f64)> = XorReader::new(first_t, count, &words).collect();
        assert_eq!(bits(&read), bits(samples));
        words.len() * 8
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
    fn a_constant_series_has_no_words() {
        let mut chunk = XorChunk::default();
        (0..100).for_each(|i| chunk.push(i * 15_000, 42.0));
        assert_eq!(chunk.heap_bytes(), 0);
        assert_eq!(chunk.reader().last(), Some((99 * 15_000, 42.0)));
        chunk.push(100 * 15_000, 43.0);
        assert_eq!(chunk.reader().nth(99), Some((99 * 15_000, 42.0)));
        assert_eq!(chunk.reader().nth(100), Some((100 * 15_000, 43.0)));
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
                t += step / 15 * 7 + 1;
                (t, f64::from(v / 5))
            }));
            round_trip(&samples);
        }

        #[test]
        fn damaged_bits_end_early(bits in proptest::collection::vec(any::<u64>(), 0..20), count in any::<u16>()) {
            prop_assert!(XorReader::new(0, count, &bits).count() <= count as usize);
        }
    }
}
